package syscalls

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Image is what a folder holds: the bytes of files by their paths in it, and nil for folders.
type Image map[string][]byte

// ReadImage reads a folder.
func ReadImage(dir string) (Image, error) {
	m := Image{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || e.IsDir() {
			m[rel] = nil
			return err
		}
		b, err := os.ReadFile(path)
		m[rel] = append([]byte{}, b...)
		return err
	})
	return m, err
}

// Write writes it into a folder, which it makes.
func (m Image) Write(dir string) error {
	errs := []error{os.Mkdir(dir, 0o700)}
	for _, path := range slices.Sorted(maps.Keys(m)) { // a folder comes before what it holds
		if at := filepath.Join(dir, path); m[path] == nil {
			errs = append(errs, os.Mkdir(at, 0o700))
		} else {
			errs = append(errs, os.WriteFile(at, m[path], 0o600))
		}
	}
	return errors.Join(errs...)
}

// End is an instant after all calls.
const End = math.MaxInt

// Loss says what a power cut takes of what was not synced.
type Loss struct {
	Percent int             // the chance of each write, length and name: 0 keeps all, 100 loses all
	InOrder bool            // what follows a write that is lost, in its file, is lost as well
	Below   func(n int) int // draws a number from 0 to n-1
}

func (l *Loss) takes() bool { return l.Below(100) < l.Percent }

// Cut returns what a folder holds that held before, and to which calls were done until the power
// was cut at an instant. Where the loss is by chance, writes are torn, too. A call that had begun
// by then and not returned may be done. Bytes and names are synced as [Disk] has it; a rename
// within a folder is one change.
func Cut(before Image, calls []Call, at int, loss Loss) (Image, error) {
	root := newFolder()
	for _, path := range slices.Sorted(maps.Keys(before)) {
		n := &node{safe: bytes.Clone(before[path])}
		if before[path] == nil {
			n = newFolder()
		}
		root.find(filepath.Dir(path)).names[filepath.Base(path)] = n
	}
	root.settle()
	for _, c := range calls {
		if c.Began > at || c.Kind == Note || c.Kind == Sync && c.Ended > at {
			continue
		}
		if err := root.do(c); err != nil {
			return nil, err
		}
	}
	after := Image{}
	root.after(after, "", &loss)
	return after, nil
}

// node is a file or a folder: as a cut leaves it at least, and what was done to it since.
type node struct {
	safe   []byte // of a file
	writes []Call

	names     map[string]*node // of a folder, as they are; nil for a file
	safeNames map[string]*node
	changes   []change
}

func newFolder() *node {
	return &node{names: map[string]*node{}, safeNames: map[string]*node{}}
}

// change is one of a folder's names. A rename takes one and gives one.
type change struct {
	takes, gives string
	node         *node
	ended        int
}

func (ch change) apply(names map[string]*node) {
	if ch.takes != "" {
		delete(names, ch.takes)
	}
	if ch.gives != "" {
		names[ch.gives] = ch.node
	}
}

// settle makes everything safe as it is.
func (n *node) settle() {
	n.safeNames = maps.Clone(n.names)
	for _, child := range n.names {
		child.settle()
	}
}

// find returns what has a path, or nil.
func (n *node) find(path string) *node {
	if path == "." {
		return n
	}
	for name := range strings.SplitSeq(path, "/") {
		if n = n.names[name]; n == nil {
			return nil
		}
	}
	return n
}

// do does a call, from the root.
func (n *node) do(c Call) error {
	folder, file, name := n.find(filepath.Dir(c.Path)), n.find(c.Path), filepath.Base(c.Path)
	if folder == nil {
		return fmt.Errorf("%s of %s, whose folder is not there", c.Kind, c.Path)
	}
	set := func(in *node, ch change) {
		ch.ended = c.Ended
		ch.apply(in.names)
		in.changes = append(in.changes, ch)
	}
	switch c.Kind {
	case Make:
		if file == nil {
			file = &node{}
			set(folder, change{gives: name, node: file})
		}
		if c.Resized {
			file.writes = append(file.writes, c)
		}
	case Write:
		if file != nil { // else it has no name any more
			file.writes = append(file.writes, c)
		}
	case Sync:
		if file != nil {
			file.sync(c.Began)
		}
	case Mkdir:
		set(folder, change{gives: name, node: newFolder()})
	case Remove:
		set(folder, change{takes: name})
	case Rename, Link:
		to, as := n.find(filepath.Dir(c.To)), filepath.Base(c.To)
		switch {
		case file == nil || to == nil:
			return fmt.Errorf("%s of %s to %s: one of them is not there", c.Kind, c.Path, c.To)
		case c.Kind == Link:
			set(to, change{gives: as, node: file})
		case to == folder:
			set(to, change{takes: name, gives: as, node: file})
		default:
			set(to, change{gives: as, node: file})
			set(folder, change{takes: name})
		}
	}
	return nil
}

// sync makes safe what was done before it began.
func (n *node) sync(began int) {
	for len(n.writes) > 0 && n.writes[0].Ended < began {
		n.safe = written(n.safe, n.writes[0])
		n.writes = n.writes[1:]
	}
	for len(n.changes) > 0 && n.changes[0].ended < began {
		n.changes[0].apply(n.safeNames)
		n.changes = n.changes[1:]
	}
}

// written does a write to bytes, in place where they have room.
func written(b []byte, c Call) []byte {
	switch {
	case c.Resized:
		b = b[:min(c.At, int64(len(b)))]
	case c.At == toEnd:
		c.At = int64(len(b))
	case c.Bytes == nil:
		return b // times or mode
	}
	if more := c.At + int64(len(c.Bytes)) - int64(len(b)); more > 0 {
		b = append(b, make([]byte, more)...)
	}
	copy(b[c.At:], c.Bytes)
	return b
}

// after puts what is left of a folder into an image.
func (n *node) after(m Image, path string, loss *Loss) {
	names := maps.Clone(n.safeNames)
	for _, ch := range n.changes {
		if !loss.takes() {
			ch.apply(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		child, at := names[name], filepath.Join(path, name)
		if child.names != nil {
			m[at] = nil
			child.after(m, at, loss)
		} else {
			m[at] = child.left(loss)
		}
	}
}

// left returns what is left of a file.
func (n *node) left(loss *Loss) []byte {
	b := append([]byte{}, n.safe...)
	for _, c := range n.writes {
		lost := loss.takes()
		if lost && len(c.Bytes) > 0 && !loss.takes() {
			c.Bytes = c.Bytes[:loss.Below(len(c.Bytes))] // some of it arrived
			b = written(b, c)
		}
		switch {
		case !lost:
			b = written(b, c)
		case loss.InOrder:
			return b
		}
	}
	return b
}
