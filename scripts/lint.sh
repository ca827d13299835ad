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

# elsewhere SYSTEM/PROCESSOR vets all modules for another system, with cgo off as a cross-compiler is
# rarely at hand. One go command does, in the workspace and so with the highest versions that any
# module asks for: it loads and compiles each package once and not for each module.
elsewhere() {
	local list
	list=$(GOWORK= go list -m -f '{{.Dir}}/...') || return 1
	GOWORK= GOOS=${1%/*} GOARCH=${1#*/} CGO_ENABLED=0 go vet $list
}

# The tools are built from their own go.mod, so their versions are pinned there.
GOWORK=off go build -C tools -o ../bin/ ./repocheck ./release honnef.co/go/tools/cmd/staticcheck || exit 1

check gofmt formatted
check 'go vet' scripts/each.sh go vet ./...
for system in windows/amd64 darwin/arm64 linux/386 linux/arm64; do
	check "go vet for $system" elsewhere "$system"
done
check staticcheck scripts/each.sh "$PWD/bin/staticcheck" ./...
check 'go mod tidy' scripts/each.sh go mod tidy -diff
check 'rules of this repository' bin/repocheck .
check 'API since the last release' bin/release -api

if [ ${#failed[@]} -gt 0 ]; then
	(IFS=, && echo "lint: FAILED: ${failed[*]}" >&2)
	exit 1
fi
echo "lint: ok"
