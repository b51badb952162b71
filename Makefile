# Sales Sync: `make demo` to see it work, `make test` to check it. Needs Python >= 3.11 (with venv), git and make.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
PYTHON := $(BIN)/python
PRODUCTION := DEBUG=off SECRET_KEY=$(shell printf 'check-only-%.0s' 1 2 3 4 5 6) ALLOWED_HOSTS=example.com \
	DATABASE_URL=postgresql://check@127.0.0.1:1/check REDIS_URL=redis://127.0.0.1:1 \
	FIELD_ENCRYPTION_KEYS=Y2hlY2stb25seS1jaGVjay1vbmx5LWNoZWNrLW9ubHk=

.PHONY: help setup run demo test check slow bench e2e peers lint format migrations clean

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/installed .env  ## install everything into .venv, write .env where there is none

demo: setup  ## a day of sales from several channels, then keep serving (ONCE=1: stop after the summary)
	$(PYTHON) manage.py demo $(if $(filter-out 0,$(ONCE)),--once)

run: setup  ## web, workers and beat with embedded servers (PORT=8000)
	$(PYTHON) manage.py serve

test: setup  ## every test but the slow and the browser's
	$(PYTHON) -m pytest

slow: setup  ## in full what `make test` tries small
	$(PYTHON) -m pytest -m slow

e2e: setup  ## the admin in a real browser
	$(BIN)/uv sync --frozen --quiet --group e2e
	$(PYTHON) -m pytest -m e2e

peers: setup  ## against real servers from the registries: localstripe, Vendure, Medusa (kept in ~/.cache/salessync-peers)
	$(PYTHON) -m pytest -m peers tests/peers

bench: setup  ## measure; prints a table and writes bench.json
	$(PYTHON) -m tests.bench

check: setup lint  ## lint, types, imports, migrations, production settings
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(PYTHON) manage.py check --deploy --fail-level WARNING

lint: setup  ## style only
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: setup  ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

migrations: setup  ## write the migrations that the models call for
	$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations

clean:  ## remove what was installed and cached; the data in .data and .env stay
	rm -rf .venv staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The fastest Python that is here (one that was compiled without profile-guided optimization, as pyenv does, costs a third);
# uv comes from PyPI into the same .venv and installs what uv.lock names.
.venv/installed: pyproject.toml uv.lock
	@[ -x $(PYTHON) ] || { \
		found=$$(for python in python3.14 python3.13 python3.12 python3.11 python3 python /usr/local/bin/python3 /usr/bin/python3; do \
			$$python -c "$$MEASURE" 2>/dev/null; \
		done | sort -n | head -n 1 | cut -d ' ' -f 2-); \
		[ -n "$$found" ] || { echo "Sales Sync needs Python 3.11 or newer with its venv module (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }; \
		"$$found" -m venv .venv; \
	}
	@[ -x $(BIN)/uv ] || $(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --frozen --quiet --inexact --compile-bytecode
	@touch $@

.env: | .venv/installed
	@umask 077 && $(PYTHON) -c "$$WRITE_ENV" > $@.new && mv $@.new $@ && echo "wrote .env"

define MEASURE
import sys, timeit, venv, ensurepip
if sys.version_info >= (3, 11):
    work = "d = {}\nfor i in range(9999): d[i % 97, 'x'] = f'{i}' + str(i * i % 7)"
    print(int(min(timeit.repeat(work, number=1, repeat=9)) * 1e6), sys.executable)
endef
export MEASURE

define WRITE_ENV
from base64 import b64encode, urlsafe_b64encode
from os import urandom
print("# Made by `make setup` for development; .env.example explains every variable.")
print("DEBUG=on")
print("SECRET_KEY=" + urlsafe_b64encode(urandom(48)).decode())
print("FIELD_ENCRYPTION_KEYS=" + urlsafe_b64encode(urandom(32)).decode())
print("BOOKKEEPER_SECRET=whsec_" + b64encode(urandom(32)).decode())
endef
export WRITE_ENV
