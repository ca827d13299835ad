package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/address"
)

// Open makes a Store for the servers at an address, to which it connects, with a client of rueidis
// at its defaults:
//
//	redis://user:password@host:port/number      one server; the number of the database may be left out
//	rediss://…                                  the same over TLS
//	redis-cluster://host:port,host:port,…       some nodes of a cluster
//	redis-sentinel://host:port,…/name           Sentinel, which knows the master by name
//
// For other settings make a client and call [New]. Call Close at the end. Errors, which do not show
// the address: [store.ErrUnavailable] if no server answers; an address or option without a meaning.
func Open(address string, opts *Options) (*Store, error) {
	o, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("redisstore: open: %w: %w", store.ErrUnavailable, err)
	}
	s, err := lua.New(owned{rueidisDriver{client}}, opts)
	if err != nil {
		client.Close()
	}
	return s, err
}

// parse reads an address.
func parse(text string) (o rueidis.ClientOption, err error) {
	a, err := address.Parse(text)
	if err != nil {
		return o, err
	}
	o.Username = a.User.Username()
	o.Password, _ = a.User.Password()
	o.InitAddress = a.At("6379")
	path := strings.Trim(a.Path, "/")
	one := a.Scheme == "redis" || a.Scheme == "rediss"
	switch {
	case a.RawQuery != "" || a.Fragment != "":
		return o, errors.New("the address has parameters, and there are none")
	case one && len(a.Hosts) > 1:
		return o, errors.New("the address names several hosts: redis-cluster:// and redis-sentinel:// do")
	case one && path != "":
		if o.SelectDB, err = strconv.Atoi(path); err != nil || o.SelectDB < 0 {
			return o, fmt.Errorf("%q is not the number of a database", path)
		}
	case a.Scheme == "redis-sentinel" && path == "":
		return o, errors.New("redis-sentinel://host:port,…/NAME needs the name that the sentinels know the master by")
	case a.Scheme == "redis-sentinel":
		o.InitAddress, o.Sentinel.MasterSet = a.At("26379"), path
	case a.Scheme == "redis-cluster" && path != "":
		return o, errors.New("a cluster has no numbered databases")
	case !one && a.Scheme != "redis-cluster":
		return o, errors.New("the address begins with none of redis://, rediss://, redis-cluster:// and redis-sentinel://")
	}
	o.ForceSingleClient = one
	if a.Scheme == "rediss" {
		o.TLSConfig = &tls.Config{ServerName: a.Hostname()}
	}
	return o, nil
}

// owned is a client that Open has made.
type owned struct{ rueidisDriver }

func (d owned) Close() error {
	d.client.Close()
	return nil
}
