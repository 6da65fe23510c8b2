# carbonray: every target sets up what it needs and is safe to run twice.
#   make demo     a small simulated Earth and its year: plants, NO2 hotspots, a city, energy, into out/
#   make test     the tests            make check   ruff, mypy --strict, import contracts
#   make test-slow   killed drivers and nodes, submitted jobs, Ray Train, whole studies: minutes each
#   make bench    peers side by side, into out/bench.json
# PYTHON=... names another Python 3.11; PIP_EXTRA_INDEX_URL is pip's own variable (README: CPU wheels of PyTorch).

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= out
WORKERS ?= 2
# one thread a process: the tests share the cores among themselves and with Ray's workers
SINGLE_THREADED := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

# these start clusters of processes of their own: one after another, once the others are done
SERVERS := ray or radosgw

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check format bench clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -6

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || \
		{ echo "carbonray needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/carbonray demo --out $(OUT)

test: $(STAMP)
	$(SINGLE_THREADED) $(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not ($(SERVERS))" $(PYTEST_ARGS)
	$(SINGLE_THREADED) $(BIN)/python -m pytest -m "($(SERVERS)) and not slow" $(PYTEST_ARGS)

test-slow: $(STAMP)
	$(SINGLE_THREADED) $(BIN)/python -m pytest -n $(WORKERS) -m "slow and not ($(SERVERS))" $(PYTEST_ARGS)
	$(SINGLE_THREADED) $(BIN)/python -m pytest -m "($(SERVERS)) and slow" $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(SINGLE_THREADED) $(BIN)/python -m tests.benchmarks.run --out $(OUT)/bench.json $(BENCH)

clean:
	rm -rf $(OUT) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
