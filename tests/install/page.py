"""What doc/source/install.rst tells its reader to write."""

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "doc" / "source" / "install.rst"
_BLOCK = re.compile(
    r"^( *)\.\. code-block:: \w+\n\n((?:\1   .*\n|\n)+)", re.MULTILINE)


def block(mark: str) -> str:
    """The one block of code that has this text in it."""
    blocks = [
        textwrap.dedent(body) for _, body in _BLOCK.findall(PAGE.read_text())]
    (found,) = (body for body in blocks if mark in body)
    return found.strip() + "\n"
