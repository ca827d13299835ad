#!/usr/bin/env bash
# fuzz.sh runs every fuzz target of every module for FUZZTIME (go test can fuzz
# only one at a time), and says in the end how often each was executed. It stops
# at the first that fails. One that was not executed at all is NOT CHECKED, as the
# last line says and .ci/run repeats.
#
# fuzz.sh list prints the targets: folder, package, name.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
time=${FUZZTIME:-30s}
export GOWORK=off

targets() {
	local list dir packages package folder names name
	list=$(GOWORK= go list -m -f '{{.Dir}}')
	while IFS= read -r dir; do
		cd "$dir"
		packages=$(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
		while read -r package folder; do
			# Building a test only to learn that it has no fuzz target takes long, so ask grep first.
			grep -qs '^func Fuzz' "$folder"/*_test.go || continue
			names=$(go test -list '^Fuzz' "$package")
			for name in $(grep '^Fuzz' <<<"$names" || true); do
				printf '%s %s %s\n' "$folder" "$package" "$name"
			done
		done <<<"$packages"
	done <<<"$list"
}

# ended reports whether what failed is only the end of the time. In Go 1.26 a worker's last answer
# may race with it (https://go.dev/issue/75804, mended in 1.27): then go test fails with this one
# line and no input.
ended() {
	[ "$(grep -A 1 '^--- FAIL' "$out" | tail -n 1)" = '    context deadline exceeded' ] && ! grep -q 'Failing input' "$out" || return
	echo "this is the end of the time and no finding: https://go.dev/issue/75804"
}

list=$(targets)
if [ "${1:-}" = list ]; then
	printf '%s\n' "$list"
	exit
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
table=() unchecked=() count=0 sum=0
while read -r folder package name; do
	where=${folder/#"$root"/.}
	printf '== %s %s for %s\n' "$where" "$name" "$time"
	cd "$folder"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" </dev/null | tee "$out" || ended || exit 1
	execs=$(sed -n 's/.* execs: \([0-9]*\) .*/\1/p' "$out" | tail -n 1)
	execs=${execs:-0} # on a busy machine the corpus alone may take all the time
	[ "$execs" -gt 0 ] || unchecked+=("$where $name")
	table+=("$(printf '%12d  %s %s' "$execs" "$where" "$name")")
	count=$((count + 1)) sum=$((sum + execs))
done <<<"$list"
printf '== executions\n'
printf '%s\n' "${table[@]}"
note=
[ ${#unchecked[@]} -eq 0 ] || note="; NOT CHECKED, for FUZZTIME was too short:$(printf ' %s,' "${unchecked[@]}")"
echo "fuzz: $count targets, $sum executions${note%,}"
