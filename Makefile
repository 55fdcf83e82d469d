# make setup · make repro · make test · make lint · make bench · make ui · make params · make lock
PYTHON ?= python3
BIN := .venv/bin
# What a stamp tells: the packages, and where they lie, for a virtual environment cannot move
HERE := $(or $(realpath .venv),$(CURDIR)/.venv)
READY := .venv/.ready-$(shell { echo '$(HERE)'; cat requirements.lock pyproject.toml; } | sha256sum | cut -c1-12)
UV := 0.13.9
# Hashed and host-free, for every Python ≥ 3.11 and every platform at once
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
# Where a machine forbids bytecode, every one of hundreds of processes would compile torch anew: half of its start
unexport PYTHONDONTWRITEBYTECODE

BENCH_READY := .venv-bench/.ready-$(shell { echo '$(HERE)'; cat bench.lock; } | sha256sum | cut -c1-12)

.PHONY: setup repro test lint bench ui params lock
setup: $(READY)

repro: $(READY)
	$(BIN)/fcn run --keep-going

test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# The peers side by side with ours, alone on the machine: a quarter of an hour, then benchmarks/results
bench: $(BENCH_READY)
	.venv-bench/bin/python -m benchmarks

ui: $(READY)
	$(BIN)/fcn ui

# params.yaml as conf/ composes it
params: $(READY)
	$(BIN)/python -m ops.compose

# bench.lock starts from requirements.lock and leaves it only where a peer must
lock: $(READY)
	$(BIN)/$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	cp requirements.lock bench.lock
	$(BIN)/$(COMPILE) --extra bench pyproject.toml --output-file bench.lock

# Its name tells what it was made from. uv comes first and alone; it then takes the registry's CUDA build of torch in half a minute
$(READY):
	rm -rf .venv
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirements requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	rm -f .venv/.ready-* && touch $@

$(BENCH_READY): | $(READY)
	rm -rf .venv-bench
	$(PYTHON) -m venv .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --require-hashes --requirements bench.lock
	rm -f .venv-bench/.ready-* && touch $@
