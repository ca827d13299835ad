package kvtest

import (
	"testing"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
)

func TestPowerCut(t *testing.T) {
	for d := range store.Loose + 1 {
		PowerCut(t, 60, d, NewMachine(nil))
	}
}

// looser is a machine whose store waits for less than it says.
type looser struct{ Machine }

func (m looser) Start(d store.Durability) (store.Store, error) { return m.Machine.Start(d + 1) }

// TestLooser proves that the law knows the settings apart.
func TestLooser(t *testing.T) {
	for d := range store.Loose {
		if _, err := powerCut(t.Context(), 60, d, looser{NewMachine(nil)}); err == nil {
			t.Errorf("the law of setting %d holds for a store of the next one", d)
		}
	}
}

// TestWrongEngines proves that the law can be broken.
func TestWrongEngines(t *testing.T) {
	wrong := map[string]func(*Memory) kvstore.Driver{
		"never syncs":           func(m *Memory) kvstore.Driver { return lax{m} },
		"batch is not one step": func(m *Memory) kvstore.Driver { return torn{m} },
		"loses deletions":       func(m *Memory) kvstore.Driver { return undead{m} },
	}
	for name, wrap := range wrong {
		t.Run(name, func(t *testing.T) {
			for d := range store.Loose + 1 {
				if _, err := powerCut(t.Context(), 60, d, NewMachine(wrap)); err == nil {
					t.Errorf("the law of setting %d holds for an engine that breaks its word", d)
				} else {
					t.Log(err)
				}
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
