#!/usr/bin/env bash
# older.sh [ARGS...] measures the older APIs beside their originals, in turns in one process. qsess's original is a
# module; that of possessions is measured if POSSESSIONS names a directory with its source. ARGS go to
# go test, for example -bench Map -benchtime 5s.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off

(cd compat/beside && go test -run '^$' -bench . "$@" .)
if [ -z "${POSSESSIONS:-}" ]; then
	echo "possessions: not compared; POSSESSIONS=PATH names the source of the original"
	exit 0
fi

# Its module is made here, so that no go.mod of this repository needs what no registry has.
root=$PWD
original=$(cd "$POSSESSIONS" && pwd)
module=$(mktemp -d)
trap 'rm -rf "$module"' EXIT
cp compat/beside/testdata/possessions/*.go "$module"
cd "$module"
go mod init beside.possessions/compare >/dev/null 2>&1
for dir in . compat/beside compat/possessions compat/qsess compat/qsess/qctxhr compat/qsess/qsldb leveldbstore redisstore redisstore/goredis; do
	path=github.com/sojourn-go/sojourn/$dir
	path=${path%/.}
	go mod edit -require="$path@v0.0.0" -replace="$path=$root/$dir"
done
go mod edit -require=github.com/volatiletech/possessions@v0.0.0 -replace="github.com/volatiletech/possessions=$original"
go mod tidy
go test -run '^$' -bench . "$@" .
