package syscalls

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// places are where descriptors stand in their files. A file that is read through a descriptor and
// written through the same one, without an lseek between, is not followed.
type places map[string]place

type place struct {
	at  int64
	end bool // each write goes to the file's end
}

var (
	descriptor = regexp.MustCompile(`^(\d+)<`)
	number     = regexp.MustCompile(`, (\d+)$`)
	strung     = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// toEnd stands for the end of the file in [Call].At.
const toEnd = -1

// texts are the long strings of a trace. Lines are matched without them: bytes make them long.
type texts []string

// hidden marks the place of a string that is kept elsewhere. strace escapes no # in this way.
const hidden = `\#`

// hide takes the long strings out of a line.
func (t *texts) hide(line string) string {
	if len(line) < 500 {
		return line
	}
	var short strings.Builder
	for {
		open := strings.IndexByte(line, '"')
		if open < 0 {
			short.WriteString(line)
			return short.String()
		}
		end := open + 1
		for end < len(line) && line[end] != '"' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) {
			short.WriteString(line) // it does not end: nothing that strace prints
			return short.String()
		}
		short.WriteString(line[:open])
		if text := line[open+1 : end]; len(text) < 200 {
			short.WriteString(line[open : end+1])
		} else {
			fmt.Fprintf(&short, `"%s%d"`, hidden, len(*t))
			*t = append(*t, text)
		}
		line = line[end+1:]
	}
}

// of returns a string that may be hidden.
func (t texts) of(text string) string {
	if place, ok := strings.CutPrefix(text, hidden); ok {
		if n, err := strconv.Atoi(place); err == nil && n < len(t) {
			return t[n]
		}
	}
	return text
}

// set says which bytes a call put where, if it is about the directory's files. result is what the
// call returned.
func (p places) set(c *Call, ours bool, name, args string, result int64, long texts) error {
	fd := ""
	if m := descriptor.FindStringSubmatch(args); m != nil {
		fd = m[1]
	}
	last := int64(0)
	if m := number.FindStringSubmatch(args); m != nil {
		last, _ = strconv.ParseInt(m[1], 10, 64)
	}
	switch name {
	case "open", "openat", "openat2", "creat":
		p[strconv.FormatInt(result, 10)] = place{end: strings.Contains(args, "O_APPEND")}
		c.Resized = name == "creat" || strings.Contains(args, "O_TRUNC")
	case "lseek":
		p[fd] = place{result, p[fd].end}
	case "ftruncate", "truncate":
		c.At, c.Resized = last, true
	case "fallocate":
		// 0 lengthens the file; other modes keep its length, or do what is not followed.
		if m := lengthens.FindStringSubmatch(args); m != nil {
			from, _ := strconv.ParseInt(m[1], 10, 64)
			c.Bytes, c.At = []byte{}, from+last
		}
	case "write", "writev", "pwrite64", "pwritev":
		if !ours {
			return nil
		}
		var err error
		if c.Bytes, err = bytesOf(args, result, long); err != nil {
			return err
		}
		if c.At = last; strings.HasPrefix(name, "p") {
			return nil
		}
		if c.At = p[fd].at; p[fd].end {
			c.At = toEnd
		}
		p[fd] = place{p[fd].at + result, p[fd].end}
	}
	return nil
}

var lengthens = regexp.MustCompile(`>, 0, (\d+), \d+$`)

// bytesOf gives the first n bytes of the strings in a call's arguments, all of which are written.
func bytesOf(args string, n int64, long texts) ([]byte, error) {
	b := make([]byte, 0, n)
	for _, m := range strung.FindAllStringSubmatch(args[strings.Index(args, ">")+1:], -1) {
		text, err := strconv.Unquote(`"` + long.of(m[1]) + `"`)
		if err != nil {
			return nil, fmt.Errorf("its bytes cannot be read: %w", err)
		}
		b = append(b, text...)
	}
	if int64(len(b)) < n {
		return nil, fmt.Errorf("it wrote %d bytes, of which %d were told", n, len(b))
	}
	return b[:n], nil
}
