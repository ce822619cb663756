# Two commands set up everything: `make demo` and `make test`. Both make their own virtual environment.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
BIN = $(VENV)/bin
PIP = $(BIN)/pip --disable-pip-version-check
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint types suite coverage fuzz bench docs fit clean help

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mnemos needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.$(EXTRAS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core ## import the sample history and ask it six questions
	@$(BIN)/mnemos demo

test: lint types suite ## linters, type checks and the test suite

lint: $(VENV)/.$(EXTRAS)
	$(BIN)/ruff check src tests tools bench
	$(BIN)/ruff format --check src tests tools bench

types: $(VENV)/.$(EXTRAS)
	$(BIN)/mypy

suite: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m pytest -rs -n auto --dist loadfile

coverage: $(VENV)/.$(EXTRAS) ## the test suite, and which lines it does not reach (a quarter slower)
	$(BIN)/python -m pytest -rs -n auto --dist loadfile --cov=mnemos --cov-report=term:skip-covered

fuzz: $(VENV)/.$(EXTRAS) ## ask every route of a server some hundred questions each (schemathesis, minutes)
	PYTHONPATH=tests:tests/serve $(BIN)/python tests/serve/fuzzing.py --examples 200

bench: $(VENV)/.$(EXTRAS) ## speed and size beside peers (makes an environment for each under .bench/)
	$(BIN)/python bench/run.py

docs: $(VENV)/.$(EXTRAS) ## tables and plots in docs/ and README.md from bench/results, pictures of the console
	$(BIN)/python tools/docs.py
	@if [ -x /usr/bin/chromium ]; then $(BIN)/python tools/screenshots.py; \
	else echo "no /usr/bin/chromium: the pictures of the console stay as they are"; fi

clean: ## remove what the other commands made
	rm -rf $(VENV) .bench .demo build dist .pytest_cache .mypy_cache .ruff_cache .coverage
