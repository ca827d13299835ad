package redisstore

import (
	"crypto/sha1" // the name that Redis gives a script, no protection of anything
	_ "embed"
	"encoding/hex"
	"strconv"
)

// script is a Lua program. Everything that must be atomic is one, and each works within one slot.
// Redis keeps it under its SHA-1 until it restarts or is told to forget.
type script struct{ text, sha string }

var (
	//go:embed lua/shared.lua
	sharedLua string
	//go:embed lua/hot.lua
	hotLua string
	//go:embed lua/get.lua
	getLua string
	//go:embed lua/create.lua
	createLua string
	//go:embed lua/update.lua
	updateLua string
	//go:embed lua/touch.lua
	touchLua string
	//go:embed lua/rotate.lua
	rotateLua string
	//go:embed lua/delete.lua
	deleteLua string
	//go:embed lua/revoke.lua
	revokeLua string
	//go:embed lua/user.lua
	userLua string
)

// The flags say what Redis may refuse before it runs a script. Without any it refuses when memory
// is full. Those that end something, or write no more bytes than were there, run then, too.
var (
	getScript    = newScript("no-writes", sharedLua+getLua)
	createScript = newScript("", sharedLua+createLua)
	updateScript = newScript("", hotLua+updateLua)
	tightScript  = newScript("allow-oom", hotLua+updateLua) // the update when memory is full
	touchScript  = newScript("allow-oom", hotLua+touchLua)
	rotateScript = newScript("", sharedLua+rotateLua)
	deleteScript = newScript("allow-oom", sharedLua+deleteLua)
	revokeScript = newScript("allow-oom", sharedLua+revokeLua)
	userScript   = newScript("no-writes", sharedLua+userLua)
)

func newScript(flags, text string) *script {
	head := "#!lua\n"
	if flags != "" {
		head = "#!lua flags=" + flags + "\n"
	}
	text = head + text
	sum := sha1.Sum([]byte(text))
	return &script{text, hex.EncodeToString(sum[:])}
}

// command returns the call of the script by its name, and byText that which also teaches it to the
// server.
func (s *script) command(keys, args []string) Command {
	return Command{Name: "EVALSHA", Before: []string{s.sha, strconv.Itoa(len(keys))}, Keys: keys, After: args}
}

func (s *script) byText(keys, args []string) Command {
	return Command{Name: "EVAL", Before: []string{s.text, strconv.Itoa(len(keys))}, Keys: keys, After: args}
}
