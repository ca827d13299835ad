package lua

import (
	"crypto/fips140"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"strconv"
)

// script is a Lua program. Everything that must be atomic is one, and each works within one slot.
// Redis keeps it under a name, the SHA-1 of its text, until it restarts or is told to forget.
type script struct{ text, name string }

var (
	//go:embed shared.lua
	sharedLua string
	//go:embed hot.lua
	hotLua string
	//go:embed get.lua
	getLua string
	//go:embed create.lua
	createLua string
	//go:embed update.lua
	updateLua string
	//go:embed touch.lua
	touchLua string
	//go:embed rotate.lua
	rotateLua string
	//go:embed delete.lua
	deleteLua string
	//go:embed revoke.lua
	revokeLua string
	//go:embed user.lua
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
	var sum [sha1.Size]byte
	// A name protects nothing, so that FIPS 140-only mode need not forbid it.
	fips140.WithoutEnforcement(func() { sum = sha1.Sum([]byte(text)) })
	return &script{text, hex.EncodeToString(sum[:])}
}

// byName returns the call of the script by its name, and byText that which also teaches it to the
// server.
func (s *script) byName(keys, args []string) Command {
	return Command{Name: "EVALSHA", Before: []string{s.name, strconv.Itoa(len(keys))}, Keys: keys, After: args}
}

func (s *script) byText(keys, args []string) Command {
	return Command{Name: "EVAL", Before: []string{s.text, strconv.Itoa(len(keys))}, Keys: keys, After: args}
}
