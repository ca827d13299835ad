package rules

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxColumns is the most columns that a line of prose may have. A tab counts for four.
const MaxColumns = 100

// Columns holds the prose of comments and pages at MaxColumns, evenly: each line takes as many
// words as fit. Code, tables, lists in comments, headings and links' addresses stay as they are.
// Run repocheck -fix to have paragraphs wrapped.
func Columns(r *Repo) []Finding {
	var found []Finding
	for _, name := range r.prose() {
		lines, err := r.lines(name)
		if err != nil {
			found = append(found, Finding{name, err.Error()})
			continue
		}
		wrapped := r.wrap(name, lines)
		for i := range lines {
			if i < len(wrapped) && lines[i] == wrapped[i] {
				continue
			}
			if i < len(wrapped) || len(wrapped) < len(lines) {
				where := fmt.Sprintf("%s:%d", name, i+1)
				found = append(found, Finding{where, "the paragraph is not wrapped evenly at 100 columns: repocheck -fix does it"})
			}
			break
		}
	}
	return found
}

// FixColumns wraps the paragraphs of comments and pages.
func FixColumns(r *Repo) error {
	for _, name := range r.prose() {
		lines, err := r.lines(name)
		if err != nil {
			return err
		}
		text := strings.Join(r.wrap(name, lines), "\n") + "\n"
		if text == strings.Join(lines, "\n")+"\n" {
			continue
		}
		if err := os.WriteFile(filepath.Join(r.Root, filepath.FromSlash(name)), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// prose returns the files with text for readers.
func (r *Repo) prose() []string {
	names := append([]string(nil), r.Pages...)
	for _, f := range r.Files {
		names = append(names, f.Name)
	}
	return names
}

// wrap returns the lines of a file with its paragraphs wrapped.
func (r *Repo) wrap(name string, lines []string) []string {
	if strings.HasSuffix(name, ".md") {
		return wrapPage(lines)
	}
	return r.wrapComments(r.file(name), lines)
}

// fill breaks words into lines of at most MaxColumns. The first line begins with first, the others
// with rest.
func fill(words []string, first, rest string) []string {
	line, empty := first, true
	var lines []string
	for _, w := range words {
		if !empty && columns(line)+1+columns(w) > MaxColumns {
			lines = append(lines, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+w, false
	}
	return append(lines, line)
}

func columns(s string) int { return utf8.RuneCountInString(s) + 3*strings.Count(s, "\t") }

// wrapComments wraps the comments of a Go file that have lines of their own.
func (r *Repo) wrapComments(f *File, lines []string) []string {
	var out []string
	at := 0
	for _, group := range f.Syntax.Comments {
		from, to := r.fset.Position(group.Pos()).Line-1, r.fset.Position(group.End()).Line
		indent, _, _ := strings.Cut(lines[from], "//")
		if strings.TrimSpace(indent) != "" || !allSlashes(group) || from < at {
			continue
		}
		out = append(out, lines[at:from]...)
		out = append(out, wrapComment(lines[from:to], indent)...)
		at = to
	}
	return append(out, lines[at:]...)
}

func allSlashes(group *ast.CommentGroup) bool {
	for _, c := range group.List {
		if !strings.HasPrefix(c.Text, "//") {
			return false
		}
	}
	return true
}

// wrapComment wraps the paragraphs of one comment.
func wrapComment(lines []string, indent string) []string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) == 0 {
			return
		}
		if text := strings.Join(paragraph, " "); aligned(paragraph) {
			for _, l := range paragraph {
				out = append(out, indent+"// "+l)
			}
		} else {
			out = append(out, fill(strings.Fields(text), indent+"// ", indent+"// ")...)
		}
		paragraph = nil
	}
	for i, line := range lines {
		text := strings.TrimPrefix(strings.TrimPrefix(line, indent), "//")
		if strings.HasPrefix(text, " Output:") || strings.HasPrefix(text, " Unordered output:") {
			end()
			return append(out, lines[i:]...)
		}
		if !isProse(text) {
			end()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, text[1:])
	}
	end()
	return out
}

var linkTarget = regexp.MustCompile(`^ ?\[[^\]]+\]: \S`)

// isProse reports whether a line of a comment, without its slashes, is part of a paragraph.
func isProse(text string) bool {
	return len(text) > 1 && text[0] == ' ' && text[1] != ' ' && text[1] != '\t' &&
		!strings.HasPrefix(text, " # ") && !strings.HasPrefix(text, " +build") && !linkTarget.MatchString(text)
}

// aligned reports whether a paragraph is laid out by hand.
func aligned(paragraph []string) bool {
	for _, l := range paragraph {
		if strings.Contains(l, "  ") || strings.Contains(l, "\t") || strings.ContainsAny(l, "│─┌└") {
			return true
		}
	}
	return false
}

var (
	listItem  = regexp.MustCompile(`^ *([-*+]|[0-9]+[.)]) +`)
	notInPage = regexp.MustCompile(`^\s*([|#<>]|!\[|-{3,}$|={3,}$|\*{3,}$)`)
	marker    = regexp.MustCompile(`^([-+*=>]|#+|[0-9]+[.)])$`)
)

// wrapPage wraps the paragraphs and list items of a page in Markdown.
func wrapPage(lines []string) []string {
	var out, paragraph []string
	first, rest := "", ""
	end := func() {
		if len(paragraph) == 0 {
			return
		}
		out = append(out, fill(unbroken(strings.Fields(strings.Join(paragraph, " "))), first, rest)...)
		paragraph = nil
	}
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if trimmed == fence {
				fence = ""
			}
			out = append(out, line)
		case strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~"):
			end()
			fence = trimmed[:3]
			out = append(out, line)
		case trimmed == "" || notInPage.MatchString(line) || linkTarget.MatchString(line):
			end()
			if strings.HasPrefix(line, "#") {
				rest = ""
			}
			out = append(out, line)
		case listItem.MatchString(line):
			end()
			first = listItem.FindString(line)
			rest = strings.Repeat(" ", len(first))
			paragraph = []string{line[len(first):]}
		case len(paragraph) > 0:
			paragraph = append(paragraph, line)
		case i > 0 && strings.HasPrefix(line, "    ") && !strings.HasPrefix(rest, "  "):
			out = append(out, line) // code
		default:
			first = line[:len(line)-len(strings.TrimLeft(line, " "))]
			rest = first
			paragraph = []string{line}
		}
	}
	end()
	return out
}

// unbroken joins words that would mean something else at the beginning of a line.
func unbroken(words []string) []string {
	var out []string
	for i, w := range words {
		if i > 0 && marker.MatchString(w) {
			out[len(out)-1] += " " + w
			continue
		}
		out = append(out, w)
	}
	return out
}
