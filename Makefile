# make demo | make test do all the set-up by themselves; make setup makes the environment alone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= ../shared/data

.PHONY: setup demo test lint types unit oracle bench clean

setup: $(STAMP)

# A new pyproject or constraints file installs again; the environment itself is kept.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Hounsfield needs Python 3.11 or newer; make PYTHON=/path/to/python3.11 names another."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv; \
	  else echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; fi; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/hounsfield demo --out runs/demo

test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

# One thread a worker: the workers themselves fill the cores. Each takes files that lie together, so that what several
# tests share is made once, and whoever is done takes from the others.
unit: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

# Radiomic features against MIRP, which pins older libraries and so has an environment of its own.
oracle:
	test -x $(VENV)-oracle/bin/python || $(PYTHON) -m venv $(VENV)-oracle
	$(VENV)-oracle/bin/python -m pip install --quiet --disable-pip-version-check mirp pytest pydantic SimpleITK
	PYTHONPATH=src $(VENV)-oracle/bin/python -m pytest tests/radiomics/test_against_libraries.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks --data $(DATA)

clean:
	rm -rf $(VENV) $(VENV)-oracle runs .pytest_cache .mypy_cache .ruff_cache
