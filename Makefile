# For developers on Linux and macOS; users need no make (README.md, "Without make").
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# exact versions of everything, tools included
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export ORT_DISABLE_TELEMETRY = 1

.PHONY: demo test lint types clean

demo: $(VENV)/demo.stamp
	$(BIN)/python tests/demo.py demo-output

test: $(VENV)/dev.stamp lint types
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/mypy

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[cpu,demo]"
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo-output build dist
