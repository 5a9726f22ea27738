"""Methods of Nova's that run within something of ours."""

import contextlib

import pytest

from pinning_filter.nova import around


@pytest.fixture
def seen():
    return []


@pytest.fixture
def wrapped(seen):
    """A class of whose method is noted what it runs within."""

    class Nova:
        def method(self, number, *, double=False):
            seen.append("method")
            return number * 2 if double else number

    @contextlib.contextmanager
    def ours(nova, number, **more):
        seen.append(("before", number, more))
        yield
        seen.append("after")

    around.run_within(Nova, "method", ours)
    around.run_within(Nova, "method", ours)
    return Nova


def test_it_runs_within_once_with_all_that_it_is_given(wrapped, seen):
    assert wrapped().method(3, double=True) == 6
    assert seen == [("before", 3, {"double": True}), "method", "after"]


def test_several_are_within_each_other(wrapped, seen):
    def theirs(nova, number):
        seen.append("theirs")
        return contextlib.nullcontext()

    around.run_within(wrapped, "method", theirs)
    wrapped().method(1)
    assert seen == ["theirs", ("before", 1, {}), "method", "after"]
