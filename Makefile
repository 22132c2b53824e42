# Two commands, thin on purpose: a virtual environment and the plain commands that the README names.
PYTHON ?= python3
BIN := .venv/bin
# What `make run` installs: the files that the workflow `all` needs
REQUIREMENTS := requirements.txt

.PHONY: run test

run: .venv/run
	$(BIN)/python -m weasel run all

test: .venv/test
	$(BIN)/python -m pytest

.venv/run: $(REQUIREMENTS) requirements.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(addprefix -r ,$(REQUIREMENTS)) -c constraints.txt
	touch $@

.venv/test: $(wildcard requirements-*.txt) .venv/run
	$(BIN)/python -m pip install -r requirements-test.txt -c constraints.txt
	touch $@
