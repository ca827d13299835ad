package shop

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
)

//go:embed web
var web embed.FS

// templates are the pages; each fills the block "main" of layout.html.
var templates = func() map[string]*template.Template {
	funcs := template.FuncMap{
		"ago":   func(t time.Time) string { return ago(time.Since(t)) },
		"money": func(cents int) string { return fmt.Sprintf("€\u00a0%d.%02d", cents/100, cents%100) },
	}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(web, "web/layout.html"))
	files, err := web.ReadDir("web")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, f := range files {
		if name := f.Name(); name != "layout.html" && name != "style.css" {
			all[name] = template.Must(template.Must(layout.Clone()).ParseFS(web, "web/"+name))
		}
	}
	return all
}()

// view is what every page is made from.
type view struct {
	Title   string
	Path    string // of the page, to mark it in the menu
	User    string // "" for a visitor
	InCart  int
	Notices []string
	Sealed  bool
	Kept    string // where sessions are, in words
	Bare    bool   // without menu
	Data    any    // the page's own
}

// render writes a page with the session's part: who is signed in, the cart's size, and what the
// last request left to be said, once.
func (sh *shop) render(w http.ResponseWriter, r *http.Request, s *sojourn.Session, file, title string, data any) error {
	writePage(w, http.StatusOK, file, view{
		Title: title, Path: r.URL.Path, User: s.User(), InCart: cart.Get(s).count(),
		Notices: notices.Take(s), Sealed: sh.sealed, Kept: sh.kept, Data: data,
	})
	return nil
}

func writePage(w http.ResponseWriter, status int, file string, v view) {
	var b bytes.Buffer
	if err := templates[file].Execute(&b, v); err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // a client that went away
}

// back sends the browser on to another page of the shop after a form.
func back(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

func stylesheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, web, "web/style.css")
}

// ago spells a time that has passed.
func ago(d time.Duration) string {
	if d < time.Minute {
		return "just now"
	}
	return inWords(d) + " ago"
}

// inWords spells a duration by its greatest unit, in whole numbers: what is less is left out.
func inWords(d time.Duration) string {
	n, unit := int(d/(24*time.Hour)), "day"
	switch {
	case d < time.Minute:
		n, unit = int(d/time.Second), "second"
	case d < time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < 48*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
