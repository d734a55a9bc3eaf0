# Quorate. `make` alone lists the targets.
#
# One target directory for every clone of this user, and one profile for everything, so that RocksDB
# (some twenty CPU minutes) is compiled once.

SHELL := /bin/bash
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quorate/target

QUORATE := $(CARGO_TARGET_DIR)/release/quorate
DEMO_DIR ?= quorate-demo

.PHONY: help demo test sim mutants fuzz bench chaos chaos-mutants chaos-clean build deps clean-demo

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: build ## build, then start a cluster of real processes on loopback
	@exec $(QUORATE) demo --dir $(DEMO_DIR) $(DEMO_FLAGS)

test: deps ## everything that CI runs: formatting, clippy, all tests
	@.ci/test

sim: deps ## simulate: SEED=7 replays a seed (TELL=1: line by line), SEEDS=0..10000 runs many
	@cargo run --release --locked --quiet --package quorate-sim --bin quorate-sim -- \
		$(or $(SEED),$(SEEDS)) $(if $(TELL),--verbose) $(SIM_FLAGS)

mutants: deps ## plant one bug after the other and show that simulated seeds catch it; BUG=tail-cut SEED=740 replays
	@cargo run --release --locked --quiet --package quorate-sim --features planted-bugs \
		--bin quorate-sim -- $(or $(SEED),$(SEEDS)) --mutants $(or $(BUG),all) \
		$(if $(TELL),--verbose) $(SIM_FLAGS)

fuzz: deps ## every decoder under coverage guidance, FUZZ_TIME seconds each (20)
	@tests/fuzz/run.sh

bench: build ## measure a cluster on this machine; writes docs/bench/
	@cargo bench --locked --profile release --bench cluster -- $(BENCH_FLAGS)
	@cargo bench --locked --profile release --package quorate-gateway --bench public

chaos: deps ## bring faults upon a cluster of real processes: make chaos CHAOS_FLAGS='--duration 20m'
	@cargo build --release --locked --package quorate --package quorate-chaos --bins
	@exec $(CARGO_TARGET_DIR)/release/quorate-chaos $(CHAOS_FLAGS)

chaos-mutants: deps ## plant bugs in real processes and show that chaos catches them; BUG=… plants one
	@cargo build --release --locked --workspace --features planted-bugs --bin quorate --bin quorate-chaos
	@exec $(CARGO_TARGET_DIR)/release/quorate-chaos --mutants $(or $(BUG),all) $(CHAOS_FLAGS)

chaos-clean: ## take away the mounts and files that chaos runs have left
	@cargo run --release --locked --quiet --package quorate-chaos -- --clean

build: deps ## build the `quorate` program
	@cargo build --release --locked --bin quorate

deps: ## install what the build needs beyond Rust, where it is missing
	@deploy/install-build-deps.sh

clean-demo: ## delete the demo's data
	@rm -rf -- $(DEMO_DIR)
	@echo "removed $(DEMO_DIR)"
