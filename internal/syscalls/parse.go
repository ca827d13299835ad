package syscalls

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// traced are the calls that change files, those that sync, and those that say where bytes go. A
// question mark passes over what a machine does not have.
const traced = "lseek,?open,openat,?openat2,?creat,write,pwrite64,writev,pwritev,?pwritev2,?truncate,ftruncate,fallocate," +
	"copy_file_range,?sendfile,fsync,fdatasync,?rename,renameat,renameat2,?unlink,unlinkat,?rmdir,?link,linkat," +
	"?mkdir,mkdirat,?utimensat,?chmod,fchmod,fchmodat,?fchmodat2"

// What a mark begins with: it is a write to the null device.
const (
	begins = "begin" // an act
	ends   = "end"   // of the act
	notes  = "note"  // something that a script tells of
)

// Act is what was done between two marks, in the order in which the calls returned.
type Act struct {
	Name  string
	Calls []Call
}

// Syncs counts its syncs.
func (a Act) Syncs() (n int) {
	for _, c := range a.Calls {
		if c.Kind == Sync {
			n++
		}
	}
	return n
}

// Kind is what a call does.
type Kind string

// The kinds. A file's times, mode and length count as its bytes: all are durable by the same sync.
const (
	Make   Kind = "make"   // opens a file that it may have made
	Write  Kind = "write"  // changes bytes, length, times or mode
	Sync   Kind = "sync"   // of a file, or of a folder's names
	Rename Kind = "rename" // of Path to To
	Link   Kind = "link"   // of Path to the new name To
	Remove Kind = "remove" // a name
	Mkdir  Kind = "mkdir"  // a folder
	Note   Kind = "note"   // of the script, in Text
)

// Call is a call that succeeded. Its paths are relative to the script's directory, which is ".".
type Call struct {
	Kind         Kind
	Path, To     string
	Mode         string // in octal, of what Make and Mkdir make, or that a Write sets
	Began, Ended int    // instants
	Text         string // of a Note

	// Bytes are what a Write put At a place; nil where it changed no bytes. Resized says that it,
	// or a Make, gave the file the length At.
	Bytes   []byte
	At      int64
	Resized bool
}

var kinds = map[string]Kind{
	"write": Write, "pwrite64": Write, "writev": Write, "pwritev": Write, "pwritev2": Write, "truncate": Write,
	"ftruncate": Write, "fallocate": Write, "utimensat": Write, "chmod": Write, "fchmod": Write, "fchmodat": Write, "fchmodat2": Write, "fsync": Sync, "fdatasync": Sync,
	"rename": Rename, "renameat": Rename, "renameat2": Rename, "link": Link, "linkat": Link,
	"unlink": Remove, "unlinkat": Remove, "rmdir": Remove, "mkdir": Mkdir, "mkdirat": Mkdir,
}

var (
	whole     = regexp.MustCompile(`^\d+ +(\w+)\((.*)\) += (-?\d+)`)
	cut       = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed   = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)`)
	arguments = regexp.MustCompile(`(?:AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?|"((?:[^"\\]|\\.)*)"`)
	modes     = regexp.MustCompile(`, (0\d+)$`)
)

