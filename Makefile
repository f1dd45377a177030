PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: setup search test test-arm check-docker bench-agent lint clean

## make .venv with everything
setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("haq needs Python 3.10 or newer: make PYTHON=python3.11" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[search,dev]'
	@touch $@

## search the bits of every layer of MobileNetV2 on this machine; options in ARGS
search: setup
	$(BIN)/haq search --model mbv2 $(ARGS)

## the whole test suite, two tests at a time; options in ARGS
test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

## the tests of the board's part on an emulated 64-bit Arm; as root, the first time takes minutes
test-arm: setup
	$(BIN)/python -m tests.arm $(ARGS)

## docker/IMAGE.Dockerfile (agent or service), step by step in a root folder, for ARCH=amd64 or arm64; as root
check-docker: setup
	$(BIN)/python -m tests.docker $(IMAGE) $(ARCH)

## how far the agent's numbers can be trusted here, half an hour; names of benches in ARGS
bench-agent: setup
	$(BIN)/python -m bench.agent $(ARGS)

## ruff, mypy and the layers
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .arm .docker build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
