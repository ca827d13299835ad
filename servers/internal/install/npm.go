package install

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

// npm downloads a package, such as "axe-core@4.14.1", and puts its files into a folder of that
// name. Nothing of it is run, and npm itself sees that it is what the registry says.
func (i *installer) npm(ctx context.Context, name string) (err error) {
	t := i.board.Task(name, "downloading with npm")
	defer func() { t.End("downloaded", err) }()
	npm, err := programs.Find(programs.Npm)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(i.cache, "npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := run(ctx, nil, nil, append(npm.Argv, "pack", name, "--ignore-scripts", "--pack-destination", work)...); err != nil {
		return err
	}
	packs, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(packs) != 1 {
		return errors.Join(fmt.Errorf("npm packed %d files", len(packs)), err)
	}
	folder := filepath.Join(work, "files")
	if err := untar(packs[0], folder); err != nil {
		return err
	}
	return os.Rename(folder, filepath.Join(i.cache, name))
}

// untar writes the files at the top of a package into a new folder.
func untar(pack, folder string) error {
	f, err := os.Open(pack)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "package/")
		if h.Typeflag != tar.TypeReg || name != filepath.Base(name) {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o644); err != nil {
			return err
		}
	}
}
