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
	for i := 1; i < MaxChunks; i++ {
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
	n, text, ok := j.chunked(first, most)
	for i := 1; ok && i < n; i++ {
		var values [Max]string
		ok = Values(h, j.ChunkName(i), &values) == 1
		text, ok = j.append(text, values[0], i, ok)
	}
	return text, ok
}

// JoinAll returns what Join may have to choose from where several cookies came of a chunk's name,
// such as of two domains: all texts that chunks make whose first part is first. They are maxTexts
// at most, or none.
func (j *Jar) JoinAll(h http.Header, first string, most int) []string {
	n, text, ok := j.chunked(first, most)
	if !ok {
		return nil
	}
	texts := []string{text}
	for i := 1; i < n; i++ {
		var values [Max]string
		k := Values(h, j.ChunkName(i), &values)
		if k*len(texts) > maxTexts {
			return nil
		}
		var longer []string
		for _, text := range texts {
			for _, v := range values[:k] {
				if text, ok := j.append(text, v, i, true); ok {
					longer = append(longer, text)
				}
			}
		}
		texts = longer
	}
	return texts
}

// maxTexts bounds how often the parts of two cookies of four chunks are tried. Values holds as
// many.
const maxTexts = Max

// chunked reads the value of the cookie itself: how many chunks there are, and the first.
func (j *Jar) chunked(value string, most int) (n int, first string, ok bool) {
	count, first, more := strings.Cut(value, ".")
	if !more {
		return 1, value, len(value) <= j.Room()
	}
	n, _ = strconv.Atoi(count) // what is no number is not spelled as one
	return n, first, n >= 2 && n <= most && count == strconv.Itoa(n)
}

// append puts chunk i behind those before it. All are full but the last, so that there is one way
// to spell a text.
func (j *Jar) append(text, chunk string, i int, ok bool) (string, bool) {
	if !ok || len(text) != i*j.Room() || chunk == "" || len(chunk) > j.Room() {
		return "", false
	}
	return text + chunk, true
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
