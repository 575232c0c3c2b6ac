# Two commands matter: `make run` and `make test`. `make help` lists the rest.

BIN := .venv/bin
# Where `bounty` keeps its data unless BOUNTY_DATABASE_URL says otherwise.
DATABASE := instance/bounty.sqlite
PORT ?= 5000
STAND_IN_PORT ?= 5099
# How the stand-in of the open platform is reached and knows us; it runs beside the pages.
STAND_IN := BOUNTY_PLATFORM_URL=http://127.0.0.1:$(STAND_IN_PORT)/api/router \
	BOUNTY_PLATFORM_CLIENT_ID=stand-in BOUNTY_PLATFORM_CLIENT_SECRET=stand-in-only
SERVE = BOUNTY_PUBLIC_URL=http://127.0.0.1:$(PORT) $(BIN)/bounty run --port $(PORT)
# The calendar: freezes rosters, makes drafts, sends messages, backs up. It tells what it does in its own file.
WORKER = $(BIN)/bounty worker >> instance/worker.log 2>&1
UPGRADE ?=

# The first Python that is new enough and can make a virtual environment (Debian's python3 can't without python3-venv).
FITS := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)
endif
FIT_PYTHON = test -n "$(PYTHON)" && $(PYTHON) -c '$(FITS)' 2>/dev/null || \
	{ echo "Needed: Python 3.11 or newer with venv and pip (Debian: apt-get install python3-venv), or PYTHON=its path" >&2; exit 1; }

PIP := $(BIN)/python -m pip --disable-pip-version-check
UV_VERSION := 0.13.9
LOCK := .venv/uv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-config --custom-compile-command 'make lock' $(UPGRADE)

# A recipe that fails, or is interrupted, doesn't leave a half-made database or a stamp behind.
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev run test lint format texts lock sbom soak bench clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/setup.done ## .venv with what the program runs on

setup-dev: .venv/setup-dev.done ## ... and what its tests and checks need

.venv/setup.done: requirements.lock pyproject.toml
	@$(FIT_PYTHON)
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/setup-dev.done: .venv/setup.done requirements-dev.lock
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# Sample data goes only into our own new file, never into a database that somebody named.
run: setup ## Serve http://127.0.0.1:5000 (PORT=...) and run the calendar, at first start with months of sample data
ifndef BOUNTY_DATABASE_URL
	@test -e $(DATABASE) && $(BIN)/bounty db upgrade || $(MAKE) --no-print-directory $(DATABASE)
endif
	@mkdir -p instance
	@echo "bounty is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends it): the notices, without logging in"
ifndef BOUNTY_DATABASE_URL
	@echo "log in at http://127.0.0.1:$(PORT)/login: the page offers the sample accounts (password sample-data-only)"
endif
ifndef BOUNTY_DATABASE_URL
	@echo "fetch made-up orders, in another shell: $(STAND_IN) $(BIN)/bounty sync"
	@$(BIN)/bounty stand-in --port $(STAND_IN_PORT) > /dev/null & stand_in=$$!; $(WORKER) & worker=$$!; \
	$(STAND_IN) $(SERVE) & pages=$$!; trap "kill $$stand_in $$worker $$pages 2> /dev/null" EXIT INT TERM; wait $$pages
else
	@$(WORKER) & worker=$$!; $(SERVE) & pages=$$!; trap "kill $$worker $$pages 2> /dev/null" EXIT INT TERM; wait $$pages
endif

$(DATABASE):
	$(BIN)/bounty demo

test: lint ## Everything that CI checks
	$(BIN)/pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint: setup-dev ## Format, lint, types, import contracts, known-bad versions, templates, texts, migrations in step with the models
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python deploy/known_bad.py requirements.lock requirements-dev.lock
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python deploy/translations.py check
	@echo "alembic check (SQLite; a test does the same on PostgreSQL)"
	@folder=$$(mktemp -d) && export BOUNTY_DATABASE_URL="sqlite:///$$folder/check.sqlite" && \
	{ $(BIN)/alembic upgrade head && $(BIN)/alembic check; status=$$?; rm -rf "$$folder"; exit $$status; }

format: setup-dev ## Put the code into its one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

texts: setup-dev ## Bring the English catalogue in step with the texts of the pages, and compile it
	$(BIN)/python deploy/translations.py update

soak: setup-dev ## The tests that take long, and 1,000 months and a million orders against the oracle (SOAK_ARGS)
	$(BIN)/pytest -m soak --timeout 14400 $(PYTEST_ARGS)
	$(BIN)/python -m tests.agreement.soak $(SOAK_ARGS)

bench: setup-dev ## Measure, and write bench/RESULTS.md (bench/README.md says for how long)
	$(BIN)/python -m bench $(BENCH_ARGS)

lock: ## Both lock files from pyproject.toml; UPGRADE=--upgrade takes newer versions
	@$(FIT_PYTHON)
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	$(LOCK) --extra build --output-file requirements.lock
	$(LOCK) --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock

sbom: setup-dev ## What the locks pin, as CycloneDX: build/bounty.cdx.json, and with the tests' tools build/bounty-dev.cdx.json
	@mkdir -p build
	$(BIN)/python deploy/sbom.py requirements.lock build/bounty.cdx.json
	$(BIN)/python deploy/sbom.py requirements-dev.lock build/bounty-dev.cdx.json

clean: ## Remove what was made, but for instance/, which holds data
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
