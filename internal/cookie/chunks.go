package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A text that is too long for one cookie is cut into chunks (docs/format.md, section 10): the
// cookie's own value is their number, a dot and the first, and the others stand in cookies named
// with a suffix: ".1", ".2", ".3".

// ChunkName is the name of chunk i, from 1 on.
func (j *Jar) ChunkName(i int) string { return j.Name + "." + strconv.Itoa(i) }

// Room is how many characters of a text fit into one chunk: name, "=" aside, and value share the
// limit; ".3" is the longest chunk's name suffix, "4." the count before the first.
func (j *Jar) Room() int { return MaxBytes - len(j.Name) - 4 }

// Chunks tells in how many cookies a text came, by the last chunk's name. It is 0 where no chunk
// came besides the cookie itself.
func (j *Jar) Chunks(h http.Header) (n int) {
	var values [Max]string
	for i := 1; i < Max && len(h["Cookie"]) > 0; i++ {
		if Values(h, j.ChunkName(i), &values) > 0 {
			n = i + 1
		}
	}
	return n
}

// Join puts the text together whose first part is the value of the cookie itself, out of at most
// most chunks. ok is false for every spelling but SetChunks's. That the parts belong together is
// for the text's own authentication to find out.
func (j *Jar) Join(h http.Header, first string, most int) (text string, ok bool) {
	count, text, chunked := strings.Cut(first, ".")
	if !chunked {
		return first, len(first) <= j.Room()
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 2 || n > most || count != strconv.Itoa(n) {
		return "", false
	}
	for i := 1; i < n; i++ {
		var values [Max]string
		// All are full but the last, so that there is one way to spell a text.
		if len(text) != i*j.Room() || Values(h, j.ChunkName(i), &values) != 1 || values[0] == "" || len(values[0]) > j.Room() {
			return "", false
		}
		text += values[0]
	}
	return text, true
}

// SetChunks sends text in as few cookies as hold it and returns their number, or 0 and sends
// nothing if they are more than most.
func (j *Jar) SetChunks(h http.Header, https bool, text string, most int, life time.Duration) int {
	room := j.Room()
	n := (len(text) + room - 1) / room
	if n > most {
		return 0
	}
	if n == 1 {
		j.Set(h, https, j.Name, text, life)
		return n
	}
	j.Set(h, https, j.Name, strconv.Itoa(n)+"."+text[:room], life)
	for i := 1; i < n; i++ {
		j.Set(h, https, j.ChunkName(i), text[i*room:min(len(text), (i+1)*room)], life)
	}
	return n
}

// RemoveChunks takes the chunks from number from up to, and without, to away from the client.
func (j *Jar) RemoveChunks(h http.Header, https bool, from, to int) {
	for i := from; i < to; i++ {
		j.Set(h, https, j.ChunkName(i), "", Remove)
	}
}
