package possessions

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// FuzzCodec: the codec writes what encoding/json writes, and reads what that reads, as that reads
// it.
func FuzzCodec(f *testing.F) {
	for _, text := range []string{
		"{}", `{"a":"1"}`, `{"a":"1","b":"2"}`, `{"a":"1","a":"2"}`, `{"a":"\""}`, `{"a":1}`, `{"a":"1",}`, `{,}`, "null", "", `{"a"}`, ` {"a" : "1"}`,
		`{"a":"1"} `, `{"a":"1"}}`, `{"<":"&"}`, "{\"\xff\":\"\u2028\"}", `{"":""}`, "{\"\x7f\":\"\x00\"}", `{"a":"b\`,
	} {
		f.Add([]byte(text), "key", "value", "other")
	}
	f.Add([]byte("{}"), "\xff", "<>", `"\`)
	f.Fuzz(func(t *testing.T, data []byte, k, v, k2 string) {
		var got, want map[string]string
		err, wantErr := codec{}.Decode(data, &got), json.Unmarshal(data, &want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %q, %v, want %q, %v", data, got, err, want, wantErr)
		}
		for _, m := range []map[string]string{nil, {}, {k: v}, {k: v, k2: k, "": v + k2}, got} {
			b, err := codec{}.Append([]byte("front"), &m)
			want, wantErr := json.Marshal(m)
			if err != nil || wantErr != nil || string(b) != "front"+string(want) {
				t.Errorf("%q is written as %q, %v, want %q, %v", m, b, err, want, wantErr)
			}
		}
	})
}

// TestCodecOfOthers: a program's own values beside a session's are those of sojourn.JSON.
func TestCodecOfOthers(t *testing.T) {
	type point struct{ X, Y int }
	var got point
	b, err := codec{}.Append(nil, &point{1, 2})
	if err != nil || string(b) != `{"X":1,"Y":2}` || (codec{}).Decode(b, &got) != nil || got != (point{1, 2}) {
		t.Errorf("%s, %v, %v", b, err, got)
	}
	if _, err := (codec{}).Append(nil, new(func())); err == nil {
		t.Error("a function is written")
	}
	have := map[string]string{"a": "1"}
	if err := (codec{}).Decode([]byte(`{"b":"2"}`), &have); err != nil || len(have) != 2 {
		t.Errorf("into a map that has something: %v, %v", have, err) // as encoding/json does
	}
	_ = sojourn.Codec(codec{})
}

func BenchmarkCodec(b *testing.B) {
	m := map[string]string{"user": "ada", "basket": "seventeen", "seen": "2026-11-27"}
	for name, c := range map[string]sojourn.Codec{"ours": codec{}, "JSON": sojourn.JSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text, err := c.Append(nil, &m)
				var back map[string]string
				if err != nil || c.Decode(text, &back) != nil || len(back) != 3 {
					b.Fatal(err)
				}
			}
		})
	}
}
