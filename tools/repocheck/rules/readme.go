package rules

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

var fileComment = regexp.MustCompile(`^<!--\s*file:\s*(\S+)\s*-->$`)

// Readme keeps the code of pages compiling: a go block under a comment "<!-- file: path -->" equals
// that file, from its package clause on. In the README each block has one.
func Readme(r *Repo) []Finding {
	text, err := os.ReadFile(filepath.Join(r.Root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{"README.md", "does not exist"}}
	}
	if err != nil {
		return []Finding{{"README.md", err.Error()}}
	}
	found := r.compareBlocks("README.md", string(text))
	for _, name := range r.Pages {
		if name == "README.md" {
			continue
		}
		lines, err := r.lines(name)
		if err != nil {
			found = append(found, Finding{name, err.Error()})
			continue
		}
		found = append(found, r.compareBlocks(name, strings.Join(lines, "\n"))...)
	}
	return found
}

// compareBlocks finds the blocks of a page that are not as they should be.
func (r *Repo) compareBlocks(page, text string) []Finding {
	var found []Finding
	for _, b := range goBlocks(text) {
		if b.file == "" && page != "README.md" {
			continue // an excerpt
		}
		if why := r.compareBlock(b); why != "" {
			found = append(found, Finding{fmt.Sprintf("%s:%d", page, b.line), why})
		}
	}
	return found
}

// A block is one fenced block of Go code.
type block struct {
	line   int    // of the opening fence
	file   string // from the comment above, "" if there is none
	code   string
	closed bool
}

func goBlocks(text string) []block {
	var blocks []block
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	above := "" // the last line that was not blank
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		fence := line[:len(line)-len(strings.TrimLeft(line, "`~"))]
		if len(fence) < 3 {
			if line != "" {
				above = line
			}
			continue
		}
		b := block{line: i + 1}
		if m := fileComment.FindStringSubmatch(above); m != nil {
			b.file = m[1]
		}
		var code []string
		for i++; i < len(lines); i++ {
			end := strings.TrimSpace(lines[i])
			if strings.HasPrefix(end, fence) && strings.Trim(end, fence[:1]) == "" {
				b.closed = true
				break
			}
			code = append(code, lines[i])
		}
		b.code = strings.Join(code, "\n") + "\n"
		above = fence
		info := strings.Fields(strings.ToLower(line[len(fence):]))
		if len(info) > 0 && (info[0] == "go" || info[0] == "golang") {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// compareBlock says what is wrong with the block, "" if nothing is.
func (r *Repo) compareBlock(b block) string {
	switch {
	case !b.closed:
		return "the go block has no end"
	case b.file == "":
		return "the go block has no comment <!-- file: path --> above it, so nothing compiles it"
	}
	file := r.file(b.file)
	if file == nil {
		return b.file + " is no Go file of a module here"
	}
	name := filepath.Join(r.Root, filepath.FromSlash(b.file))
	if ok, err := build.Default.MatchFile(filepath.Split(name)); err != nil || !ok {
		return b.file + " is excluded from the build"
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	want, err := format.Source(src[r.packageClause(file.Syntax):])
	if err != nil {
		return b.file + ": " + err.Error()
	}
	got, err := format.Source([]byte(b.code))
	if err != nil {
		return "the go block is not Go: " + err.Error()
	}
	want, got = bytes.TrimSpace(want), bytes.TrimSpace(got)
	if bytes.Equal(want, got) {
		return ""
	}
	return "differs from " + b.file + ", " + firstDifference(string(want), string(got))
}

func (r *Repo) file(name string) *File {
	for _, f := range r.Files {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func (r *Repo) packageClause(f *ast.File) int { return r.fset.Position(f.Package).Offset }

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; i < len(w) && i < len(g); i++ {
		if w[i] != g[i] {
			return fmt.Sprintf("first in line %d of the block: %q, the file has %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("which has %d lines, the block %d", len(w), len(g))
}

// Architecture finds folders with code that docs/architecture.md does not name, nor one above them.
func Architecture(r *Repo) []Finding {
	const page = "docs/architecture.md"
	lines, err := r.lines(page)
	if err != nil {
		return []Finding{{page, err.Error()}}
	}
	text := strings.Join(lines, "\n")
	var found []Finding
	seen := map[string]bool{".": true}
	for _, f := range r.Files {
		named := false
		for d := f.dir(); d != "." && !named; d = path.Dir(d) {
			named = strings.Contains(text, "`"+d+"`")
		}
		if !named && !seen[f.dir()] {
			seen[f.dir()] = true
			found = append(found, Finding{f.dir(), page + " does not say what is in it"})
		}
	}
	return found
}
