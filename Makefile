# `make demo`: set up and run everything on the synthetic demo corpus. `make test`: set up and run all tests.
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
READY := .venv/ready
export PYTHONPATH := $(CURDIR)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help environment demo unlock test test-kernels lint lock schema clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

environment: $(READY) ## create .venv with the locked packages

$(READY): envs/requirements.lock
	@command -v $(PYTHON) > /dev/null || { echo "error: there is no $(PYTHON); run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { echo "error: $(PYTHON) cannot make a virtual environment; install its venv module"; exit 1; }
	@echo "Installing the locked packages into .venv (5.6 GB, a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r envs/requirements.lock
	@touch $@

demo: $(READY) ## run the whole pipeline on the synthetic demo corpus
	python -m extractors demo-corpus --out results/demo/raw --sessions 3 --utterances 24 --jobs $(CORES)
	snakemake --cores $(CORES) --configfile workflow/demo.yaml
	@cat results/demo/table2.txt

unlock: $(READY) ## lift the lock of a killed demo; its jobs may live on, and not while another run is going on
	snakemake --configfile workflow/demo.yaml --unlock

# The tests of a file share a process; order of the files: tests/conftest.py.
PYTEST := python -m pytest --numprocesses=$(CORES) --dist=loadfile --no-loadscope-reorder

test: $(READY) ## run all tests, CORES files of them at a time
	$(PYTEST)

test-kernels: SEED ?= $(shell date +%s)
test-kernels: $(READY) ## run the unit tests with PyTorch's plainest kernels and in random order (SEED=1 for one order)
	ATEN_CPU_CAPABILITY=default $(PYTEST) tests/cmarr tests/extractors --random-order-seed=$(SEED)

lint: $(READY) ## check style, types and the configuration schema
	ruff check .
	ruff format --check .
	mypy
	python -m cmarr schema --check

lock: $(READY) ## resolve envs/requirements.in anew
	uv pip compile envs/requirements.in --override envs/overrides.txt --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --no-emit-index-url --no-annotate --no-header --generate-hashes \
	  --upgrade --quiet --output-file envs/requirements.lock
	sed -i "s/lock sha256 .*/lock sha256 $$(sha256sum envs/requirements.lock | cut -d' ' -f1)/" envs/cmarr.yaml

schema: $(READY) ## write workflow/schemas/config.schema.json from the typed settings
	python -m cmarr schema

clean: ## remove the environment and the demo's results
	rm -rf .venv results/demo
