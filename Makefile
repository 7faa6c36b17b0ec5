# Everything here needs make and a Python from 3.11 to 3.13, and no root.
# `make help` lists the targets.

.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

VENV := .venv
# The tests start dozens of processes. Where Python may leave nothing beside the sources, each
# would compile all of them anew: what they compile is kept with the environment instead.
ifneq ($(PYTHONDONTWRITEBYTECODE),)
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(abspath $(VENV))/compiled
endif
BIN := $(VENV)/bin
# Compiling all of it would take longer than compiling what is used, when it is.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
WORKERS ?= 2
COV_FAIL_UNDER ?= 90
PYTEST_ARGS ?=
PYTEST := tests/in-memory $(BIN)/python -m pytest
# They need nothing but this machine, and time: every secret in every slot, every bad input,
# every planted defect, every single fault on a real database, the whole decision table, the
# sample's days, two real ERP databases, the service as processes of its own, prices
# by the hundred thousand, contracts on a second kind of database, whatever happens to lists,
# and every single fault on the rarer ways of prices.
THOROUGH := tests/canaries tests/bad_inputs tests/realdata tests/system \
  $(wildcard tests/contract/test_*_postgresql.py) tests/contract/test_sql_erp_failures.py \
  tests/faults/test_mutants.py tests/faults/test_ways_of_prices.py \
  tests/scenarios/test_any_price_lists.py \
  tests/scenarios/test_anything_may_happen.py \
  tests/scenarios/test_faults_everywhere.py tests/scenarios/test_order_benchmark.py \
  tests/scenarios/test_planned_price_sight.py \
  tests/scenarios/test_restored_state.py tests/scenarios/test_sample_day.py \
  tests/unit/admission/test_adding_up.py tests/unit/admission/test_whole_table.py \
  tests/unit/benchmarks tests/unit/cli/test_bulk.py tests/unit/cli/test_demo.py \
  tests/unit/cli/test_operators.py tests/unit/cli/test_reader_gone.py \
  tests/unit/medusa/test_broken_off.py tests/unit/medusa/test_shared_lists.py \
  tests/unit/mapping/test_every_field.py tests/unit/sample \
  tests/unit/settings/test_every_option.py tests/unit/settings/test_every_setting.py \
  tests/unit/sql/test_every_key.py tests/unit/sql/test_file_drop_faults.py \
  tests/unit/state/test_storage_faults.py \
  tests/unit/test_packaging.py
# Kills and hints between two live systems take long; `make live-torture` plays them.
LONG_LIVE := tests/systems/live/test_hints.py tests/systems/live/test_kills.py
# One more than there are cores: now and then a test waits.
FAST := -n $$(($(WORKERS) + 1)) --dist worksteal --durations 15 --rule-report=build --ignore tests/systems \
  --ignore tests/benchmarks $(addprefix --ignore ,$(THOROUGH))

.PHONY: help run up test coverage test-systems torture live-torture soak lint lock bench clean FORCE

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' Makefile | \
	  while read -r make target text; do printf '  make %-14s %s\n' "$$target" "$$text"; done

run: $(VENV)/.installed ## install, then play the whole story once on sample systems
	@$(BIN)/tradesync demo

up: $(VENV)/.installed ## the same, and keep the daemon running
	@$(BIN)/tradesync demo --keep-running

# The static checks run beside the tests, and are shown after them.
test: $(VENV)/.installed-tests ## static checks and all tests that need nothing but this machine
	@mkdir -p build
	@$(MAKE) lint >build/lint.txt 2>&1 & checks=$$!; failed=0; \
	$(PYTEST) $(FAST) $(PYTEST_ARGS) || failed=1; \
	wait $$checks || failed=1; \
	cat build/lint.txt; \
	exit $$failed

# Apart from `test`: tracing every line more than doubles the time.
coverage: $(VENV)/.installed-tests ## the same tests, and which lines of the service they run
	@mkdir -p build
	@$(PYTEST) $(FAST) --cov --cov-report=term:skip-covered \
	  --cov-report=xml:build/coverage.xml --cov-fail-under=$(COV_FAIL_UNDER) $(PYTEST_ARGS)

# Tools that only the distribution has are installed as root or with sudo, where
# that needs no password; without them their tests skip, and with CI=true they fail.
test-systems: $(VENV)/.installed-tests ## long tests, and those against real outside systems
	@.ci/system-packages
	@mkdir -p build
	@$(PYTEST) -n $(WORKERS) --dist worksteal $(THOROUGH) $(PYTEST_ARGS)
	@if [ -d tests/systems ]; then \
	  code=0; $(PYTEST) -n $(WORKERS) --dist loadgroup tests/systems \
	    $(addprefix --ignore ,$(LONG_LIVE)) $(PYTEST_ARGS) || code=$$?; \
	  [ $$code -ne 5 ] || { echo "make test-systems: tests/systems holds no test."; code=0; }; \
	  exit $$code; \
	else \
	  echo "make test-systems: there is no folder tests/systems, so nothing was run."; \
	fi

