#!/usr/bin/env bash
# demo.sh [FLAGS] builds the shop and runs it in examples/shop. It builds the program that has the driver of the
# store that --store names, and no other: most of the time of a first build goes into drivers.
set -euo pipefail
cd "$(dirname "$0")/../examples/shop"

address=
for ((i = 1; i <= $#; i++)); do
	case ${!i} in
	-store=* | --store=*) address=${!i#*=} ;;
	-store | --store) next=$((i + 1)) && address=${!next-} ;;
	esac
done
case ${address%%:*} in
redis | rediss | redis-cluster | redis-sentinel) program=./with/redis ;;
postgres | postgresql) program=./with/postgres ;;
mysql | mariadb) program=./with/mysql ;;
cassandra | leveldb | pebble | bbolt | sqlite) program=./with/${address%%:*} ;;
*) program=./ ;; # it needs no driver, or the shop says what is wrong
esac

echo "Building examples/shop, $program; the first time takes up to a minute, with some drivers a few."
shop=${DEMO:-$PWD/../../bin/shop}
GOWORK=off go build -o "$shop" "$program"
exec "$shop" "$@"
