"""The examples in docstrings say what is so."""

import doctest
import importlib
import pathlib

import pytest

import pinning_filter

ROOT = pathlib.Path(pinning_filter.__file__).parent
MODULES = sorted(
    ".".join((ROOT.name, *path.relative_to(ROOT).with_suffix("").parts))
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
