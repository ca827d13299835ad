package possessions

// keyRecord is the name under which a storer keeps the key that seals its sessions' cookies, where only the store is shared by all nodes.
const keyRecord = "possessions key"
