"""What the documentation shows is what the commands say."""

import pathlib
import re
import shlex

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "doc" / "source"
TEXT = (SOURCE / "explain.rst").read_text("utf-8")
#: Command -> its output.
SHOWN = {
    command: "".join(line.removeprefix("   ") for line in
                     output.splitlines(keepends=True))
    for command, output in re.findall(
        r"   \$ pinning-filter (.*)\n((?:   .*\n)+)", TEXT
    )
}


def test_there_are_examples():
    assert len(SHOWN) == 5


@pytest.mark.parametrize("command", SHOWN)
def test_the_output_is_that_of_the_command(
    pinning_filter, monkeypatch, command
):
    monkeypatch.chdir(SOURCE / "examples")
    answer = pinning_filter(*shlex.split(command))
    said = [line.rstrip() for line in answer.out.splitlines()]
    assert said == SHOWN[command].splitlines()
