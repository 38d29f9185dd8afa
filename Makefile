# Every target that needs the environment sets it up first. See CONTRIBUTING.md.

VENV_PYTHON := .venv/bin/python
ARGS ?=
# Processes that run the tests; a test itself has one thread.
JOBS ?= 2

.PHONY: help env demo test test-slow lint docs format lock clean-env
.DEFAULT_GOAL := help

help: ## Show the targets.
	@echo "Usage: make TARGET [PYTHON=python3.11] [ARGS='...']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile \
	    | while IFS='|' read -r name text; do printf '  %-10s %s\n' $$name "$$text"; done

env: ## Set up the environment in .venv, or complete it.
	@PYTHON='$(PYTHON)' bash tools/setup.sh

demo: env ## Show what a shipped detector detects, then train one for ten minutes.
	$(VENV_PYTHON) tools/demo.py $(ARGS)

test: env ## Run the tests, apart from the slow ones.
	$(VENV_PYTHON) -m pytest -n $(JOBS) --dist loadscope $(ARGS)

test-slow: env ## Run the slow tests.
	$(VENV_PYTHON) -m pytest -n $(JOBS) --dist loadscope -m slow $(ARGS)

lint: env ## Check style, formatting and types.
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

docs: env ## Build the site in docs/_build; warnings are errors.
	$(VENV_PYTHON) -m sphinx -q -W --keep-going docs docs/_build

format: env ## Format the code and fix what can be fixed.
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

lock: env ## Update requirements.lock after a change of pyproject.toml.
	PATH="$(CURDIR)/.uv/bin:$$PATH" uv pip compile pyproject.toml --all-extras --group dev \
	    --universal --no-annotate --no-header -o requirements.lock

clean-env: ## Remove the environment.
	rm -rf .venv .venv.lock .venv.state .uv
