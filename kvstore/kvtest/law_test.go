package kvtest

import (
	"testing"

	"github.com/sojourn-go/sojourn/kvstore"
)

func TestPowerCut(t *testing.T) { PowerCut(t, 60, NewMachine(nil)) }

// TestWrongEngines proves that the law can be broken.
func TestWrongEngines(t *testing.T) {
	wrong := map[string]func(*Memory) kvstore.Driver{
		"never syncs":           func(m *Memory) kvstore.Driver { return lax{m} },
		"batch is not one step": func(m *Memory) kvstore.Driver { return torn{m} },
		"loses deletions":       func(m *Memory) kvstore.Driver { return undead{m} },
	}
	for name, wrap := range wrong {
		t.Run(name, func(t *testing.T) {
			if _, err := powerCut(t.Context(), 60, NewMachine(wrap)); err == nil {
				t.Error("the law holds for an engine that breaks its word")
			} else {
				t.Log(err)
			}
		})
	}
}

// lax says that everything is on disk.
type lax struct{ *Memory }

func (e lax) Apply(ops []kvstore.Op, _ bool) error { return e.Memory.Apply(ops, false) }

// torn writes each operation by itself, and syncs the last one.
type torn struct{ *Memory }

func (e torn) Apply(ops []kvstore.Op, sync bool) error {
	for i := range ops {
		if err := e.Memory.Apply(ops[i:i+1], sync && i == len(ops)-1); err != nil {
			return err
		}
	}
	return nil
}

// undead forgets now and then to delete.
type undead struct{ *Memory }

func (e undead) Apply(ops []kvstore.Op, sync bool) error {
	var kept []kvstore.Op
	for _, op := range ops {
		if !op.Delete || below(50) > 0 {
			kept = append(kept, op)
		}
	}
	return e.Memory.Apply(kept, sync)
}
