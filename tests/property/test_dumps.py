"""Commands on dumps that somebody spoilt: an answer, or one line that says
what is wrong.
"""

import contextlib
import copy
import io
import json
import types
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinning_filter.cli import main
from pinning_filter.cloud import dumpfile
from tests.unit.cli import clouds

WHOLE = json.loads(json.dumps(dumpfile.write(clouds.several())))
PINNED = ("--property", "hw:cpu_policy=dedicated")
NEW = ("--vcpus", "2", "--ram", "512", *PINNED)


def paths(value, path=()):
    """Every place in a JSON value, from the outside in."""
    if path:
        yield path
    inside = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, each in inside:
        yield from paths(each, (*path, key))


PATHS = list(paths(WHOLE))
NUMBERS = st.integers(-2, 70000) | st.integers(0, 1 << 70) | st.floats()
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["0-3", "3-1", "^0", "0-65535", "dedicated", "isolate", "a\nb\x1b[31m"]
)


def spoilt(value):
    """Something else in its place, more often than not of the same kind."""
    anything = st.sampled_from([None, True, [], {}, [1], {"0": 0}])
    if isinstance(value, str):
        return TEXTS | TEXTS | NUMBERS | anything
    return NUMBERS | NUMBERS | TEXTS | anything


@st.composite
def dumps(draw):
    data = copy.deepcopy(WHOLE)
    *way, last = draw(st.sampled_from(PATHS))
    place = data
    for key in way:
        place = place[key]
    place[last] = draw(spoilt(place[last]))
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "command",
    [
        ("map",),
        ("map", "--html", "-"),
        ("capacity",),
        ("explain", *NEW),
        ("defrag", "--plan", *NEW),
        ("dump", "--anonymous"),
    ],
    ids=" ".join,
)
@given(text=dumps())
def test_a_spoilt_dump_is_answered_or_named(command, text):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(text))
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("sys.stdin", stdin),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = main.main([command[0], "--host", "-", *command[1:]])
    said = err.getvalue()
    assert status in (0, 2, 3, 4), said
    if status == 2:
        assert out.getvalue() == ""
        assert said.splitlines()[-1].startswith("pinning-filter: ")
