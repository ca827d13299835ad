#!/usr/bin/env bash
# each.sh COMMAND... runs the command in every module of go.work. It goes on
# after a failure, so that one run shows everything, and fails in the end.
#
# The modules come from go.work, but each runs without it: so it is built with the
# versions in its own go.mod, as its users build it, and not with the highest
# that any module here asks for.
#
# JOBS=N runs N modules at a time; what each prints comes when it ends. Those that FIRST names begin
# first, for they take longest. SERVERS=none leaves out the modules whose tests need servers.
set -uo pipefail
cd "$(dirname "$0")/.."

list=$(GOWORK= go list -m -f '{{.Dir}}') || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'trap - TERM; kill 0' INT TERM # children in the background do not hear Ctrl-C

# in_module DIR COMMAND...
in_module() {
	local dir=$1 name=.${1#"$PWD"}
	shift
	printf '== %s\n' "$name"
	(cd "$dir" && GOWORK=off "$@" </dev/null) || echo "$name" >>"$scratch/failed"
}

# later is in_module, printed in one piece.
later() {
	local out
	printf '== .%s ...\n' "${1#"$PWD"}" >&2
	out=$(mktemp -p "$scratch")
	in_module "$@" >"$out"
	flock "$scratch" cat "$out"
}

# needs_servers DIR tells whether the module's tests read a variable of the table in docs/servers.md,
# or start servers by themselves.
needs_servers() {
	local variables tests
	variables=$(grep -oE '^\| `[a-z-]+` \| `SOJOURN_[A-Z_]+`' docs/servers.md | grep -oE 'SOJOURN_[A-Z_]+')
	[ -n "$variables" ] || { echo 'each.sh: docs/servers.md lists no variables' >&2; exit 1; }
	grep -qE 'sojourn/servers( |$)' "$1/go.mod" && return
	tests=$(cd "$1" && GOWORK=off go list -f '{{$dir := .Dir}}{{range .TestGoFiles}}{{$dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}}
{{end}}' ./...) || exit 1
	[ -n "$tests" ] && xargs grep -qwF "$variables" <<<"$tests"
}

# ordered gives the modules, those of FIRST before the others.
ordered() {
	local dir
	for dir in ${FIRST:-}; do grep -xF "$(realpath "$dir")" <<<"$list"; done
	while IFS= read -r dir; do
		[[ " ${FIRST:-} " == *" .${dir#"$PWD"} "* ]] || echo "$dir"
	done <<<"$list"
}

while IFS= read -r dir; do
	if [ "${SERVERS:-}" = none ] && needs_servers "$dir"; then
		printf '== .%s: NOT TESTED, for it needs servers\n' "${dir#"$PWD"}"
		continue
	fi
	if [ "${JOBS:-1}" -le 1 ]; then
		in_module "$dir" "$@"
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
	later "$dir" "$@" &
done < <(ordered)
wait
if [ -s "$scratch/failed" ]; then
	printf 'FAILED in %s: %s\n' "$(paste -sd' ' "$scratch/failed")" "$*" >&2
	exit 1
fi
