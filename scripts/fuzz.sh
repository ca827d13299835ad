#!/usr/bin/env bash
# fuzz.sh runs every fuzz target of every module for FUZZTIME (go test can fuzz
# only one at a time). It stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
time=${FUZZTIME:-30s}
export GOWORK=off

list=$(GOWORK= go list -m -f '{{.Dir}}')
count=0
while IFS= read -r dir; do
	cd "$dir"
	packages=$(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
	while read -r package folder; do
		# Building a test only to learn that it has no fuzz target takes long, so ask grep first.
		grep -qs '^func Fuzz' "$folder"/*_test.go || continue
		targets=$(go test -list '^Fuzz' "$package")
		for target in $(grep '^Fuzz' <<<"$targets" || true); do
			printf '== %s %s for %s\n' "${folder/#"$root"/.}" "$target" "$time"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
			count=$((count + 1))
		done
	done <<<"$packages"
done <<<"$list"
echo "fuzz: $count targets"
