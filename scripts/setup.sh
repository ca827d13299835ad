#!/usr/bin/env bash
# setup.sh installs the Debian packages that the tests need and that are not
# there: a C compiler for the race detector, and Chromium for the shop's browser test.
set -euo pipefail

packages=()
command -v "${CC:-gcc}" >/dev/null || packages+=(gcc libc6-dev)
command -v chromium >/dev/null || packages+=(chromium)
[ ${#packages[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup: not a Debian system: please install ${packages[*]} yourself" >&2
	exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# An assignment for sudo itself would not reach apt-get; env does.
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >>"$log" 2>&1; }

echo "setup: installing ${packages[*]} with apt-get (a minute or two) ..."
start=$SECONDS
# A stale package list names files that are gone. Where the update fails (no network, one
# dead source) the install may still work, and says best why not.
apt update || echo "setup: apt-get update failed, trying with the old list" >&2
if ! apt install -y --no-install-recommends "${packages[@]}"; then
	cat "$log" >&2
	echo "setup: apt-get could not install ${packages[*]}" >&2
	exit 1
fi
echo "setup: done in $((SECONDS - start)) s"
