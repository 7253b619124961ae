# Two commands for a newcomer: `make demo` and `make test`. Both work on a machine with Python >= 3.11, git and make,
# and install nothing outside .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two test processes a core: many tests wait, for a server to start or a connection to be given up.
JOBS ?= $$(($$(getconf _NPROCESSORS_ONLN) * 2))

.PHONY: help demo test check fmt lock zipapp bench clean
help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

$(READY): requirements/dev.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Spark needs Python 3.11 or newer, $(PYTHON) is older. Name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@# uv takes seconds where pip takes a minute; pip knows mirrors and certificates that only pip.conf names.
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## the whole job on loopback: a pull request is opened, reviewed and shown
	$(BIN)/spark demo $(DEMO)

test: $(READY) ## every test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

check: $(READY) ## lint, types, floors, workflows, Dockerfile
	sh tests/check.sh

fmt: $(READY) ## format and sort
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: $(READY) ## pin every dependency again, with hashes
	printf 'uv\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate - -o requirements/bootstrap.txt
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate - -o requirements/build.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-package spark-review --extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/action.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-package spark-review --extra cli pyproject.toml -o requirements/zipapp.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-package spark-review --extra server pyproject.toml -o requirements/server.txt

zipapp: $(READY) ## one file with Spark and its packages, for this platform and this Python
	PATH=$(CURDIR)/$(BIN):$$PATH $(PYTHON) action/build_zipapp.py dist

bench: $(READY) ## reviews against the physical limit: server, Action, terminal; BENCH="--rivals" and more, see --help
	$(BIN)/python bench/reviews.py $(BENCH)

clean: ## remove what was made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache out
