# The routines of a developer. Every one runs in .venv, which `make setup` makes.
BIN ?= .venv/bin/
EXAMPLES ?= 20000

.DEFAULT_GOAL := help
.PHONY: help setup quickstart examples smoke test versions calls random lint format types spelling doctest docs pages hooks check ci clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup:  ## Make .venv with everything a developer needs, at the tested versions
	python3 -m venv .venv
	$(BIN)pip install -c constraints.txt -e ".[dev]"

quickstart:  ## Run the first example
	$(BIN)python examples/plot_quickstart.py

examples:  ## Run the other examples as scripts, without showing figures; `make docs` runs them too
	@set -e; for file in $(filter-out examples/plot_quickstart.py,$(wildcard examples/*.py)); do \
	    echo "$$file"; MPLBACKEND=Agg $(BIN)python -W "ignore:FigureCanvasAgg" $$file; done

smoke:  ## Run the paper's seven networks once, on images that are made up
	$(BIN)python -m benchmarks.studies.paper_table1 --smoke

test:  ## Run the tests, two at a time
	$(BIN)python -m pytest -n 2

calls:  ## Random calls on good and bad data, EXAMPLES=20000 of them: for a night
	EXAMPLES=$(EXAMPLES) $(BIN)python -m pytest -q tests/test_calls.py

versions:  ## The tests with each Python that is here, and with the oldest packages that are allowed
	$(BIN)nox

random:  ## Tests of properties on new random examples, ten times as many as usual
	$(BIN)python -m pytest -n 2 -m hypothesis --hypothesis-profile random

lint:  ## Check style and formatting
	$(BIN)ruff check .
	$(BIN)ruff format --check .

format:  ## Put style and formatting right where ruff can
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

types:  ## Check types
	$(BIN)mypy

spelling:  ## Check spelling
	$(BIN)codespell

doctest:  ## Run the examples in docstrings, docs and README
	$(BIN)python -m pytest -n 2 --doctest-modules sklearn_maxl
	$(BIN)python -m pytest -n 2 --doctest-glob="*.rst" --doctest-glob="README.md" docs README.md

docs:  ## Run the examples and build docs/_build/html; needs no network
	$(BIN)sphinx-build -W --keep-going -j 2 -b html docs docs/_build/html

pages:  ## The same without running examples: quick, but without what they print and draw
	$(BIN)sphinx-build -W --keep-going -j 2 -D plot_gallery=0 -b html docs docs/_build/html

hooks:  ## Run lint, types, spelling and hygiene before every commit
	$(BIN)pre-commit install

check: lint types spelling test doctest docs  ## All of the above that check something

ci:  ## What continuous integration runs, in a fresh environment
	bash .ci/run

clean:  ## Remove what the routines leave behind
	rm -rf build dist docs/_build docs/generated docs/auto_examples .mypy_cache .pytest_cache .ruff_cache .hypothesis *.png examples/*.png optuna.db
