# Two commands matter: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= out/demo

.PHONY: help install demo test test-external fuzz robustness lint clean
help:                ## Show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: $(VENV)/.installed  ## Make .venv with the tested versions
demo: $(VENV)/.installed     ## The whole chain on a synthetic archive, minutes on a CPU
	$(BIN)/chestct demo --out $(OUT)

test: $(VENV)/.installed-dev ## ruff, mypy --strict, import rules, pytest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -m "not external" -n 2

test-external: $(VENV)/.installed-dev ## Tests that need chromium, dciodvfy or Orthanc
	$(BIN)/pytest -m external

fuzz: $(VENV)/.installed-dev ## 26,000 damaged files against every reader, about ten minutes
	CHESTCT_FUZZ_MUTANTS=2000 $(BIN)/pytest tests/model/volumes/test_hostile.py -k damaged

robustness: $(VENV)/.installed-dev ## All faults, damage, bombs and names against every reader
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.robustness

lint: $(VENV)/.installed-dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# torch goes first and alone: a range of another package must find the pinned build in place.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing chestct and what it needs into $(VENV): some minutes, nothing is printed meanwhile"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[pdf,dicom-sr]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:               ## Remove .venv, out and caches
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
