.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PEERS := tests/benchmarks/peers/requirements
BIN := $(VENV)/bin
LOCK := --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
SOURCES := agents clients consumers producers schemas tests

.PHONY: help install fmt lint type test sequences chaos eval demo kafka run bench bench-peers lock clean

help:  ## Show what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed  ## Make .venv with everything pinned; leaves .venv/bin/pathstream

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		|| { echo "pathstream needs Python 3.11 to 3.14; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "Installing the pinned dependencies into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

fmt: install  ## Format the code and sort imports
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lint: install  ## Ruff and the import rules
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports

type: install  ## Strict types
	$(BIN)/mypy

test: install  ## All tests, on the best Kafka this machine can run
	$(BIN)/pytest

sequences: install  ## 10,000 random sequences of events through the skills-gap flow and its reference model
	PATHSTREAM_GAP_SEQUENCES=5000 $(BIN)/pytest -q tests/unit/test_gap_model.py

eval: install  ## How well exams are graded, by recorded answers and without a model; with a key judged, and anew by RECORD=1
	$(BIN)/python -m tests.evals $(if $(filter 1,$(RECORD)),--record)

chaos: install  ## Workers under kills, freezes, cuts and full disks on a real Kafka: EVENTS=20000 FAULTS=15 [SEED=n]
	@$(BIN)/python -m tests.chaos $(if $(EVENTS),--events $(EVENTS)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

demo: install  ## The whole job on an embedded broker: no Kafka, no Docker, no key
	$(BIN)/pathstream demo

kafka: install  ## A real Apache Kafka in the foreground (Docker, or Java 17 and Maven)
	$(BIN)/python -m tests.kafka

run: install  ## The worker, against KAFKA_BOOTSTRAP_SERVERS
	$(BIN)/pathstream run

bench: install  ## Figures on a real Kafka (15 min); ONLY=restore for one part, ONLY=help for a list
	$(BIN)/python -m tests.benchmarks $(ONLY)

bench-peers: install .venv-peers/.installed  ## The same job with FastStream, Faust and Quix Streams: figures, guarantees
	$(BIN)/python -m tests.benchmarks.peers

.venv-peers/.installed: $(PEERS).txt
	@$(PYTHON) -m venv .venv-peers
	@echo "Installing the peers into .venv-peers: their pins and ours exclude each other (once, half a minute) ..."
	@.venv-peers/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

lock: install  ## Write the lock files anew
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip compile -q pyproject.toml $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --group dev $(LOCK) -o requirements-dev.lock
	$(BIN)/uv pip compile -q $(PEERS).in $(LOCK) -o $(PEERS).txt

clean:  ## Remove what install and the tests made
	rm -rf $(VENV) .venv-peers .kafka .mypy_cache .ruff_cache .pytest_cache .hypothesis
