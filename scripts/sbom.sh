#!/usr/bin/env bash
# sbom.sh builds every program of this repository but its own tools into bin/, and writes beside each what is in it:
# bin/NAME.cdx.json, a software bill of materials in CycloneDX's form, read from the binary itself.
set -euo pipefail
cd "$(dirname "$0")/.."

GOWORK=off go build -C tools -o ../bin/ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
version=$(git describe --tags --always --match 'v*' 2>/dev/null || echo unknown)
while IFS= read -r dir; do
	while read -r name package; do
		[ "$name" = main ] || continue
		program=$(sed 's|^[^/]*/[^/]*/sojourn/||; s|/|-|g' <<<"$package")
		printf -- '-- %s\n' "$program"
		(cd "$dir" && GOWORK=off go build -trimpath -o "$OLDPWD/bin/$program" "$package")
		bin/cyclonedx-gomod bin -json -licenses -version "$version" -output "bin/$program.cdx.json" "bin/$program" 2>"bin/$program.log" ||
			{ cat "bin/$program.log" >&2 && exit 1; }
		rm "bin/$program.log"
	done < <(cd "$dir" && GOWORK=off go list -f '{{.Name}} {{.ImportPath}}' ./...)
done < <(GOWORK= go list -m -f '{{.Dir}}' | grep -v '/tools$')
