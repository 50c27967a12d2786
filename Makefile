# Two targets do everything on a fresh machine: `make run` and `make test`. All of it lands in .venv and .flux.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 4000
WORKERS ?= 2
JOBS ?= 2
FUNCTIONS ?= examples/quickstart/functions
DATA ?= examples/quickstart/.flux
NATIVE := flux/ipc/_ring.pyx flux/workers/isolate/_bridge.pyx flux/workers/isolate/_v8.h setup.py
SOURCES := flux cli loadtest tests setup.py

.PHONY: run test lint bench clean wheel

run: $(VENV)/.installed
	exec $(BIN)/flux serve --port $(PORT) --workers $(WORKERS) --functions $(FUNCTIONS) --data $(DATA)

# In JOBS processes at once, each with a Postgres of its own; the tests of one file stay together.
test: $(VENV)/.dev
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy flux cli loadtest tests
	PYTHON=$(BIN)/python sh tests/sanitize.sh

# Micro benchmarks; for the comparison with other stacks see docs/LOADTEST.md.
bench: $(VENV)/.dev
	$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only

wheel: $(VENV)/.dev
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find flux -name '*.so' -delete -o -name '*.c' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Flux needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# Everything at the versions of requirements.lock, so that what CI tested is what runs.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml requirements.lock $(NATIVE)
	@# setuptools warns of every editable installation; ours has its folders mapped.
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint requirements.lock --group dev --group load
	@touch $@
