package texts

import (
	_ "embed"

	"github.com/sojourn-go/sojourn/tools/mutants/known"
)

//go:embed known.txt
var knownList string

// Equivalents returns the mutants that are known to mean the same as their originals, by the form
// of [ID.String], each with the reason.
func Equivalents() (map[string]string, error) { return known.Read(knownList) }
