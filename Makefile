# Every target sets itself up: a bare machine needs only Python 3.11 or newer.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs bench bench-peers bench-paper bench-gpu quality quality-quick quality-oracle lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(READY) ## install the locked dependencies and adorym itself into .venv

$(READY): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit("adorym needs Python 3.11 or newer: make PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirements requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(READY) ## simulate a thick cone, reconstruct it by both microscopes, write runs/demo/report.html
	$(BIN)/adorym demo -o runs/demo --overwrite $(ARGS)

# The examples in docstrings run as a user would run them, in 32 bits, hence apart from the tests, which run in 64.
test: $(READY) ## run the tests and the examples in the docstrings
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 10 $(ARGS)
	$(BIN)/python -m pytest --doctest-modules src

lint: $(READY) ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: $(READY) ## put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY) ## time the kernels against what no code can avoid, under 15 minutes on 2 cores: docs/speed.md
	$(BIN)/python -m benchmarks.speed.run $(ARGS)

bench-paper: $(READY) ## the paper's 256³ cone from beginning to end, its ptycho-tomography in part; hours
	$(BIN)/python -m benchmarks.speed.paper $(ARGS)

bench-gpu: $(READY) ## the same on a GPU: installs JAX for it, times the kernels, reconstructs the cone
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[cuda]'
	$(BIN)/python -m benchmarks.speed.run gpu $(ARGS)
	$(BIN)/python -m benchmarks.speed.paper cone --gpu $(ARGS)

PEERS := .venv-peers/bin/python
PEERS_READY := .venv-peers/.ready

bench-peers: $(READY) $(PEERS_READY) ## the same measurements by other programs, about an hour: docs/speed-peers.md
	$(BIN)/python -m benchmarks.peers.run $(ARGS)

# torch by itself and first: what asks for it later then takes the build that is there.
$(PEERS_READY): benchmarks/peers/requirements.txt benchmarks/peers/overrides.txt | $(READY)
	test -x $(PEERS) || $(PYTHON) -m venv .venv-peers
	$(PEERS) -m pip install --quiet $$(grep '^torch==' benchmarks/peers/requirements.txt)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(PEERS) --requirements benchmarks/peers/requirements.txt \
		--overrides benchmarks/peers/overrides.txt
	@touch $@

QUALITY := $(BIN)/python -m benchmarks.quality.run

quality: $(READY) ## the defaults against the tables, under 90 minutes on 2 cores: docs/quality.md
	$(QUALITY) default $(ARGS)

quality-quick: $(READY) ## the same with small cases, under 15 minutes
	$(QUALITY) default --quick $(ARGS)

quality-oracle: $(READY) ## sweep settings knowing the truth, for hours; goes on where it was stopped
	$(QUALITY) oracle $(ARGS)

lock: $(READY) ## bring requirements-dev.lock up to date with pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra mkl --extra fftw --generate-hashes --no-header pyproject.toml --output-file requirements-dev.lock

clean: ## remove what the other targets made, runs/ excepted
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist site
