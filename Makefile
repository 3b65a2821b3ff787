# What one can do here; "make" alone prints this list.
#
#   make run      the demo: a gateway, a portal and an old app, in a few seconds
#   make test     everything a change must pass; the last lines are go test's own
#   make race     the tests of the concurrent packages under the race detector
#   make lint     gofmt, go vet, golangci-lint
#   make fuzz     every fuzz target, one after the other: the readers of what comes
#                 from outside for FUZZTIME (30s), the others for FUZZTIME_OTHERS (5s)
#   make bench    the benchmarks; BENCH=Name for one, COUNT=5 for several rounds
#   make cross    binaries for all platforms in dist/
#   make docs     the generated documents anew
#   make vuln     govulncheck; VULNDB=file:///folder where there is no network
#   make clean    removes what the others leave behind

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 30s
FUZZTIME_OTHERS ?= 5s
BENCH    ?= .
COUNT    ?= 1
ARGS     ?=
TIMEOUT  ?= 12m

BIN   := $(CURDIR)/.parts/bin
SKIPS := $(CURDIR)/artefacts/skipped.txt

# Packages whose code runs in many goroutines at once.
RACE_DIRS := audit challenge gateway identity policy proxy session store

PLATFORMS := linux/amd64 linux/arm64 windows/amd64 darwin/arm64

.PHONY: help run test parts build lint fmt race fuzz bench cross docs vuln clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^Packages whose/,$$d'

run:
	$(GO) run ./cmd/sallyport demo $(ARGS)

# Order: what fails fast comes first, and go test last. With CI=true the fuzz
# targets run too and a missing part is a failure.
test: parts build lint race $(if $(filter true,$(CI)),fuzz)
	@mkdir -p artefacts && rm -f $(SKIPS)
	@SALLYPORT_SKIPS=$(SKIPS) $(GO) test -count=1 -timeout $(TIMEOUT) ./... || { scripts/skipped.sh $(SKIPS); exit 1; }
	@scripts/skipped.sh $(SKIPS)

parts:
	@scripts/install-test-parts.sh

build:
	$(GO) build ./...

lint: fmt
	$(GO) vet ./...
	@if [[ -x $(BIN)/golangci-lint ]]; then \
	  echo "golangci-lint run"; $(BIN)/golangci-lint run ./...; \
	elif [[ "$${CI:-}" == true ]]; then \
	  echo "golangci-lint is missing: make parts" >&2; exit 1; \
	else \
	  echo "SKIPPED: golangci-lint is missing: make parts" >&2; \
	fi

fmt:
	@unformatted=$$(find . -name '*.go' -not -path '*/testdata/*' -not -path '*/node_modules/*' -print0 | xargs -0 gofmt -l); \
	if [[ -n $$unformatted ]]; then printf 'not formatted by gofmt:\n%s\n' "$$unformatted" >&2; exit 1; fi

race:
	@scripts/race.sh $(RACE_DIRS)

fuzz:
	@FUZZTIME=$(FUZZTIME) FUZZTIME_OTHERS=$(FUZZTIME_OTHERS) scripts/fuzz.sh

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout 30m ./...

cross:
	@mkdir -p dist
	@for platform in $(PLATFORMS); do \
	  os=$${platform%/*}; arch=$${platform#*/}; suffix=; \
	  if [[ $$os == windows ]]; then suffix=.exe; fi; \
	  out=dist/sallyport-$$os-$$arch$$suffix; \
	  echo "go build $$out"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' -o $$out ./cmd/sallyport; \
	done

docs:
	$(GO) generate ./...

vuln: parts
	$(BIN)/govulncheck $(if $(VULNDB),-db $(VULNDB)) ./...

clean:
	rm -rf dist artefacts