// parse reads what strace has written. A call that another thread interrupts stands there twice: it
// begins with the first line and ends with the second one.
func parse(text, dir string) (acts []Act, err error) {
	type half struct {
		args  string
		began int
	}
	halves := map[string]half{}
	places := places{}
	within := false
	var long texts
	for n, line := range strings.Split(text, "\n") {
		line = long.hide(line)
		var name, args, result string
		began := n
		if m := whole.FindStringSubmatch(line); m != nil {
			name, args, result = m[1], m[2], m[3]
		} else if m := cut.FindStringSubmatch(line); m != nil {
			halves[m[1]] = half{m[3], n}
			continue
		} else if m := resumed.FindStringSubmatch(line); m != nil {
			h := halves[m[1]]
			name, args, result, began = m[2], h.args+m[3], m[4], h.began
		} else {
			continue // the end of a thread, or of a call that it did not live to see
		}
		r, err := strconv.ParseInt(result, 10, 64)
		if err != nil || r < 0 {
			continue
		}
		paths := pathsOf(args)
		var call Call
		if name == "write" && len(paths) > 1 && paths[0] == os.DevNull {
			what, act, _ := strings.Cut(long.of(paths[1]), " ")
			switch what {
			case begins:
				acts = append(acts, Act{Name: act})
				within = true
				continue
			case ends:
				within = false
				continue
			case notes:
				call = Call{Kind: Note, Text: act}
			default:
				return nil, fmt.Errorf("strace: not a mark: %s", line)
			}
		} else {
			ok := false
			if call, ok, err = read(name, args, paths, dir); err == nil {
				err = places.set(&call, ok, name, args, r, long)
			}
			if err != nil {
				return nil, fmt.Errorf("strace: %w: %s", err, line)
			}
			if !ok {
				continue
			}
		}
		if !within { // of a thread in the background, between two acts
			acts = append(acts, Act{})
			within = true
		}
		call.Began, call.Ended = began+1, n+1
		last := &acts[len(acts)-1]
		last.Calls = append(last.Calls, call)
	}
	return acts, nil
}

// pathsOf gives the paths of descriptors, and strings.
func pathsOf(args string) (paths []string) {
	for _, m := range arguments.FindAllStringSubmatch(args, -1) {
		paths = append(paths, m[1]+m[2]) // one of them is empty
	}
	return paths
}

// read makes a Call. It is not ok where the call is not about the directory's files.
func read(name, args string, paths []string, dir string) (c Call, ok bool, err error) {
	var at []string
	switch name {
	case "open", "creat", "truncate", "chmod", "rename", "unlink", "rmdir", "link", "mkdir":
		at = paths
	case "openat", "openat2", "unlinkat", "mkdirat", "fchmodat", "fchmodat2":
		at = join(paths, 2)
	case "renameat", "renameat2", "linkat":
		at = join(paths, 4)
	case "utimensat":
		at = join(paths, min(2, len(paths))) // of a descriptor alone, perhaps
	default:
		at = paths[:min(1, len(paths))]
	}
	for i := range at {
		if at[i], ok = below(dir, at[i]); !ok {
			return c, false, nil
		}
	}
	if len(at) == 0 {
		return c, false, nil // of no file: a pipe has no path
	}
	c = Call{Kind: kinds[name], Path: at[0]}
	if m := modes.FindStringSubmatch(strings.TrimSuffix(args, "}")); m != nil {
		c.Mode = m[1]
	}
	switch {
	case name == "lseek":
		return c, false, nil
	case name == "creat", strings.HasPrefix(name, "open"):
		if name != "creat" && !strings.Contains(args, "O_CREAT") && !strings.Contains(args, "O_TRUNC") {
			return c, false, nil
		}
		c.Kind = Make
	case c.Kind == Rename, c.Kind == Link:
		if len(at) != 2 {
			return c, false, fmt.Errorf("a %s of %d paths", c.Kind, len(at))
		}
		c.To = at[1]
	case c.Kind == "":
		return c, false, fmt.Errorf("what %s does is not known here", name)
	}
	return c, true, nil
}

// join joins each of n/2 names with the folder before it.
func join(paths []string, n int) (at []string) {
	if n == 1 {
		return paths[:1]
	}
	for i := 0; i+1 < min(n, len(paths)); i += 2 {
		if filepath.IsAbs(paths[i+1]) {
			at = append(at, paths[i+1])
		} else {
			at = append(at, filepath.Join(paths[i], paths[i+1]))
		}
	}
	return at
}

func below(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, filepath.Clean(path))
	return rel, err == nil && filepath.IsLocal(rel)
}

// pattern matches this test alone.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
