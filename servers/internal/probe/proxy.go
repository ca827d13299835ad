package probe

import (
	"context"
	"os/exec"
	"regexp"
)

var version = regexp.MustCompile(`\d+(\.\d+)+`)

// Proxy sees that a proxy accepts connections, and returns the version that the program itself
// tells when it is called with these arguments: an answer over HTTP would be that of the program
// behind it.
func Proxy(ctx context.Context, addr string, argv, env []string) (string, error) {
	short, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	c, err := dial(short, addr)
	if err != nil {
		return "", err
	}
	c.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return version.FindString(string(out)), err
}
