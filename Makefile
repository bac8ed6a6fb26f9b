# Everything a developer or a machine runs. `make run` and `make test` need git, make and Python >= 3.11 only.
PYTHON ?= python3
BIN := .venv/bin
GRID ?= grids/lengths.yaml

.DEFAULT_GOAL := help
.PHONY: help run test check bench faults scale package lock clean

help:
	@echo "make run     set up, train grids/lengths.yaml (what is missing of it), report"
	@echo "make test    set up, run all tests but the slow ones"
	@echo "make check   format, lint, types, direction of imports"
	@echo "make bench   the benchmarks, side by side"
	@echo "make faults  every fault, the slow ones too"
	@echo "make scale   thousands of trials"
	@echo "make package build wheel and sdist, install each elsewhere, run the quick grid there"
	@echo "make lock    resolve the dependencies anew"

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else \
	    "raysweep needs Python 3.11, 3.12 or 3.13, and %s is %d.%d; try: make PYTHON=python3.12 ..." % (sys.executable, *v))'
	$(PYTHON) -m venv .venv
	@# The lock is complete: without --no-deps pip looks for newer releases first, and stops at one that has no hash here.
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: .venv/ready
	@$(BIN)/raysweep run $(GRID)

test: .venv/ready
	$(BIN)/pytest -m "not slow"

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/ready
	$(BIN)/python -m benchmarks

faults: .venv/ready
	$(BIN)/pytest -m fault

scale: .venv/ready
	$(BIN)/pytest -m scale

package: .venv/ready
	$(BIN)/pytest -m "package or not slow" tests/e2e/test_package.py

# Needs uv; the lock holds versions and hashes for every supported Python, and no address of an index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	    --group dev --output-file requirements.lock --upgrade pyproject.toml

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
