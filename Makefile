# The only door: each target is one line into `python -m harness`, inside .venv/<version>, which it makes first.
# Variables go in as they are: make bench MODEL=yolov5n@320 ROUNDS=3   (python -m harness bench --help explains them)

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv/$(or $(VERSION),none)
HARNESS := $(VENV)/bin/python -m harness
SETUP := $(PYTHON) -m harness.host.setup $(VENV) requirements.txt
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
# Every target is a command, none is a file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile)

help:
	@echo 'usage: make TARGET [VARIABLE=value ...]'
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done
	@echo 'variables: PYTHON PLAN MODEL BACKENDS PRECISIONS BATCH THREADS IO_MEMORY ISSUE_MODES CUDA_GRAPH'
	@echo '           VARIANTS TARGET BUILDS CALIBRATION ROUNDS UNTIL WARMUP ITERATIONS MAX_SECONDS MIN_SECONDS SAMPLING_S'
	@echo '           SEED BASELINE BOARD JETPACK RUN RETRY DRY_RUN SHAPES OLD NEW THRESHOLD TIMES DROP ONLY MODE'
	@echo '           TRIALS MINUTES STRATEGY COST_MODEL FROM SHIP YES REPORT_LANG'
	@echo '           (lists are comma-separated)'

demo: ready  ## the whole job on two small models, in a few minutes
	@$(HARNESS) demo

models: ready  ## generate or fetch every model, and list them
	@$(HARNESS) models

build-engines: ready  ## turn the plan's models into engines
	@$(HARNESS) build-engines

tune: ready  ## search TVM schedules for the plan's models (TRIALS=2000 MINUTES=60), then VARIANTS=untuned,tuned
	@$(HARNESS) tune

tune-merge: ready  ## put tuning records of several machines together (FROM=file-or-folder,...)
	@$(HARNESS) tune-merge

bench: ready  ## measure the plan, or go on with an unfinished run
	@$(HARNESS) bench

report: ready  ## render the newest run (or RUN=name) as Markdown and HTML (REPORT_LANG=ko: in Korean)
	@$(HARNESS) report

compare: ready  ## compare two runs: OLD=run [NEW=run]
	@$(HARNESS) compare

crosscheck: ready  ## hold a run's TensorRT times against NVIDIA's trtexec (RUN=run, or TIMES=file)
	@$(HARNESS) crosscheck

history: ready  ## follow each experiment through all runs; what got slower is flagged (MODEL=, BACKENDS=, ...)
	@$(HARNESS) history

schema: ready  ## print the JSON Schema of every stored record
	@$(HARNESS) schema

selftest: ready  ## try all of it on this board, and print a table to paste into an issue (MODEL=yolov5s)
	@$(HARNESS) selftest

selfbench: ready  ## measure the harness itself (ONLY=part,part)
	@$(HARNESS) selfbench

test: ready-to-develop  ## run the tests
	@$(HARNESS) test

test-docker: ready-to-develop  ## run the tests that need a Docker engine, which they start themselves (as root)
	@$(HARNESS) test-docker

test-gpu: ready-to-develop  ## run the tests that need a CUDA device
	@$(HARNESS) test-gpu

test-rtx: HARNESS := $(VENV)-rtx/bin/python -m harness
test-rtx: ready-for-rtx  ## run the tests that build with TensorRT-RTX, in an environment of their own (Linux on x86-64)
	@$(HARNESS) test-rtx

lint: ready-to-develop  ## check style and likely mistakes
	@$(HARNESS) lint

check: ready-to-develop  ## lint, types and tests
	@$(HARNESS) check

pin: ready  ## resolve a JetPack's base images to digests (JETPACK=5.1.2)
	@$(HARNESS) pin

shell: ready  ## open a shell where workers run (JETPACK=cpu)
	@$(HARNESS) shell

pull: ready  ## fetch what a lost connection left on a board (BOARD=name)
	@$(HARNESS) pull

lock: ready  ## hold a Jetson's clocks still (MODE=name; needs root), saying first what it will run
	@$(HARNESS) lock

unlock: ready  ## set a Jetson's clocks and power mode back to what they were
	@$(HARNESS) unlock

doctor: ready  ## show what this machine offers and lacks
	@$(HARNESS) doctor

clean:  ## remove caches and .venv; never results, engines or models
	@if [ -x $(VENV)/bin/python ]; then $(HARNESS) clean; else echo 'nothing to clean: no $(VENV)'; fi

clean-results: ready  ## remove every run, after asking
	@$(HARNESS) clean-results

clean-engines: ready  ## remove every engine, after asking
	@$(HARNESS) clean-engines

clean-volumes: ready  ## remove the copies of engines and models on a board, after asking (BOARD=name)
	@$(HARNESS) clean-volumes

ready: python
	@$(SETUP)

ready-to-develop: python
	@$(SETUP) requirements-dev.txt

ready-for-rtx: python
	@[ "$$(uname -sm)" = 'Linux x86_64' ] || { echo 'test-rtx: TensorRT-RTX comes for Linux on x86-64 alone' >&2; exit 1; }
	@$(PYTHON) -m harness.host.setup $(VENV)-rtx requirements.txt requirements-dev.txt requirements-rtx.txt

python:
	@$(PYTHON) -c '' 2>/dev/null || { echo 'set-up: there is no $(PYTHON) here; install Python 3.8 or newer, or name one: make demo PYTHON=/path/to/python' >&2; exit 1; }
