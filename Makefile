# Every target goes over the modules that go.work lists; see scripts/each.sh.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Without it go fails in a clone that belongs to another user (containers, CI).
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
# How long make fuzz runs each target.
export FUZZTIME ?= 30s
# Servers that are left out, such as mysql,cassandra; see docs/servers.md.
export SKIP ?=

.PHONY: help demo setup servers test quick explore mutants soak bench older fuzz lint vuln tidy sbom release

help: ## list the targets (this is the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s%s\n", $$1, $$2}' Makefile

demo: ## run the example shop and print its address; ARGS=--store=postgres://… builds the driver of that store
	@scripts/demo.sh $(ARGS)

setup: ## install what the tests need and this machine lacks (Debian packages)
	@GOWORK=off go build -C servers -o ../bin/ ./cmd/servers
	@bin/servers install

servers: setup ## bring up every server that the tests need, until Ctrl-C
	@bin/servers up

# What takes longest begins first; faults mostly waits for its servers. make lint vets, so go test need not. SQLite,
# which is C that was made Go, has no memory in common with our code, and takes five times as long under the detector.
# That one package, which has no generic code: code that others instantiate, too, would lose the detector's marks there.
test: setup ## test every module on real servers with the race detector, JOBS=4 at a time; ARGS='-run X' are passed on
	@GOWORK=off go build -C tools -o ../bin/ ./testlines
	@JOBS=$(or $(JOBS),4) FIRST='./faults ./cqlstore . ./sqlitestore ./examples/shop ./mysqlstore ./pgxstore ./redisstore' bin/servers run -- scripts/each.sh go test -vet=off -race -gcflags=modernc.org/sqlite/lib=-race=false -shuffle=on -timeout 40m -json $(ARGS) ./... | bin/testlines

quick: ## test the modules that need no server, without the race detector; ARGS='-run X' are passed on
	@GOWORK=off go build -C tools -o ../bin/ ./testlines
	@JOBS=$(or $(JOBS),3) FIRST=. SERVERS=none scripts/each.sh go test -vet=off -shuffle=on -timeout 20m -json $(ARGS) ./... | bin/testlines

explore: ## try every order in which two requests can meet the store, with every fault; ARGS='-explore.seed 7' are passed on
	@GOWORK=off go test ./internal/explore -run '^TestExplore$$' -count 1 -timeout 0 -v -explore.all $(ARGS)

mutants: ## change the code in 400 places, one at a time, and see whether a test notices; ARGS='-seed 2' or ARGS=memory are passed on
	@GOWORK=off go build -C tools -o ../bin/ ./mutants
	@bin/mutants $(or $(ARGS),-sample 400)
soak: setup ## ACTS=1000000 acts of the law over all engines, with kills, cuts and pauses; SEED=7 repeats what is drawn
	@cd faults && GOWORK=off go test -race -run '^TestHistory$$' -count 1 -timeout 0 -v -args -history.acts $(or $(ACTS),1000000) -history.seed $(or $(SEED),0)

bench: setup ## run every benchmark; ARGS='-bench X' chooses
	@bin/servers run -- scripts/each.sh go test -run '^$$' -bench . -benchmem $(ARGS) ./...

older: ## measure the older APIs beside their originals; POSSESSIONS=path of its source adds that one
	@scripts/older.sh $(ARGS)

fuzz: ## run every fuzz target for FUZZTIME (30s), and count its executions
	@scripts/fuzz.sh

lint: ## gofmt, vet (for windows, darwin, linux/386 and linux/arm64, too), staticcheck, tidy go.mod files and this repository's own rules
	@scripts/lint.sh

vuln: ## look for known vulnerabilities; VULNDB=url names another database
	@scripts/vuln.sh

tidy: ## format the code, tidy every go.mod, and list the tests of each promise
	@gofmt -w .
	@scripts/each.sh go mod tidy
	@GOWORK=off go build -C tools -o ../bin/ ./repocheck && bin/repocheck -fix .

sbom: ## build every program into bin/, and write beside each what is in it (CycloneDX)
	@scripts/sbom.sh

release: ## check and tag all modules, without a push: VERSION=v0.1.0, DRY=1 only checks; see docs/releasing.md
	@GOWORK=off go build -C tools -o ../bin/ ./release
	@bin/release $(if $(DRY),-dry) $(VERSION)
