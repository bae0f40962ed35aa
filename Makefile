# make demo, make test: each sets itself up on a machine with Python, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a worker for each core, with one thread (conftest.py); neighbouring tests, which share fixtures, stay together
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test fast torture lint clean

demo: $(VENV)/installed
	$(BIN)/simulacra recipe digits-vae
	@echo "To put simulacra on the path of this shell: . $(BIN)/activate"

test: lint
	$(PYTEST)

# the tests without the slow ones
fast: lint
	$(PYTEST) -m "not slow and not torture"

# the tests that take minutes each, with what they counted
torture: $(VENV)/developing
	$(PYTEST) -m torture -rP

lint: $(VENV)/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/developing: $(VENV)/installed
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
