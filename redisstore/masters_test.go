package redisstore

import (
	"context"
	"errors"
	"testing"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

// told is a node that answers ROLE and CLUSTER NODES, or cannot be asked.
type told struct {
	role  any
	nodes string
}

func (n told) Pipe(_ context.Context, cmds ...[]string) ([]any, error) {
	switch {
	case n.role == nil:
		return nil, errors.New("dial")
	case cmds[0][0] == "ROLE":
		return []any{n.role}, nil
	}
	return []any{n.nodes}, nil
}

// TestMasters has nodes of which some cannot be asked, or do not tell.
func TestMasters(t *testing.T) {
	const other = "b h:2@12 master - 0 0 2 connected 8192-16383\n"
	const empty = "d h:4@14 master - 0 0 4 connected\n"
	const replica = "c h:3@13 slave,fail a 0 0 1 disconnected\n"
	master, slave := []any{"master", int64(0)}, []any{"slave", "h"}
	a := told{master, "a h:1@11 myself,master - 0 0 1 connected 0-8191 [5->-b]\n" + other + empty + replica}
	b := told{master, "a h:1@11 master - 0 0 1 connected 0-8191\nb h:2@12 myself,master - 0 0 2 connected 8192-16383\n" + empty + replica}
	d := told{master, "d h:4@14 myself,master - 0 0 4 connected\na h:1@11 master - 0 0 1 connected 0-8191\n" + other}
	one := told{master, "a h:1@11 myself,master - 0 0 1 connected 0-16383\n"}
	gone, refused := told{}, told{role: &lua.ServerError{Text: "NOPERM"}}
	for what, c := range map[string]struct {
		nodes   []lua.Node
		cluster bool
		want    int // -1 = an error
	}{
		"all there":                   {[]lua.Node{a, b, told{role: slave}}, true, 2},
		"a replica is gone":           {[]lua.Node{gone, a, b}, true, 2},
		"a replica does not tell":     {[]lua.Node{a, refused, b}, true, 2},
		"a master is gone":            {[]lua.Node{a, gone}, true, -1},
		"a master that has slots":     {[]lua.Node{a, gone, d}, true, -1},
		"no node says CLUSTER NODES":  {[]lua.Node{told{role: master}, gone}, true, -1},
		"the only master, no replica": {[]lua.Node{one, gone}, false, 1},
		"the only node is gone":       {[]lua.Node{gone}, false, -1},
		"the only node does not tell": {[]lua.Node{refused}, false, -1},
		"a replica alone":             {[]lua.Node{told{role: slave}}, false, -1},
	} {
		found, err := masters(t.Context(), c.nodes, c.cluster)
		if c.want < 0 && err == nil || c.want >= 0 && (err != nil || len(found) != c.want) {
			t.Errorf("%s: %d masters, %v; want %d", what, len(found), err, c.want)
		}
	}
}
