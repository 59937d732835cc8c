# What a person or a CI machine asks of this repository. Each target creates what it needs: a
# virtual environment in .venv, filled from the hash-locked lists in requirements/.
# Progress is told on standard error, so that `make -s demo ARGS=--json` prints JSON only.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

PY    := $(VENV)/bin/python
PIP   := $(PY) -m pip --disable-pip-version-check --no-input
CODE   = $(wildcard src tests benchmarks examples)
STAMP := $(VENV)/.stamp

# Pages with tables drawn from the profiles.
TABLES := README.md docs/delfinance.md

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test check format bench docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP)-demo ## serve the demo bank behind the gate (ARGS="--json --port 8000")
	@exec $(VENV)/bin/guarita demo $(ARGS)

test: $(STAMP)-dev ## run every test (ARGS="-k signature -n auto" goes to pytest)
	@$(PY) -m pytest $(ARGS) || { status=$$?; \
	  [ $$status -ne 5 ] || echo "make test: pytest found no test to run (ARGS: $(ARGS))" >&2; \
	  exit $$status; }

check: $(STAMP)-dev ## format, lint, types, and the generated tables
	@$(PY) -m ruff format --check --quiet --diff .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --strict $(CODE)
	@$(PY) -m guarita.tables --check $(TABLES)

format: $(STAMP)-dev ## rewrite the code as `make check` wants it
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .

bench: $(STAMP)-dev ## measure what the gate costs per request, half an hour; writes docs/benchmarks.md (ARGS="gateway --quick": only shown)
	@$(PY) -m benchmarks $(or $(ARGS),--write docs/benchmarks.md)

docs: $(STAMP)-dev ## write the generated tables into README.md and docs/
	@$(PY) -m guarita.tables --write $(TABLES)
	@$(PY) -m guarita.config.drawing docs/gateway.md
	@$(PY) -m tests.docs.sandbox_tables

# dev.txt comes first: demo.txt is the part of it that the demo needs, at the same versions.
LOCK = $(PY) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" $(ARGS)

lock: $(STAMP)-dev ## renew requirements/ from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) --extra all --group dev --output-file requirements/dev.txt
	@$(LOCK) --extra demo --group build --constraint requirements/dev.txt \
	  --output-file requirements/demo.txt

clean: ## remove .venv, caches and builds; data in guarita-data/ stays
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find src tests $(wildcard benchmarks examples) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written only after everything before it succeeded; a failed install is tried again.
$(STAMP)-venv:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) not found; name a Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Guarita needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	    "name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@touch $@

# $(call install,NAME): the locked packages of requirements/NAME.txt, then this project itself,
# built by the locked build backend.
define install
	@echo "Installing requirements/$(1).txt into $(VENV)" >&2
	@$(PIP) install --quiet --require-hashes --requirement requirements/$(1).txt >&2
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable . >&2
endef

$(STAMP)-demo: requirements/demo.txt pyproject.toml $(STAMP)-venv
	$(call install,demo)
	@touch $@

# Everything of demo.txt stands in dev.txt too, so both are up to date afterwards.
$(STAMP)-dev: requirements/dev.txt requirements/demo.txt pyproject.toml $(STAMP)-venv
	$(call install,dev)
	@touch $@ $(STAMP)-demo
