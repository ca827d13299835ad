#!/usr/bin/env bash
# lint.sh runs every static check. It goes on after a failure, so that one run
# shows everything, and fails in the end.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() {
	local title=$1
	shift
	printf -- '-- lint: %s\n' "$title"
	"$@" || failed+=("$title")
}

formatted() {
	local files
	files=$(gofmt -l .) || return 1
	[ -z "$files" ] || { printf 'not formatted: %s\n' $files; return 1; }
}

# The tools are built from their own go.mod, so their versions are pinned there.
GOWORK=off go build -C tools -o ../bin/ ./repocheck ./release honnef.co/go/tools/cmd/staticcheck || exit 1

check gofmt formatted
check 'go vet' scripts/each.sh go vet ./...
check staticcheck scripts/each.sh "$PWD/bin/staticcheck" ./...
check 'go mod tidy' scripts/each.sh go mod tidy -diff
check 'rules of this repository' bin/repocheck .
check 'API since the last release' bin/release -api

if [ ${#failed[@]} -gt 0 ]; then
	(IFS=, && echo "lint: FAILED: ${failed[*]}" >&2)
	exit 1
fi
echo "lint: ok"
