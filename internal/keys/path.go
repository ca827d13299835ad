package keys

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks bounds how many links are followed on the way to a file, as kernels do.
const maxLinks = 40

// checkPath follows path as the kernel does and checks each folder and link on the way, for whoever
// can write one of them can put other keys there. Mounts of secrets pass: in those of Kubernetes
// the file is a link into a link (..data), below a folder of mode 1777. It returns what path leads
// to. Errors: [Refused], and the operating system's.
func checkPath(path string) (fs.FileInfo, error) {
	const separator = string(filepath.Separator)
	if !filepath.IsAbs(path) {
		folder, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		path = folder + separator + path // not Join, which takes "link/.." for nothing
	}
	at := filepath.VolumeName(path) + separator
	todo := strings.Split(path[len(filepath.VolumeName(path)):], separator)
	for links := 0; ; {
		info, err := os.Lstat(at)
		if err != nil {
			return nil, err
		}
		if err := checkEntry(at, info); err != nil {
			return nil, err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			if links++; links > maxLinks {
				return nil, refuse("more than %d links lead to it", maxLinks)
			}
			target, err := os.Readlink(at)
			if err != nil {
				return nil, err
			}
			at = filepath.Dir(at)
			if filepath.IsAbs(target) {
				at = filepath.VolumeName(target) + separator
				target = target[len(filepath.VolumeName(target)):]
			}
			todo = append(strings.Split(target, separator), todo...)
		}
		if len(todo) == 0 {
			return info, nil
		}
		at, todo = filepath.Join(at, todo[0]), todo[1:] // "..": at has no link in it, so that this is its parent
	}
}

// checkEntry checks one file, folder or link.
func checkEntry(path string, info fs.FileInfo) error {
	owner, known := ownerOf(info)
	if !known {
		return nil // not Unix: modes there do not say who may write
	}
	return judge(path, info.Mode(), owner, os.Geteuid())
}

// judge says why somebody but root and us may change what path leads to, if so.
func judge(path string, mode fs.FileMode, owner, us int) error {
	kind := "file"
	switch {
	case mode.IsDir():
		kind = "folder"
	case mode.Type() == fs.ModeSymlink:
		kind = "link"
	}
	if owner != 0 && owner != us {
		return refuse("%s %s belongs to user %d, who could put other keys there: give it to root, or to user %d, who runs this program", kind, path, owner, us)
	}
	switch {
	case kind == "folder" && mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0:
		return refuse("folder %s has mode %v, so that anybody can put other keys there: make it a folder that only its owner writes (chmod go-w), or give it the sticky bit (chmod +t)", path, mode)
	case kind == "file" && mode.Perm()&0o022 != 0:
		return refuse("file %s has mode %v, so that others can change the keys: make it a file that only its owner writes (chmod go-w)", path, mode)
	}
	return nil // a link's own mode says nothing
}
