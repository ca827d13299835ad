#!/bin/bash -eu
# Builds every target that make fuzz runs. Names are of folder and target, for targets of different
# packages have the same names.
export GOWORK=off
scripts/fuzz.sh list >"$WORK/targets"
while read -r folder package target; do
	name=${folder#"$PWD"}
	name=${name#/}
	cd "$folder"
	compile_native_go_fuzzer_v2 "$package" "$target" "${name//\//_}_$target"
	cd - >/dev/null
done <"$WORK/targets"
