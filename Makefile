# make run     run everything on this machine: http://127.0.0.1:8000/
# make demo    process sample photographs
# make lint    style and types
# make test    the tests to run while working
# make check   the slow ones: real processes and servers, browsers, deployment files, upgrades, training, quick benchmarks
# make stop    stop it                     make logs    follow its logs
# make dev     run, and reload on every change
# make bench   measure speed
# Settings: PORT=8010 make run, or a file .env (see .env.example).

PYTHON ?= python3
export PYTHON
PY = .venv/bin/python

.PHONY: run dev stop logs demo bench test check lint install install-dev

run:
	@exec ./start.sh run

dev:
	@exec ./start.sh dev

stop:
	@exec ./start.sh stop

logs:
	@exec ./start.sh logs

install:
	@$(PYTHON) -I pixproject/bootstrap.py

install-dev:
	@$(PYTHON) -I pixproject/bootstrap.py --dev

demo: install
	@$(PY) manage.py demo

bench: install-dev
	@$(PY) -m benchmarks

# Each process has a half of the files in their order, so that mostly one of them loads the networks' libraries.
test: install-dev
	$(PY) -m pytest -n 2 -m "not check" --dist worksteal

# All tests of a file in one process: they share its servers and its browser.
check: install-dev
	$(PY) -m pytest -n 2 -m check --dist loadfile
	$(PY) -m benchmarks --quick

lint: install-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m djhtml --tabwidth 2 --check templates
	$(PY) -m mypy .
