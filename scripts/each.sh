#!/usr/bin/env bash
# each.sh COMMAND... runs the command in every module of go.work. It goes on
# after a failure, so that one run shows everything, and fails in the end.
#
# The modules come from go.work, but each runs without it: so it is built with the
# versions in its own go.mod, as its users build it, and not with the highest
# that any module here asks for.
set -uo pipefail
cd "$(dirname "$0")/.."

list=$(GOWORK= go list -m -f '{{.Dir}}') || exit 1
failed=()
while IFS= read -r dir; do
	name=${dir#"$PWD"}
	printf '== .%s\n' "$name"
	(cd "$dir" && GOWORK=off "$@" </dev/null) || failed+=(".$name")
done <<<"$list"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'FAILED in %s: %s\n' "${failed[*]}" "$*" >&2
	exit 1
fi
