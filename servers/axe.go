package servers

import "github.com/sojourn-go/sojourn/servers/internal/programs"

// Axe returns the path of axe-core's script, which looks for what keeps people out of a page. A
// browser runs it; "servers install" fetches it. Errors: one that says to run make setup.
func Axe() (string, error) {
	found, err := programs.Find(programs.Axe)
	if err != nil {
		return "", err
	}
	return found.Argv[0], nil
}
