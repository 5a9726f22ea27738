"""Questions that are not answered."""

import threading
import types

import pytest
from nova import context

from pinning_filter.cloud.live import reading
from pinning_filter.core.errors import InputError


@pytest.fixture
def gate(monkeypatch):
    """What a database that hangs waits for."""
    monkeypatch.setattr(reading, "_open", {})
    event = threading.Event()
    yield event
    event.set()


def _threads():
    return threading.active_count()


def test_whoever_owes_an_answer_is_asked_nothing_more(gate):
    asked = []

    def hang():
        asked.append(1)
        gate.wait(30)

    before = _threads()
    for _ in range(3):
        with pytest.raises(InputError, match="the API database cannot be"):
            reading.asked("the API database", 0.05, hang)
    assert (len(asked), _threads()) == (1, before + 1)


def test_it_is_asked_again_once_it_has_answered(gate):
    with pytest.raises(InputError, match="no answer within"):
        reading.asked("it", 0.05, gate.wait, 30)
    reader = reading._open["it"]
    gate.set()
    reader._thread.join(5)
    assert reading.asked("it", 5, lambda: "here") == "here"


def test_a_cell_that_hangs_is_named_and_the_others_answer(
    gate, monkeypatch
):
    cells = [
        types.SimpleNamespace(name=name, uuid=name) for name in ("a", "b")
    ]
    monkeypatch.setattr(
        context, "target_cell", lambda admin, cell: _Targeted()
    )

    def call(targeted, cell):
        if cell.name == "b":
            gate.wait(30)
        return cell.name

    first = reading.each_cell(cells, 0.1, None, call)
    assert first == (["a"], {"b": "TimeoutError: no answer within 0.1 s"})
    before = _threads()
    answers, silent = reading.each_cell(cells, 0.1, None, call)
    assert (answers, list(silent)) == (["a"], ["b"])
    assert silent["b"].startswith("TimeoutError: no answer for")
    assert _threads() == before


class _Targeted:
    def __enter__(self):
        return None

    def __exit__(self, *args):
        return None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("it is gone"), "RuntimeError: it is gone"),
        (ValueError("two\nlines"), "ValueError: two"),
        (
            OSError("mysql+pymysql://nova:secret@db/nova is silent"),
            "OSError: mysql+pymysql://nova:***@db/nova is silent",
        ),
        (
            ModuleNotFoundError("No module named 'x'", name="pymysql"),
            "the Python package pymysql is not installed here",
        ),
    ],
)
def test_an_error_is_told_in_a_line(error, told):
    assert reading.why(error) == told
