#!/usr/bin/env bash
# vuln.sh runs govulncheck on every module. A vulnerability fails it. A database
# that cannot be reached does not, for that says nothing about the code; but then
# the last line says NOT CHECKED, and .ci/run repeats it.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export GOWORK=off

# The tool is built from its own go.mod, so its version is pinned there.
go build -C tools -o ../bin/ golang.org/x/vuln/cmd/govulncheck || exit 1
db=()
[ -z "${VULNDB:-}" ] || db=(-db "$VULNDB")

list=$(GOWORK= go list -m -f '{{.Dir}}') || exit 1
failed=() unchecked=() reason=
while IFS= read -r dir; do
	name=.${dir#"$root"}
	printf '== %s\n' "$name"
	code=0
	output=$(cd "$dir" && "$root/bin/govulncheck" "${db[@]}" ./... </dev/null 2>&1) || code=$?
	printf '%s\n' "$output"
	[ "$code" -ne 0 ] || continue
	# govulncheck has no exit code of its own for this.
	if [ "$code" -eq 1 ] && [[ $output == *'fetching vulnerabilities: '* ]]; then
		unchecked+=("$name")
		reason=${output##*fetching vulnerabilities: }
	else
		failed+=("$name")
	fi
done <<<"$list"

[ ${#failed[@]} -eq 0 ] || { echo "vuln: FAILED in ${failed[*]}" >&2; exit 1; }
if [ ${#unchecked[@]} -gt 0 ]; then
	echo "vuln: NOT CHECKED: ${unchecked[*]}: the database of vulnerabilities cannot be reached: $reason"
else
	echo "vuln: ok"
fi
