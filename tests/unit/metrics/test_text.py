"""Text for Prometheus, and files of it."""

import pytest

from pinning_filter.metrics import text
from pinning_filter.metrics.families import gauge

ONE = gauge("one", "The first.", {("x",): 1}, "name")
TEXT = (
    "# HELP pinning_filter_one The first.\n"
    "# TYPE pinning_filter_one gauge\n"
    'pinning_filter_one{name="x"} 1.0\n'
)


def test_text():
    assert text.of([ONE]).decode() == TEXT


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "pinning.prom"
    path.write_text("old")
    text.write(path, iter([ONE]))
    assert path.read_text() == TEXT
    assert [each.name for each in tmp_path.iterdir()] == ["pinning.prom"]


def test_others_may_read_the_file(tmp_path):
    path = tmp_path / "pinning.prom"
    text.write(path, [ONE])
    assert path.stat().st_mode & 0o044 == 0o044


def broken():
    yield ONE
    raise RuntimeError("half of it")


def test_what_is_made_by_halves_leaves_the_old_file(tmp_path):
    path = tmp_path / "pinning.prom"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        text.write(path, broken())
    assert path.read_text() == "old"


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "pinning.prom"
    path.write_text("old")
    real = open

    class Full:
        def __init__(self, *args):
            self._file = real(*args)

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self._file.close()

        def write(self, data):
            self._file.write(data[: len(data) // 2])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.open", Full)
    with pytest.raises(OSError, match="No space"):
        text.write(path, [ONE])
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["pinning.prom"]
