SHELL := /bin/bash
PYTHON3 ?= python3
PYTHON := .venv/bin/python
MANAGE := $(PYTHON) manage.py
PORT ?= 8000

.PHONY: .venv programs run lint requirements unit test soak bench clean

# Python's packages and the services' programs are fetched at the same time.
MAKEFLAGS += --jobs=2

.venv: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt
	$(PYTHON3) -m venv .venv
	$(PYTHON) -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	touch $@

programs:
	@$(PYTHON3) -m stack.packages $(PROGRAMS) && $(PYTHON3) -m stack fetch

# Rules, format, direction of imports, types: what ruff, import-linter and mypy say of the whole tree.
lint: .venv
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/mypy .

# Pins what pyproject.toml allows; what is pinned stays, unless ARGS says --upgrade or --upgrade-package NAME.
requirements: export UV_CUSTOM_COMPILE_COMMAND := make requirements
requirements: PIN := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate pyproject.toml
requirements: .venv
	$(PIN) --extra site --extra stack $(ARGS) --output-file requirements.txt
	$(PIN) --extra dev --constraint requirements.txt $(ARGS) --output-file requirements-dev.txt

# Everything, from nothing: services, database, topics, contracts, logins, then site, worker, consumers and a newsroom at work.
# Ctrl-C ends it all; the data stays for the next time.
run: export PORT := $(PORT)
run: .venv programs
	@trap '$(PYTHON) -m stack down' EXIT; trap : INT TERM; \
	  $(PYTHON) -m stack up && mkdir -p var/static \
	  && $(MANAGE) migrate --verbosity 0 && $(MANAGE) create_topics && $(MANAGE) register_schemas && $(MANAGE) capture_baseline \
	  && printf '\nThe newsroom is about to open: http://127.0.0.1:$(PORT)/   (Ctrl-C ends everything)\n\n' && $(MANAGE) create_demo_logins && echo \
	  && .venv/bin/honcho start

# Each figure with its peer or its limit, in one run.  BENCH=name runs one.
bench: .venv programs
	@$(PYTHON) -m stack up && $(MANAGE) migrate --verbosity 0 && $(MANAGE) create_topics > /dev/null && $(MANAGE) register_schemas > /dev/null
	@set -e; for name in $(or $(BENCH),$(basename $(notdir $(wildcard benchmarks/bench_*.py)))); do echo "== $$name"; $(PYTHON) -m benchmarks.$$name; done

# Consumers are started by the hundred in tests, faults and figures: compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

# Every test that needs no service, but the slow; nothing is started. ARGS go to pytest.
unit: .venv
	@$(PYTHON) -m pytest -m "not service and not slow" --numprocesses 2 --quiet $(ARGS)

# What lint finds, then all tests, on a stack of their own that is ended whatever happens. ARGS go to pytest. Three at a time, as some wait for a time-out to pass.
test: export STACK := test
test: PROGRAMS := kcat chromium pgbouncer
test: .venv programs lint
	@trap '$(PYTHON) -m stack down > /dev/null' EXIT; $(PYTHON) -m stack up && $(PYTHON) -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder $(ARGS)

# Faults for MINUTES minutes by the schedule of SEED, on a stack of its own, and what they did to the trail.
soak: export STACK := soak
soak: .venv programs
	@trap '$(PYTHON) -m stack down > /dev/null' EXIT; $(PYTHON) -m testkit.faults.soak --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

clean:
	STACK=dev $(PYTHON3) -m stack down --delete-data
	STACK=test $(PYTHON3) -m stack down --delete-data
	STACK=soak $(PYTHON3) -m stack down --delete-data
	rm -rf .venv var dist .import_linter_cache .mypy_cache .ruff_cache
