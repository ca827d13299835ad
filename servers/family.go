package servers

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// signalFamily sends the signal to the process and to all that descend from it, and returns the
// latter. It looks again until it finds nobody new, for a parent may fork while we look.
func signalFamily(pid int, sig syscall.Signal) (descendants []int) {
	found := descend(pid)
	system.Kill(pid, sig)
	for len(found) > 0 {
		for _, child := range found {
			system.Kill(child, sig)
		}
		descendants = append(descendants, found...)
		found = slices.DeleteFunc(descend(pid), func(child int) bool { return slices.Contains(descendants, child) })
	}
	return descendants
}

// awaitGone waits until none of the processes lives, but not for ever: each was told to die, and
// one that the kernel holds is not ours to wait for.
func awaitGone(pids []int) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		pids = slices.DeleteFunc(pids, func(pid int) bool {
			state, _ := stat(pid)
			return state == 0 || state == 'Z' // a zombie waits for its parent and does nothing
		})
		if len(pids) == 0 {
			return
		}
	}
}

// descend lists the descendants of the process, parents before children.
func descend(pid int) []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	children := map[int][]int{}
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if _, parent := stat(child); parent != 0 {
			children[parent] = append(children[parent], child)
		}
	}
	list := slices.Clone(children[pid])
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list
}

// stat returns the state and the parent of a process, zeros when there is none.
func stat(pid int) (state byte, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	// The program's name stands in parentheses and may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return fields[0][0], parent
}
