package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// helper is added to every room. A mutant that is asked whether it is awake leaves a mark, if the
// marks are wanted: a mapped file keeps them, also those of a child process or of one that dies.
const helper = `package %s

import (
	mutantOS__ "os"
	mutantStrconv__ "strconv"
	mutantSyscall__ "syscall"
)

var mutantAwake__, mutantSeen__ = func() (int, []byte) {
	awake, err := mutantStrconv__.Atoi(mutantOS__.Getenv("SOJOURN_MUTANT"))
	if err != nil {
		awake = -1
	}
	f, err := mutantOS__.OpenFile(mutantOS__.Getenv("SOJOURN_MUTANTS_SEEN"), mutantOS__.O_RDWR, 0)
	if err != nil {
		return awake, nil
	}
	defer f.Close()
	seen, err := mutantSyscall__.Mmap(int(f.Fd()), 0, %d, mutantSyscall__.PROT_READ|mutantSyscall__.PROT_WRITE, mutantSyscall__.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return awake, seen
}()

func mutant__(n int) bool {
	if mutantSeen__ != nil {
		mutantSeen__[n] = 1
	}
	return n == mutantAwake__
}

func mutantPick__[T any](n int, changed, own T) T {
	if mutant__(n) {
		return changed
	}
	return own
}
`

// An insertion is text that is woven in at an offset. Of two at one offset the one that closes
// comes first; of two that open, the one that closes last; of two that close, the one that opened
// last.
type insertion struct {
	at, other int
	opens     bool
	id        int
	text      string
}

// weave numbers the mutants of all rooms and writes the changed files below dir. It returns the
// overlay's path and the mutants by number.
func weave(dir string, rooms []*room) (overlay string, all []*mutant, err error) {
	for _, r := range rooms {
		for _, s := range r.sources {
			for _, m := range s.mutants {
				m.id = len(all)
				all = append(all, m)
			}
		}
	}
	replace := map[string]string{}
	write := func(of, text string) error {
		to := filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		replace[of] = to
		return os.WriteFile(to, []byte(text), 0o600)
	}
	for _, r := range rooms {
		if err := write(filepath.Join(r.dir, "mutants__.go"), fmt.Sprintf(helper, r.name, max(len(all), 1))); err != nil {
			return "", nil, err
		}
		for _, s := range r.sources {
			if len(s.mutants) == 0 {
				continue
			}
			if err := write(s.path, woven(s)); err != nil {
				return "", nil, err
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, all, os.WriteFile(overlay, text, 0o600)
}

// woven returns the text of s with its mutants in it, line for line where it was.
func woven(s *source) string {
	var list []insertion
	for _, m := range s.mutants {
		list = append(list,
			insertion{m.pos, m.end, true, m.id, number(m.before, m.id)},
			insertion{m.end, m.pos, false, m.id, number(m.after, m.id)})
	}
	sort.SliceStable(list, func(i, j int) bool { return less(list[i], list[j]) })
	var b strings.Builder
	last := 0
	for _, in := range list {
		b.Write(s.text[last:in.at])
		b.WriteString(in.text)
		last = in.at
	}
	b.Write(s.text[last:])
	return b.String()
}

func less(a, b insertion) bool {
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.opens != b.opens:
		return b.opens
	case a.other != b.other:
		return a.other > b.other
	case a.opens: // of one place: the later mutant is inside
		return a.id < b.id
	}
	return a.id > b.id
}

func number(text string, id int) string {
	if !strings.Contains(text, "%d") {
		return strings.ReplaceAll(text, "%%", "%")
	}
	return fmt.Sprintf(text, id)
}

// byFile returns the mutants of each file, by name.
func byFile(all []*mutant) (names []string, of map[string][]*mutant) {
	of = map[string][]*mutant{}
	for _, m := range all {
		if of[m.file] == nil {
			names = append(names, m.file)
		}
		of[m.file] = append(of[m.file], m)
	}
	slices.Sort(names)
	return names, of
}
