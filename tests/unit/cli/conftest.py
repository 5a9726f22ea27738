"""The command line, run as its user runs it."""

import io
import logging
import types
from typing import NamedTuple

import pytest

from pinning_filter.cli import main
from tests.unit.cli import clouds


class Answer(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def several(tmp_path):
    """The dump of a cloud of several hosts."""
    return clouds.write(clouds.several(), tmp_path / "cloud.json")


@pytest.fixture
def pinning_filter(capsys, monkeypatch):
    """Run ``pinning-filter`` with arguments, and maybe standard input."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*args, stdin=b""):
        source = None  # closed
        if stdin is not None:
            source = types.SimpleNamespace(buffer=io.BytesIO(stdin))
        monkeypatch.setattr("sys.stdin", source)
        try:
            status = main.main([str(arg) for arg in args])
        except SystemExit as leaving:
            status = leaving.code or 0
        return Answer(status, *capsys.readouterr())

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
