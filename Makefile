# Everything here needs Go and nothing else, unless its line says so.

# gin's MessagePack is left out of every build: nothing speaks it, and it weighs 6.5 MB.
TAGS := nomsgpack
export TAGS

GO ?= go

# The race detector is the only thing that needs a C compiler.
HASH := \#
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && echo '$(HASH)include <stdlib.h>' | $$($(GO) env CC) -E - >/dev/null 2>&1 && echo -race)

# SQLite is C translated to Go: the detector would watch each of its accesses to memory, at twice the time for the
# tests, and cannot know C's own discipline. Everything written in Go is watched.
WATCHED := $(if $(RACE),$(RACE) -gcflags='modernc.org/sqlite/lib=-race=false')

.DEFAULT_GOAL := help
.PHONY: help build verifier demo test lint vuln bench million torture shots fmt ci

help: ## this list
	@awk -F ': *## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: verifier ## bin/bihuan, static
	CGO_ENABLED=0 $(GO) build -trimpath -tags "$(TAGS)" -o bin/bihuan .

verifier: ## the page that verifies bundles in a browser, as WebAssembly; build and demo embed it
	$(GO) run ./api/verifier/build

demo: verifier ## the whole product with two months of sample life; ARGS='--addr 127.0.0.1:9000'
	CGO_ENABLED=0 $(GO) run -tags "$(TAGS)" . demo $(ARGS)

test: ## every test, with the race detector where there is a C compiler
ifeq ($(RACE),)
	@echo "no C compiler: the tests run without the race detector"
endif
	$(GO) test $(WATCHED) -tags "$(TAGS)" -timeout 40m $(ARGS) ./...

lint: ## golangci-lint, which .ci/run installs
	golangci-lint run

vuln: ## govulncheck, which .ci/run installs; needs its database
	govulncheck -tags "$(TAGS)" ./...

bench: ## speed against the databases' own, sealing, verifying: lines "ratio NAME VALUE" and "figure NAME VALUE"; part of it needs PostgreSQL
	$(GO) test -tags "$(TAGS) bench" -count=1 -timeout 60m -run '^TestBench' -v .
	$(GO) test -tags "$(TAGS) bench" -count=1 -timeout 20m -run '^TestBenchExport$$' -v ./storage

torture: ## 10,000 reminders, receivers that hang and fail, a replica killed every 5 s; three minutes, needs PostgreSQL
	BIHUAN_TEST_TORTURE=10000 $(GO) test -tags "$(TAGS)" -count=1 -timeout 20m -run '^TestTorture$$' -v ./engine/notify

million: ## pages of a ledger of a million projects, in ms; fills 2 GB for each database and takes half an hour
	$(GO) test -tags "$(TAGS) bench" -count=1 -timeout 90m -run '^TestBenchMillion' -v ./storage

shots: ## pictures of every page into shots/, those of the README into shots/readme (docs/shots holds them); needs Chromium
	BIHUAN_SHOTS="$(CURDIR)/shots" BIHUAN_TEST_BROWSER=required $(GO) test -tags "$(TAGS)" -count=1 -timeout 20m -run 'TestShots|TestReadme' ./api/console/browsertest

fmt: ## gofmt
	gofmt -w -s $$($(GO) list -tags "$(TAGS)" -f '{{.Dir}}' ./...)

ci: ## what CI does
	.ci/run
