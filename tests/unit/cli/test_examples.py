"""The examples in the documentation answer as they say."""

import pathlib
import re
import shlex
import textwrap

import pytest

from pinning_filter.nova import settings as nova_settings

TOP = pathlib.Path(__file__).parents[3]
_BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", re.M)


def _examples(path):
    """Commands with an answer beneath them, and that answer."""
    for block in _BLOCK.findall(path.read_text()):
        text = textwrap.dedent(block).replace("\\\n", " ").rstrip() + "\n"
        for example in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, answer = example.split("\n", 1)
            if command.startswith("pinning-filter ") and answer.strip():
                yield shlex.split(command)[1:], answer


EXAMPLES = [
    pytest.param(*example, id=f"{path.name}-{number}")
    for path in (TOP / "README.rst", TOP / "doc" / "source" / "cli.rst")
    for number, example in enumerate(_examples(path))
]


@pytest.mark.parametrize(("arguments", "answer"), EXAMPLES)
def test_example(pinning_filter, arguments, answer):
    given = pinning_filter(*arguments)
    lines = (given.out + given.err).rstrip().split("\n")
    if not nova_settings.IOTHREADS:
        # Examples show what a guest gets from Nova 33 on.
        answer = re.sub(r"^ *<iothread.*\n", "", answer, flags=re.M)
    assert "\n".join(line.rstrip() for line in lines) + "\n" == answer


def test_examples_are_found():
    assert len(EXAMPLES) > 4
