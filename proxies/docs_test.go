package proxies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The documentation shows what the tests drive.
func TestDocumentation(t *testing.T) {
	pages, err := filepath.Glob("../docs/http*.md*")
	if err != nil || len(pages) == 0 {
		t.Fatal("no page: ", err)
	}
	var all strings.Builder
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	files, err := os.ReadDir("conf")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d settings, %v", len(files), err)
	}
	for _, f := range files {
		if !strings.Contains(all.String(), "\n"+conf(t, f.Name())+"```\n") {
			t.Errorf("docs show no conf/%s as it is", f.Name())
		}
	}
}
