# Every target that needs the environment sets it up first; what is there already
# is not done again. See CONTRIBUTING.md.

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
ARGS ?=
# Processes that run the tests; a test itself has one thread.
JOBS ?= 2

# The interpreter that the environment is made with. Without PYTHON=... an
# environment that works is kept, whatever python3 is by now.
ifeq ($(origin PYTHON),undefined)
SETUP_PYTHON = $(shell $(VENV_PYTHON) -c '' 2>/dev/null && echo $(VENV_PYTHON) || echo python3)
else
SETUP_PYTHON = $(PYTHON)
endif

.PHONY: help env demo test test-slow lint format clean-env
.DEFAULT_GOAL := help

help: ## Show the targets.
	@echo "Usage: make TARGET [PYTHON=python3.11] [ARGS='...']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile \
	    | while IFS='|' read -r name text; do printf '  %-10s %s\n' $$name "$$text"; done

env: ## Set up the environment in .venv, or complete it.
	@python='$(SETUP_PYTHON)'; "$$python" -c '' 2> /dev/null || { \
	    echo "mmsnn set-up: error: $$python does not run; install Python 3.11 to 3.13 or name one: make PYTHON=/path/to/python3.11 ..." >&2; \
	    exit 1; }; \
	"$$python" -B tools/setup_env.py

demo: env ## Make data, train a spiking RetinaNet, evaluate it, draw what it detects.
	$(VENV_PYTHON) tools/demo.py $(ARGS)

test: env ## Run the tests, apart from the slow ones.
	$(VENV_PYTHON) -m pytest -n $(JOBS) --dist loadscope $(ARGS)

test-slow: env ## Run the slow tests.
	$(VENV_PYTHON) -m pytest -n $(JOBS) --dist loadscope -m slow $(ARGS)

lint: env ## Check style, formatting and types.
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

format: env ## Format the code and fix what can be fixed.
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

clean-env: ## Remove the environment.
	rm -rf $(VENV) .venv.log
