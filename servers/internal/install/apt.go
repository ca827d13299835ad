package install

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/programs"
	"github.com/sojourn-go/sojourn/servers/internal/progress"
)

// reporting runs a command with apt's reports on descriptor 3 among its output. Descriptor 1 itself
// must not be named to apt, which would take it away from the packages' scripts; and sudo closes
// any other.
var reporting = []string{"sh", "-c", `exec "$@" 3>&1`, "sh"}

// system installs packages on the machine.
func (i *installer) system(ctx context.Context, packages []string) (err error) {
	t := i.board.Task("packages", "installing "+strings.Join(packages, " ")+" with apt-get")
	defer func() { t.End("installed", err) }()
	var root []string
	if os.Geteuid() != 0 {
		root = []string{"sudo"}
	}
	apt := slices.Concat(root, reporting, []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120"})
	// A stale list names files that are gone. Where the update fails (one dead source) the
	// installation may still work, and says best why not.
	update := run(ctx, nil, nil, slices.Concat(apt, []string{"update"})...)
	install := []string{"-o", "APT::Status-Fd=3", "install", "-y", "--no-install-recommends"}
	if err := run(ctx, t, nil, slices.Concat(apt, install, packages)...); err != nil {
		return errors.Join(err, update)
	}
	return nil
}

// unpack downloads packages with all that they need and unpacks them into the folder of the cache,
// without installing anything. The next release is taken whole, down to the C library; the
// machine's own only as far as the machine lacks it.
func (i *installer) unpack(ctx context.Context, dir string, packages []string) (err error) {
	name := "debian"
	if dir == programs.Next {
		name = dir
	}
	t := i.board.Task(name, "unpacking "+strings.Join(packages, " "))
	defer func() { t.End("unpacked", err) }()
	root := filepath.Join(i.cache, dir)
	work, err := os.MkdirTemp(i.cache, "apt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	env, err := i.aptConfig(dir, work)
	if err != nil {
		return err
	}
	if err := run(ctx, nil, env, "apt-get", "update"); err != nil {
		return err
	}
	install := []string{"apt-get", "-o", "APT::Status-Fd=3", "install", "-y", "--no-install-recommends", "--download-only"}
	if err := run(ctx, t, env, slices.Concat(reporting, install, packages)...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "cache/archives/*.deb"))
	if err != nil || len(debs) == 0 {
		return errors.Join(errors.New("apt-get downloaded nothing"), err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for n, deb := range debs {
		if err := run(ctx, nil, nil, "dpkg-deb", "-x", deb, root); err != nil {
			return err
		}
		t.Set(0.7 + 0.3*float64(n)/float64(len(debs)))
	}
	return nil
}

// aptConfig gives apt-get lists and a cache of its own, so that neither root's rights nor the
// machine's lists are needed. Where to download from stays as the machine has it.
func (i *installer) aptConfig(dir, work string) (env []string, err error) {
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(work, sub), 0o755); err != nil {
			return nil, err
		}
	}
	status := filepath.Join(work, "status")
	lines := []string{
		`Dir::State "` + work + `/state";`, `Dir::State::status "` + status + `";`, `Dir::Cache "` + work + `/cache";`,
		`Acquire::Languages "none";`, `Acquire::Retries "3";`, `APT::Sandbox::User "";`,
		"#clear APT::Update::Post-Invoke;", "#clear APT::Update::Post-Invoke-Success;", "#clear DPkg::Post-Invoke;",
		"#clear DPkg::Pre-Install-Pkgs;",
	}
	installed := i.machine.status
	if dir == programs.Next {
		installed = nil
		list, signed := filepath.Join(work, "sources.list"), ""
		if ring := "/usr/share/keyrings/debian-archive-keyring.gpg"; exists(ring) {
			signed = "[signed-by=" + ring + "] "
		}
		lines = append(lines, `Dir::Etc::sourcelist "`+list+`";`, `Dir::Etc::sourceparts "-";`, `Dir::Etc::preferencesparts "-";`)
		if err := os.WriteFile(list, []byte("deb "+signed+i.machine.mirror+" "+dir+" main\n"), 0o644); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(work, "apt.conf")
	return []string{"APT_CONFIG=" + conf, "DEBIAN_FRONTEND=noninteractive"},
		errors.Join(os.WriteFile(status, installed, 0o644), os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// A machine is what the package system of this one says, read before anything changes it.
type machine struct {
	status []byte // dpkg's list of what is installed
	mirror string // of Debian, "" unless its next release is wanted
}

func readMachine(ctx context.Context, p *plan) (m machine, err error) {
	if len(p.debs[programs.OwnDeb]) > 0 {
		m.status, err = os.ReadFile("/var/lib/dpkg/status")
	}
	if err == nil && len(p.debs[programs.NextDeb]) > 0 {
		m.mirror, err = debianMirror(ctx)
	}
	return m, err
}

// debianMirror is where the machine gets Debian's packages from, as apt-get reads its
// configuration.
func debianMirror(ctx context.Context) (string, error) {
	codename, err := debianCodename()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w\n%s", err, out)
	}
	if mirror := chooseMirror(string(out), codename); mirror != "" {
		return mirror, nil
	}
	return "", errors.New("apt's configuration names no mirror of Debian")
}

// debianCodename is the name of the machine's release of Debian. It fails on another system.
func debianCodename() (string, error) {
	about, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	if !slices.Contains(strings.Split(string(about), "\n"), "ID=debian") {
		return "", errors.New("only Debian's mirrors have its next release, and this is another system")
	}
	_, codename, _ := strings.Cut(string(about), "\nVERSION_CODENAME=")
	codename, _, _ = strings.Cut(codename, "\n")
	return codename, nil
}

// chooseMirror takes the first mirror of a whole release; updates, security fixes and other
// people's packages have mirrors of their own that lack the rest.
func chooseMirror(targets, codename string) string {
	releases := []string{codename, "stable", "oldstable", "testing", "unstable", "sid"}
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) == 3 && f[2] == "main" && slices.Contains(releases, f[1]) {
			return f[0]
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run runs a command and shows its output only when it fails. The task, unless nil, follows apt's
// reports.
func run(ctx context.Context, t *progress.Task, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	// An interrupted apt-get ends in good order, a killed one leaves packages half installed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if t != nil {
		w := &follower{task: t, out: &out}
		cmd.Stdout, cmd.Stderr = w, w
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), errors.Join(ctx.Err(), err), lastLines(out.String(), 60))
	}
	return nil
}

// A follower takes apt's reports ("dlstatus:1:12.5:Retrieving file 3 of 24") out of its output.
type follower struct {
	task *progress.Task
	out  *bytes.Buffer
	rest []byte
}

func (f *follower) Write(b []byte) (int, error) {
	f.rest = append(f.rest, b...)
	for {
		n, line, err := bufio.ScanLines(f.rest, false)
		if n == 0 || err != nil {
			return len(b), err
		}
		f.line(string(line))
		f.rest = f.rest[n:]
	}
}

func (f *follower) line(line string) {
	kind, after, _ := strings.Cut(line, ":")
	parts := strings.SplitN(after, ":", 3)
	if (kind != "dlstatus" && kind != "pmstatus") || len(parts) < 3 {
		f.out.WriteString(line + "\n")
		return
	}
	percent, err := strconv.ParseFloat(parts[1], 64)
	switch {
	case err != nil:
	case kind == "dlstatus":
		f.task.Set(percent / 100 * 0.7)
	default:
		f.task.Set(0.7 + percent/100*0.3)
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
