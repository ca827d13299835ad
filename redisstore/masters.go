package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

var (
	errNoMaster = errors.New("redisstore: no server says that it is a master")
	errRole     = errors.New("redisstore: no answer to ROLE")
)

// masters picks those of a client's nodes that say they are. One that cannot be asked is left out
// only where it is known to be no master: with Sentinel there is but one, and in a cluster those
// that were reached must be all that hold slots.
func masters(ctx context.Context, nodes []lua.Node, cluster bool) (found []lua.Node, err error) {
	for _, n := range nodes {
		is, failed := isMaster(ctx, n)
		if failed != nil {
			err = failed
		} else if is {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 0 && err == nil:
		return nil, errNoMaster
	case err != nil && (len(found) == 0 || cluster && !complete(ctx, found)):
		return nil, err
	}
	return found, nil
}

func isMaster(ctx context.Context, n lua.Node) (bool, error) {
	answers, err := n.Pipe(ctx, []string{"ROLE"})
	if err != nil {
		return false, err
	}
	switch a := answers[0].(type) {
	case *lua.ServerError:
		return false, a
	case []any:
		if len(a) > 0 {
			return a[0] == "master", nil
		}
	}
	return false, errRole
}

// complete reports whether nodes are all that hold slots of their cluster, as each of them sees it.
func complete(ctx context.Context, nodes []lua.Node) bool {
	reached, known := 0, 0
	for _, n := range nodes {
		answers, err := n.Pipe(ctx, []string{"CLUSTER", "NODES"})
		if err != nil {
			return false
		}
		text, _ := answers[0].(string)
		self, all := holders(text)
		reached, known = reached+self, max(known, all)
	}
	return known > 0 && reached == known
}

// holders counts the masters with slots in an answer to CLUSTER NODES: the node that was asked, and
// all, reachable or not. It is lines of ID, address, flags, master, two times, epoch, link and then
// slots, of which those in brackets are moving.
func holders(text string) (self, all int) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 9 || strings.HasPrefix(f[8], "[") {
			continue
		}
		flags := strings.Split(f[2], ",")
		if !slices.Contains(flags, "master") {
			continue
		}
		all++
		if slices.Contains(flags, "myself") {
			self++
		}
	}
	return self, all
}
