package qsess

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"reflect"
)

// SessData is a session's data: the program's own type, or [VarMap]. Unmarshal is called on an
// empty value from Store.NewSessData, and must survive any bytes.
type SessData interface {
	// Marshal encodes the data.
	Marshal() ([]byte, error)
	// Unmarshal reads what Marshal made.
	Unmarshal([]byte) error
}

// Merger is SessData that two overlapping requests may change. Merge is called on this request's
// data when another request has saved changes since: base is what this request loaded, theirs is
// what is stored now, both as Marshal made them. Afterwards the data is theirs with this request's
// own changes. Package qsess calls it during Save, and more than once if still more requests come
// between.
type Merger interface {
	SessData
	Merge(base, theirs []byte) error
}

// VarMap is the default SessData. It is encoded by gob: register the types of keys and values that
// are not basic ones. Overlapping requests that change different keys both succeed; of two that
// change the same key, the later Save wins.
type VarMap struct {
	Vars map[interface{}]interface{}
}

var _ Merger = (*VarMap)(nil)

func newVarMap() SessData { return &VarMap{Vars: map[any]any{}} }

// Marshal encodes the map.
func (m *VarMap) Marshal() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(m.Vars)
	return b.Bytes(), err
}

// Unmarshal replaces the map by what Marshal encoded, or by an empty one if b is empty. Other bytes
// are an error.
func (m *VarMap) Unmarshal(b []byte) (err error) {
	m.Vars = map[any]any{}
	if len(b) == 0 {
		return nil
	}
	defer func() {
		if recover() != nil { // package gob puts into a map whatever the bytes name as its key
			err = errors.New("qsess: the stored bytes name a key of a type that no map can have")
		}
	}()
	return gob.NewDecoder(bytes.NewReader(b)).Decode(&m.Vars)
}

// Merge is part of [Merger].
func (m *VarMap) Merge(base, theirs []byte) error {
	own, err := m.Marshal()
	if err != nil {
		return err
	}
	var was, is, merged VarMap // all as gob gives them back, so that they compare
	if err := cmp.Or(was.Unmarshal(base), is.Unmarshal(own), merged.Unmarshal(theirs)); err != nil {
		return err
	}
	for k, v := range is.Vars {
		if old, had := was.Vars[k]; !had || !reflect.DeepEqual(old, v) {
			merged.Vars[k] = v
		}
	}
	for k := range was.Vars {
		if _, kept := is.Vars[k]; !kept {
			delete(merged.Vars, k)
		}
	}
	m.Vars = merged.Vars
	return nil
}

// plainVars returns the map of a VarMap, and reports whether it is one that a copy can be compared
// with: its values are basic ones, which nobody can change in place. Reading it from its bytes to
// compare costs far more.
func plainVars(d SessData) (map[any]any, bool) {
	m, ok := d.(*VarMap)
	if !ok || m.Vars == nil {
		return nil, false
	}
	for _, v := range m.Vars {
		switch v.(type) {
		case bool, string, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128:
		default:
			return nil, false
		}
	}
	return m.Vars, true
}

// noSessData is the data of sessions without data.
type noSessData struct{}

func (noSessData) Marshal() ([]byte, error) { return nil, nil }
func (noSessData) Unmarshal([]byte) error   { return nil }

// sameData reports whether two encodings mean the same. Bytes alone do not tell: gob writes maps in
// any order.
func (st *Store) sameData(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if st.NewSessData == nil {
		return true // it has none to change
	}
	x, y := st.NewSessData(), st.NewSessData()
	return x.Unmarshal(a) == nil && y.Unmarshal(b) == nil && reflect.DeepEqual(x, y)
}
