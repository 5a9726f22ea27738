# `make help` lists what there is. Everything runs in an environment of its
# own, made on first use; with NOVA=31 in one with that release of Nova, and
# with PYTHON=python3.13 as well on that Python.

PYTHON ?= python3
other_python = $(filter-out python3,$(notdir $(PYTHON)))
NOVA ?=
releases := $(patsubst tests/releases/constraints/nova%.txt,%,\
	$(wildcard tests/releases/constraints/nova*.txt))
ifneq ($(filter-out $(releases),$(NOVA)),)
$(error NOVA=$(NOVA) is not one of $(releases))
endif
VENV ?= .venv$(if $(NOVA),-nova$(NOVA)$(addprefix -,$(other_python)))
constraints := $(firstword $(patsubst %,tests/releases/constraints/nova%.txt,\
	$(NOVA)) constraints.txt)
JOBS ?= auto
bin := $(VENV)/bin
ready := $(VENV)/.ready
docs_ready := $(VENV)/.docs-ready
kolla := .venv-kolla/.ready
tests := tests/unit tests/property tests/prometheus tests/functional
some := $(addprefix tests/functional/test_,servers.py cells.py compute_life.py)

.DEFAULT_GOAL := help
.PHONY: help venv schemas demo test quick browser unit lint types docs dist \
	bench nova-suite releases install-tests install-debian genconfig clean

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

venv: $(ready)  ## the environment, in .venv

$(ready): pyproject.toml requirements.txt $(constraints) tools/make-venv
	@tools/make-venv $(VENV) $(PYTHON) demo,test $(constraints)
	@touch $@

$(docs_ready): $(ready) doc/requirements.txt
	@$(bin)/pip install --quiet -c constraints.txt -r doc/requirements.txt
	@touch $@

schemas:  ## libvirt's XML schemas, where libvirt is not installed
	@tools/get-schemas $(CURDIR)/$(VENV)/share/libvirt/schemas

demo: $(ready)  ## the main job, in one process: pinned servers through a real Nova
	@$(bin)/python -m pinning_filter.demo

test: lint types schemas  ## lint, types and all tests
	$(bin)/python -m pytest -n $(JOBS) $(tests)

unit: $(ready)  ## the quick tests
	$(bin)/python -m pytest tests/unit

quick: $(ready)  ## the quick tests, and some with all of Nova
	OS_NOVA_DISABLE_EVENTLET_PATCHING=true \
		$(bin)/python -m pytest -n $(JOBS) tests/unit tests/property
	$(bin)/python -m pytest -n $(JOBS) $(some)

browser: $(ready)  ## the map's page in Debian's chromium
	@$(bin)/pip install --quiet -c constraints.txt 'selenium>=4.10.0'
	PINNING_BROWSER_TEST=1 $(bin)/python -m pytest tests/browser

lint: $(ready)  ## style and simple defects (ruff)
	$(bin)/ruff check .

types: $(ready)  ## mypy, strict
	$(bin)/mypy

docs: $(docs_ready)  ## the documentation, in doc/build/html, and man pages
	$(bin)/sphinx-build -E -W --keep-going -q -b html doc/source doc/build/html
	$(bin)/sphinx-build -W --keep-going -q -b man doc/source doc/build/man

dist: $(ready)  ## wheel and sdist, each tried in an empty environment
	@$(bin)/pip install --quiet 'build>=1.0.0'
	$(bin)/python -m pytest tests/packaging

bench: $(ready)  ## speed of a request, the filter and a build beside stock's
	$(bin)/python -W ignore benchmarks/schedule.py
	$(bin)/python benchmarks/filter.py
	$(bin)/python -W ignore benchmarks/compute.py

nova-suite: $(ready)  ## Nova's own functional tests, on our engine
	$(bin)/python -m tests.nova_suite

releases: $(ready)  ## everything on every Nova; makes the table of the docs
	$(bin)/python -m tests.releases $(NOVA) --python $(PYTHON) \
		$(if $(STEPS),--only $(STEPS))

$(kolla): tests/install/kolla/requirements.txt
	@$(PYTHON) -m venv --clear $(dir $@)
	@$(dir $@)bin/pip install --quiet -r $<
	@touch $@

install-tests: $(ready) $(kolla)  ## the lines for Kolla and DevStack, as they read them
	KOLLA=$(dir $(kolla)) $(bin)/python -m pytest tests/install

install-debian: $(ready)  ## Debian 13's Nova in a chroot, ours beside it (root)
	PINNING_DEBIAN_TEST=1 $(bin)/python -m pytest tests/install/test_debian.py

genconfig: $(ready)  ## write etc/pinning_filter.conf.sample anew
	$(bin)/oslo-config-generator --config-file etc/config-generator.conf

clean:  ## remove what make made
	rm -rf $(VENV) .venv-nova* .venv-kolla .tox build dist doc/build \
		*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

include lab/lab.mk
