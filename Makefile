# make demo   installs packages, builds the probe, runs it on a shipped capture and shows what it wrote
# make test   everything that has to hold before a change is merged
# make deps   the packages of both
# make fuzz   runs every fuzz target for FUZZ_SECONDS (60) each; needs cargo-fuzz
# make bench  compares the probe with other flow meters (see docs/benchmarks.md)
#
# Build output lies outside the checkout: CARGO_TARGET_DIR, by default ~/.cache/rockfish/target.

SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(HOME)/.cache/rockfish/target
export PYTHON ?= python3
PROBE := $(CARGO_TARGET_DIR)/release/rockfish_probe
DEMO_CAPTURE ?= tests/data/pcap/seed/mercury-capture2.pcap

.DEFAULT_GOAL := help
.PHONY: help deps build demo test fuzz bench

help:
	@sed -n 's/^# make /make /p' Makefile

deps:
	@scripts/install-packages

build: deps
	cargo build --release --locked -p rockfish-probe

demo: build
	@venv=$$(scripts/venv demo) && "$$venv/bin/python3" scripts/demo.py "$(PROBE)" "$(DEMO_CAPTURE)"

test: deps
	@scripts/test

FUZZ_SECONDS ?= 60
fuzz: deps
	@scripts/fuzz $(FUZZ_SECONDS)

bench: build
	bench/probe/run --probe "$(PROBE)" $(BENCH)
