# Every target works as the first command of a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
FUZZ_EXAMPLES ?= 300
FUZZED := tests/schema tests/domain tests/tables tests/venues tests/engine/test_lease_machine.py \
	tests/stores/test_store_machine.py

.PHONY: help install demo serve test cover check docs format bench chaos clean
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/.installed  ## create .venv with everything, pinned

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(BENCH_VENV)/.installed: pyproject.toml constraints-bench.txt
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-bench.txt --editable '.[bench]'
	@touch $@

demo: install  ## sandbox + hub + years of real candles, offline, in two minutes
	@$(BIN)/markethub demo

serve: install  ## a hub that stays up, fed by the sandbox
	@$(BIN)/markethub demo --serve

test: install  ## the whole test suite
	@$(BIN)/python -m pytest -n auto --dist worksteal --durations=25

cover: install  ## the same with its coverage; takes half as long again
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

check: install  ## what CI holds: lint, format, types, rooms, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell src tests benchmarks tools docs *.md

docs: install  ## write docs/reference from the code
	@$(BIN)/python -m tools.reference

format: install  ## rewrite what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(BENCH_VENV)/.installed  ## ratios against named baselines; minutes
	@$(BENCH_VENV)/bin/python -m benchmarks

fuzz: install  ## many requests and histories drawn at random; FUZZ_EXAMPLES for each route and machine
	@MARKETHUB_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest $(FUZZED) -n auto --dist worksteal --timeout 3600

chaos: install  ## kill -9 the server again and again; minutes
	@$(BIN)/python -m pytest -m chaos --timeout 1800 -s

clean:  ## remove what the targets made
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .demo
