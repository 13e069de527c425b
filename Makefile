# What people, CI and the README all call. `make help` lists the targets.

SHELL := /bin/bash
EVENKEEL := target/debug/evenkeel
RECORD := $(CURDIR)/target/operations
# Set to 1 where the advisory database can be reached.
DENY_ADVISORIES ?=

.DEFAULT_GOAL := help
.PHONY: help setup up test lint fuzz mutants static terraform-check fmt soak bench-api bench-fleet race-cache-aio
# A target is a way through the whole; two at once would fight for Cargo's lock.
.NOTPARALLEL:

help: ## List the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Install what is missing: PostgreSQL, Redis, a C compiler (apt, as root)
	@scripts/setup

up: setup ## Run everything on this machine: data tier, AWS, the API, the daemon; Ctrl-C ends it
	@cargo build --workspace --locked
	@exec $(EVENKEEL) local up

test: ## Run all tests, with a PostgreSQL and a Redis that end with them
	@scripts/setup --test
	@cargo build --workspace --all-targets --locked
	@target/python/bin/python -m pytest -q tests/clients
	@$(EVENKEEL) local data -- target/python/bin/python -m pytest -q service/tests/description
	@# Tests wait more than they work, so more of them than cores run at once; each takes a Redis database of 15.
	@rm -rf $(RECORD)
	@exec env RUST_TEST_THREADS=$${RUST_TEST_THREADS:-5} EVENKEEL_RECORD=$(RECORD) $(EVENKEEL) local data -- cargo test --workspace --locked
	@# What the daemon has asked of AWS meanwhile, against its policy.
	@exec env EVENKEEL_RECORD=$(RECORD) cargo test --workspace --locked --test policy

lint: ## Check format, lints, the build without `local`, licences, bans and sources
	@scripts/setup --lint
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@# Not among all targets, since it is no test by itself.
	cargo clippy --workspace --test policy --locked -- -D warnings
	cargo clippy -p evenkeel --no-default-features --all-targets --locked -- -D warnings
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deny --all-features check --hide-inclusion-graph licenses bans sources
ifneq ($(DENY_ADVISORIES),)
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deny --all-features check advisories
endif

static: ## Build the images' executables, and run them as a container would: in an empty, read-only root
	@scripts/setup --static
	@cargo build --workspace --locked
	@executables=$$(scripts/static) && scripts/check-static $$executables

fuzz: ## Throw bytes at what reads manifests and AWS's answers; FUZZ_SECONDS=30 for each
	@scripts/setup --fuzz
	@scripts/fuzz

mutants: ## Change `plan`, `diff` and `backoff` in every way, and see whether a test notices; MUTANTS=REGEX for some
	@scripts/setup --mutants
	@scripts/mutants

# HISTORIES=10000 and SOAK_SEED=1: tests/README.md.
soak: ## Check for longer: random histories of the reconciler, then what clients of the API see; HISTORIES=10000, SOAK_SECONDS=600
	@scripts/setup
	@cargo build --workspace --locked
	@env HISTORIES=$(or $(HISTORIES),10000) $(if $(SOAK_SEED),SOAK_SEED=$(SOAK_SEED)) \
		cargo test --workspace --locked --test reconciler -- --nocapture histories::random_histories
	@exec env HISTORY_SECONDS=$(or $(SOAK_SECONDS),600) $(EVENKEEL) local data -- \
		cargo test --workspace --locked --test api -- --nocapture history::nothing_stale

# QUICK=1, ONLY="hit64 new", PEERS="api ceiling", API="[NAME=]PATH[,VARIABLE=VALUE]...", ROUNDS=3 and SECONDS=10: docs/performance.md.
bench-api: ## Measure the API against its peers, about 16 minutes; QUICK=1: less than two
	@scripts/setup --bench
	@exec python3 service/bench/run.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers $(PEERS)) \
		$(if $(API),--api $(API)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

# SIZES="1 10 100": these alone.
bench-fleet: ## Measure the daemon with 1 to 1,000 services in the simulation, about five minutes; SIZES="10000" takes an hour
	@scripts/setup
	@SIZES="$(or $(SIZES),1 10 100 1000)" cargo bench --locked -p simulation --bench fleet

race-cache-aio: ## Show what the client-side cache of redis-rs keeps, which is why the API has its own: service/README.md
	@scripts/setup
	@cargo build --workspace --locked
	@cargo build --quiet --release --locked --manifest-path service/bench/Cargo.toml --target-dir target/bench/cargo --package race-cache-aio
	@exec $(EVENKEEL) local data -- target/bench/cargo/release/race-cache-aio

terraform-check: ## Check terraform/ with its own tools; needs its registry, no account
	terraform -chdir=terraform fmt -check -recursive -diff
	terraform -chdir=terraform init -backend=false -input=false
	terraform -chdir=terraform validate
	terraform -chdir=terraform test

fmt: ## Format the code
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
