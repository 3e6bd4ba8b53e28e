# make run     run everything on this machine: http://127.0.0.1:8000/
# make demo    process sample photographs
# make test    the whole test suite        make lint    style and types
# make stop    stop it                     make logs    follow its logs
# make dev     run, and reload on every change
# make bench   measure speed
# Settings: PORT=8010 make run, or a file .env (see .env.example).

PYTHON ?= python3
export PYTHON
PY = .venv/bin/python

.PHONY: run dev stop logs demo bench test lint install install-dev

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

test: install-dev
	$(PY) -m pytest -n 2

lint: install-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
