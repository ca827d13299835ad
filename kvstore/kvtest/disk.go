package kvtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SmallDisk mounts a file system of so many MiB until the test ends, and gives a folder on it that
// is not there yet. Where the test may not mount, it is skipped, in words.
func SmallDisk(t *testing.T, mib int) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mib), "tmpfs", at).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED on a disk that is really full: mounting a small one needs root: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return filepath.Join(at, "db")
}
