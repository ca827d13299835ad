#!/usr/bin/env bash
# each.sh COMMAND... runs the command in every module of go.work. It goes on
# after a failure, so that one run shows everything, and fails in the end.
#
# The modules come from go.work, but each runs without it: so it is built with the
# versions in its own go.mod, as its users build it, and not with the highest
# that any module here asks for.
#
# JOBS=N runs N modules at a time, for commands that mostly wait; what each prints comes when it ends. Those that ALONE
# names come last, one by one.
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

last=()
while IFS= read -r dir; do
	if [ "${JOBS:-1}" -le 1 ]; then
		in_module "$dir" "$@"
		continue
	fi
	if [[ " ${ALONE:-} " == *" .${dir#"$PWD"} "* ]]; then
		last+=("$dir")
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
	later "$dir" "$@" &
done <<<"$list"
wait
for dir in "${last[@]}"; do in_module "$dir" "$@"; done
if [ -s "$scratch/failed" ]; then
	printf 'FAILED in %s: %s\n' "$(paste -sd' ' "$scratch/failed")" "$*" >&2
	exit 1
fi
