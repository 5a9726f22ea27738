"""What the documentation shows is what the commands say."""

import pathlib
import re
import shlex

import pytest

from pinning_filter.cli import capacity, drain, explain, fit, survive
from pinning_filter.cli import map as map_
from pinning_filter.core.refusal import Code

SOURCE = pathlib.Path(__file__).parents[3] / "doc" / "source"
#: Command -> its output.
SHOWN = {
    command: "".join(line.removeprefix("   ") for line in
                     output.splitlines(keepends=True))
    for page in ("explain", "audit")
    for command, output in re.findall(
        r"   \$ pinning-filter (.*)\n((?:   (?!\$).*\n)+)",
        (SOURCE / f"{page}.rst").read_text("utf-8"),
    )
}


def test_there_are_examples():
    assert len(SHOWN) == 6


@pytest.mark.parametrize("command", SHOWN)
def test_the_output_is_that_of_the_command(
    pinning_filter, monkeypatch, command
):
    monkeypatch.chdir(SOURCE / "examples")
    answer = pinning_filter(*shlex.split(command))
    said = [line.rstrip() for line in answer.out.splitlines()]
    assert said == SHOWN[command].splitlines()


@pytest.mark.parametrize("code", Code)
def test_every_code_is_told(code):
    assert re.search(
        rf"^``{code.value}`` ", (SOURCE / "cli.rst").read_text("utf-8"), re.M
    )


@pytest.mark.parametrize(
    ("page", "command"),
    [
        ("cli", fit.Fit),
        ("explain", explain.Explain),
        ("explain", capacity.Capacity),
        ("explain", map_.Map),
        ("maintenance", drain.Drain),
        ("maintenance", survive.Survive),
    ],
)
def test_columns_are_told_in_their_order(page, command):
    """Each command's section ends with a table of its columns."""
    text = (SOURCE / f"{page}.rst").read_text("utf-8")
    name = command.__name__.lower()
    section = text.split(f"\n{name}\n{'=' * len(name)}\n")[1]
    section = re.split(r"\n\w+\n===+\n", section)[0]
    table = re.findall(r"^``(\w+)`` ", section, re.M)
    assert tuple(table[-len(command.all_columns):]) == command.all_columns
