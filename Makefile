# Unlearn Studio. `make help` lists what there is; every target begins with set-up, which skips what is done.

PY := .venv/bin/python
OFFSCREEN := QT_QPA_PLATFORM=offscreen

# One torch thread a process. Tests of a file stay together: they share what the file sets up. Files are taken in the
# order of tests/conftest.py. Tests of the window wait more than they compute, so there are more processes than cores.
LOADFILE := --dist loadfile --no-loadscope-reorder
WORKERS := -n 2 $(LOADFILE)
WINDOW_WORKERS := -n 3 $(LOADFILE)

# Tests begin dozens of processes: what they import is compiled once, also where the environment forbids to keep it.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-tests run test check lint types tests-core tests-rest bench screenshots docs translations wheel clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup:  ## make .venv, install everything, check the system libraries Qt needs
	@sh scripts/setup.sh

setup-tests:
	@sh scripts/setup.sh --tests

run: setup  ## start the bundled example; with no display it runs without a window (ARGS="--scheme dark" adds options)
	@$(PY) main.py --example $(ARGS)

test: setup-tests lint types tests-core tests-rest  ## run everything, offscreen (12 to 20 minutes on two cores)

# The tests that finish within a minute: the engine, the methods, the measures, run folders, the look, repository rules.
FAST_TESTS = tests/quality tests/core/engine tests/core/methods tests/core/metrics tests/core/runs tests/core/verify \
	tests/core/test_devices.py tests/app/test_theme.py tests/app/test_actions.py

check: setup lint types  ## lint, types and the fast tests, before every commit (under a minute)
	@$(OFFSCREEN) $(PY) -m pytest -q $(WORKERS) -m "not slow and not gpu" $(FAST_TESTS)

lint: setup  ## ruff, and the import contracts of pyproject.toml
	@$(PY) -m ruff check .
	@.venv/bin/lint-imports --no-cache

types: setup  ## mypy
	@$(PY) -m mypy

# core knows no Qt, and its tests prove it: here PySide6 and pyqtgraph cannot be imported, in child processes neither.
tests-core:
	@PYTHONPATH=tests/quality/without_qt $(PY) -m pytest $(WORKERS) tests/core -p no:pytest-qt $(PYTEST_ARGS)

tests-rest:
	@$(OFFSCREEN) $(PY) -m pytest $(WINDOW_WORKERS) --ignore=tests/core $(PYTEST_ARGS)

bench: setup  ## run all benchmarks and write one page of figures to bench-results/
	@$(OFFSCREEN) $(PY) -m benchmarks

screenshots: setup  ## draw the pictures of README and docs from a real run
	@$(OFFSCREEN) $(PY) -m scripts.screenshots

docs: setup  ## write docs/reference.md from what the program declares
	@$(PY) -m scripts.reference

translations: setup  ## bring resources/translations up to date with the window's texts, and compile them
	@$(PY) -m scripts.translations

wheel: setup  ## build dist/: the wheel that pip, pipx and uv install, and the source archive
	@$(PY) -m hatchling build -d dist

clean:  ## remove .venv and all caches; runs and data stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