# These take long and are not part of `test`; tests/torture/README.md says what they prove.
# A run is repeated with its SEED, which it prints.
SEED ?= $(shell date +%s)
SCHEDULES ?= 10000
KILLS ?= 100
RESTARTS ?= 50
TAKEOVERS ?= 5
MUTANT ?= 20
BACKENDS ?= sqlite postgresql
RECOVERY ?=
HOURS ?= 72
ORDERS ?= 50000
MEASURED ?= 200

torture: $(VENV)/.installed-tests ## kill -9, restarts and takeovers on real databases (SEED= KILLS= ...)
	@$(BIN)/python -m tests.torture --seed $(SEED) run --schedules $(SCHEDULES) --kills $(KILLS) \
	  --restarts $(RESTARTS) --takeovers $(TAKEOVERS) --mutant $(MUTANT) --backends $(BACKENDS) \
	  $(if $(RECOVERY),--recovery)

# Needs what tests/systems/medusa and tests/systems/tryton need.
live-torture: $(VENV)/.installed-tests ## the same between a live Medusa and a live Tryton (KILLS= MEASURED=)
	@$(BIN)/python -m pytest $(LONG_LIVE) $(PYTEST_ARGS)
	@$(BIN)/python -m tests.systems.live --seed $(SEED) --kills $(KILLS) --orders $(MEASURED)

soak: $(VENV)/.installed-tests ## days of business on a virtual clock (HOURS=72 ORDERS=50000)
	@$(BIN)/python -m tests.torture --seed $(SEED) soak --hours $(HOURS) --orders $(ORDERS)

# The three checks share nothing, so they run side by side; each one's output
# is shown whole, and every failure is reported rather than only the first.
lint: $(VENV)/.installed-tests ## ruff, the formatter's check, mypy
	@mkdir -p build
	@$(BIN)/ruff check . >build/ruff-check.txt 2>&1 & check=$$!; \
	$(BIN)/ruff format --check . >build/ruff-format.txt 2>&1 & format=$$!; \
	$(BIN)/mypy >build/mypy.txt 2>&1 & types=$$!; \
	failed=0; \
	wait $$check || failed=1; echo "ruff check:"; cat build/ruff-check.txt; \
	wait $$format || failed=1; echo "ruff format --check:"; cat build/ruff-format.txt; \
	wait $$types || failed=1; echo "mypy --strict:"; cat build/mypy.txt; \
	exit $$failed

# uv resolves for every platform and Python at once. It lives in a folder of its
# own for as long as it is needed, and never writes where it fetched from.
LOCK_FLAGS := --universal --python-version 3.11 --generate-hashes --no-header \
  --no-emit-index-url --no-emit-find-links --no-strip-extras --quiet $(LOCK_ARGS)

lock: $(VENV)/.made ## resolve the two locks again (LOCK_ARGS=--upgrade for newer releases)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(BIN)/python -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	"$$scratch/bin/uv" pip compile $(LOCK_FLAGS) pyproject.toml --group build \
	  -o requirements.lock; \
	"$$scratch/bin/uv" pip compile $(LOCK_FLAGS) pyproject.toml --all-extras --group build \
	  --group dev -c requirements.lock -o tests/requirements.lock; \
	echo "requirements.lock and tests/requirements.lock are up to date."

bench: $(VENV)/.installed-tests ## measure; the figures go to build/bench
	@if [ -d tests/benchmarks ]; then \
	  mkdir -p build/bench; \
	  $(BIN)/python -m pytest tests/benchmarks $(PYTEST_ARGS); \
	else \
	  echo "make bench: there is no folder tests/benchmarks, so nothing was measured."; \
	fi

clean: ## remove the environment and all that was built; var/ with the sample's data stays
	rm -rf $(VENV) build dist tradesync.egg-info .hypothesis .pytest_cache .ruff_cache

# The environment, in three steps. A stamp is newer than what it was made from,
# so a second call does nothing. An environment holds the path of its folder, so
# one that came along in a copy of the tree is made anew.
MADE_IN := $(shell cat $(VENV)/.made 2>/dev/null)
ifneq ($(MADE_IN),$(CURDIR))
$(VENV)/.made: FORCE
endif
FORCE:

# PYTHON=... decides; otherwise the newest that really runs. A name on the PATH
# proves nothing: version managers leave names there that only print an error.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

$(VENV)/.made:
	@python=; without_venv=; \
	for name in $(PYTHONS); do \
	  if ! "$$name" -c '$(FITS)' >/dev/null 2>&1; then continue; fi; \
	  if "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$$name; break; fi; \
	  without_venv=$${without_venv:-$$name}; \
	done; \
	if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
	  version=$$("$$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$without_venv (Python $$version) cannot make a virtual environment, because its" \
	    "venv module is a package of its own. On Debian: apt install python3-venv" \
	    "(Ubuntu with several Pythons: python$$version-venv). Then run make again." >&2; \
	  exit 1; \
	elif [ -z "$$python" ]; then \
	  echo "tradesync needs Python 3.11, 3.12 or 3.13, and none of these is one: $(PYTHONS)." \
	    "Install one (Debian: apt install python3 python3-venv) or say where one is:" \
	    "make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)."; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV); \
	printf '%s\n' '$(CURDIR)' >$@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing what requirements.lock names."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-tests: $(VENV)/.installed tests/requirements.lock
	@echo "Installing what tests/requirements.lock adds."
	@$(PIP) --require-hashes -r tests/requirements.lock
	@touch $@
