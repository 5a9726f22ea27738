"""Text of whatever origin, made fit to be shown.

Beside everything that complains or prints: names and values are whatever
tenants made them.
"""

from __future__ import annotations

#: Of a complaint, so much of the text that it is about.
MOST_SHOWN = 80


def shown(text: str) -> str:
    """A text within quotes, as much of it as a complaint has room for.

    >>> shown("a" * 100)[-8:]
    "aaaa'..."
    """
    more = "..." if len(text) > MOST_SHOWN else ""
    return repr(text[:MOST_SHOWN]) + more


def one_line(text: str) -> str:
    """Text as one line that is safe on a terminal.

    >>> one_line("two\\nlines, \\x1b[31mred")
    'two lines, \\\\x1b[31mred'
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in line
    )
