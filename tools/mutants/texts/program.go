package texts

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An embedded file stands in a program as it is. So where it is found there once, and its mutant
// has room, the mutant's program is a copy with other bytes: linking one takes more of a processor
// than all its tests do. Every other mutant is built, with go's -overlay.

// program makes the program of a mutant's tests. failed says why there can be none.
func (r *Runner) program(ctx context.Context, m *Mutant, original string, tests Tests, program string) (failed string, err error) {
	mutated := m.Apply(original)
	if filepath.Ext(m.File) != ".go" {
		// The program of the unchanged texts is one folder up.
		b, err := os.ReadFile(filepath.Join(filepath.Dir(program), "..", filepath.Base(program)))
		if err != nil {
			return "", err
		}
		if text, ok := fit(mutated, m.File, len(original)); ok && bytes.Count(b, []byte(original)) == 1 {
			b = bytes.Replace(b, []byte(original), []byte(text), 1)
			return "", os.WriteFile(program, b, 0o700)
		}
	}
	overlay, err := r.overlay(m.File, mutated, filepath.Dir(program))
	if err != nil {
		return "", err
	}
	return r.build(ctx, tests, overlay, program)
}

// fit gives a text another length: with spaces at its end, or without the words of its comments.
func fit(text, file string, size int) (string, bool) {
	syntax := sqlToken
	if filepath.Ext(file) == ".lua" {
		syntax = luaToken
	}
	for i := 0; i < len(text) && len(text) > size; {
		at := syntax.FindStringSubmatchIndex(text[i:])
		switch {
		case at == nil:
			i++
		case at[2] >= 0 && strings.HasPrefix(text[i:], "--"):
			drop := min(at[1]-2, len(text)-size)
			text = text[:i+2] + text[i+2+drop:]
			i += at[1] - drop
		default:
			i += at[1]
		}
	}
	if len(text) > size {
		return "", false
	}
	return text + strings.Repeat(" ", size-len(text)), true
}

// overlay writes a mutant, and what lays it over the tree.
func (r *Runner) overlay(file, mutated, dir string) (string, error) {
	text, overlay := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(text, []byte(mutated), 0o600); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(r.Root, file): text}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, b, 0o600)
}

// building keeps builds, which need processors, from the tests, which need to be in time.
var building = make(chan struct{}, 2)

// build builds a program of tests. failed says why it cannot be built.
func (r *Runner) build(ctx context.Context, tests Tests, overlay, program string) (failed string, err error) {
	building <- struct{}{}
	defer func() { <-building }()
	c := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-overlay="+overlay, "-o", program, ".")
	c.Dir = filepath.Join(r.Root, tests.Dir)
	if out, err := c.CombinedOutput(); err != nil {
		return string(out), ctx.Err()
	}
	return "", nil
}
