# Everything here needs make and a Python from 3.11 to 3.13, and no root.
# `make help` lists the targets.

.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
WORKERS ?= 2
COV_FAIL_UNDER ?= 90
PYTEST_ARGS ?=
FAST := -n $(WORKERS) --dist loadgroup --rule-report=build \
  --ignore tests/systems --ignore tests/benchmarks

.PHONY: help run up test coverage test-systems lint lock bench clean FORCE

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' Makefile | \
	  while read -r make target text; do printf '  make %-14s %s\n' "$$target" "$$text"; done

run: $(VENV)/.installed ## install, then play the whole story once on sample systems
	@$(BIN)/tradesync demo

up: $(VENV)/.installed ## the same, and keep the daemon and its console running
	@$(BIN)/tradesync demo --keep-running

test: lint ## static checks and all tests that need nothing but this machine
	@mkdir -p build
	@$(BIN)/python -m pytest $(FAST) $(PYTEST_ARGS)

# Apart from `test`: tracing every line more than doubles the time.
coverage: $(VENV)/.installed-tests ## the same tests, and which lines of the service they run
	@mkdir -p build
	@$(BIN)/python -m pytest $(FAST) --cov --cov-report=term:skip-covered \
	  --cov-report=xml:build/coverage.xml --cov-fail-under=$(COV_FAIL_UNDER) $(PYTEST_ARGS)

# Tools that only the distribution has are installed as root or with sudo, where
# that needs no password; without them their tests skip, and with CI=true they fail.
test-systems: $(VENV)/.installed-tests ## tests against real outside systems (tests/systems)
	@.ci/system-packages
	@if [ -d tests/systems ]; then \
	  code=0; $(BIN)/python -m pytest tests/systems $(PYTEST_ARGS) || code=$$?; \
	  [ $$code -ne 5 ] || { echo "make test-systems: tests/systems holds no test."; code=0; }; \
	  exit $$code; \
	else \
	  echo "make test-systems: there is no folder tests/systems, so nothing was run."; \
	fi

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
  --no-emit-index-url --no-emit-find-links --quiet $(LOCK_ARGS)

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

clean: ## remove the environment and all that was built
	rm -rf $(VENV) build dist tradesync.egg-info .hypothesis

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
