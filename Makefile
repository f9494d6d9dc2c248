# For developers on Linux and macOS; users need no make (README.md, "Without make").
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# exact versions of everything, tools included
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# a process for each core; one that is done takes tests from another's rest
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
export ORT_DISABLE_TELEMETRY = 1
unexport PYTHONDONTWRITEBYTECODE  # hundreds of processes start from the same sources

.PHONY: demo check test lint types clean
.NOTPARALLEL:  # one pip at a time

demo: $(VENV)/demo.stamp
	$(BIN)/python tests/demo.py demo-output

# without PyTorch: the tool alone, and not its slow tests
check: $(VENV)/test.stamp lint
	$(BIN)/mypy colorbatch
	$(PYTEST) -m "not slow" tests/architecture tests/colorbatch

test: $(VENV)/dev.stamp lint types
	$(PYTEST)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/mypy

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[cpu,demo]"
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[test]"
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[dev]"
	touch $@ $(VENV)/test.stamp

clean:
	rm -rf $(VENV) demo-output build dist
