package qstest_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

// Three ways to encode the same data, as examples of SessData and to be compared: by hand, by
// encoding/json, and the default, which is gob. Each benchmark encodes and decodes once;
// bytes/session is the size that is stored.

const note = "This is a note of some forty characters."

// handWritten has a length of one byte before each text.
type handWritten struct {
	UserID         [16]byte
	Username, Note string
}

func (d *handWritten) Marshal() ([]byte, error) {
	if len(d.Username) > 255 || len(d.Note) > 255 {
		return nil, errors.New("text is longer than 255 bytes")
	}
	b := make([]byte, 0, 18+len(d.Username)+len(d.Note))
	b = append(b, d.UserID[:]...)
	for _, s := range []string{d.Username, d.Note} {
		b = append(append(b, byte(len(s))), s...)
	}
	return b, nil
}

func (d *handWritten) Unmarshal(b []byte) error {
	if len(b) < 16 {
		return errors.New("too short")
	}
	b = b[copy(d.UserID[:], b):]
	for _, s := range []*string{&d.Username, &d.Note} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return errors.New("too short")
		}
		end := 1 + int(b[0])
		*s, b = string(b[1:end]), b[end:]
	}
	return nil
}

// inJSON is encoded by encoding/json.
type inJSON struct {
	UserID   [16]byte `json:"uuid"`
	Username string   `json:"username"`
	Note     string   `json:"note"`
}

func (d *inJSON) Marshal() ([]byte, error)   { return json.Marshal(d) }
func (d *inJSON) Unmarshal(raw []byte) error { return json.Unmarshal(raw, d) }

func roundTrip(b *testing.B, make func() qsess.SessData) {
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		d := make()
		raw, err := d.Marshal()
		if err == nil {
			err = d.Unmarshal(raw)
		}
		if err != nil {
			b.Fatal(err)
		}
		size = len(raw)
	}
	b.ReportMetric(float64(size), "bytes/session")
}

func BenchmarkHandWrittenSerializer(b *testing.B) {
	roundTrip(b, func() qsess.SessData { return &handWritten{[16]byte{1}, "Grace H", note} })
}

func BenchmarkJSON(b *testing.B) {
	roundTrip(b, func() qsess.SessData { return &inJSON{[16]byte{1}, "Grace H", note} })
}

func BenchmarkDefaultSafeGob(b *testing.B) {
	roundTrip(b, func() qsess.SessData {
		return &qsess.VarMap{Vars: map[any]any{"userid": "00000000-0000-0000-0000-000000000001", "username": "Grace H", "note": note}}
	})
}

// TestSerializers: what they read is what they wrote.
func TestSerializers(t *testing.T) {
	st, err := qsess.NewMapStore(qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []qsess.SessData{&handWritten{[16]byte{1}, "Grace H", note}, &inJSON{[16]byte{1}, "Grace H", note}} {
		st.NewSessData = func() qsess.SessData {
			if _, ok := d.(*inJSON); ok {
				return new(inJSON)
			}
			return new(handWritten)
		}
		st.AuthType = qsess.TokenAuth
		s := st.NewSession(nil)
		s.Data = d
		if err := s.Save(nil); err != nil {
			t.Fatal(err)
		}
		token, _, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := st.GetTokenSession(token)
		if err != nil {
			t.Fatal(err)
		}
		switch got := back.Data.(type) {
		case *handWritten:
			if *got != *d.(*handWritten) {
				t.Errorf("%+v came back as %+v", d, got)
			}
		case *inJSON:
			if *got != *d.(*inJSON) {
				t.Errorf("%+v came back as %+v", d, got)
			}
		}
	}
}

// TestNothing is what a package does whose tests are all benchmarks.
func TestNothing(t *testing.T) { qstest.TestNothing(t) }
