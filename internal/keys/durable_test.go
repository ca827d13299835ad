package keys

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/internal/syscalls"
)

// TestCreateIsDurable (P12) looks at the system calls: a key file is complete and synced before it
// has its name, and has it for ever when Create returns. Nobody else could read it at any time.
func TestCreateIsDurable(t *testing.T) {
	acts := syscalls.Run(t, func(dir string, act func(string, func() error)) {
		act("create", func() error { return Create(filepath.Join(dir, "keys")) })
	})
	disk := syscalls.NewDisk()
	for _, path := range disk.Do(acts[0]) {
		t.Errorf("%s is there before its bytes are durable", path)
	}
	for _, what := range disk.Loses(func(string) bool { return false }, acts[0]) {
		t.Errorf("a power cut may take %s", what)
	}
	var steps []string
	for _, c := range acts[0].Calls {
		name := strings.NewReplacer(filepath.Base(acts[0].Calls[0].Path), "temporary").Replace
		steps = append(steps, strings.TrimSpace(string(c.Kind)+c.Mode+" "+name(c.Path)+" "+name(c.To)))
	}
	const want = "make0600 temporary, write temporary, sync temporary, link temporary keys, remove temporary, sync ."
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("Create does this:\n%s\nand not this:\n%s", got, want)
	}
}
