"""What people see while they wait: on standard error, and only if that is a
terminal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_Item = TypeVar("_Item")


def bar(
    items: Iterable[_Item], what: str, total: int | None = None
) -> Iterable[_Item]:
    """The items, with a bar on standard error if that is a terminal.

    :param total: how many there are, where they cannot be counted.
    """
    return track(
        items,
        what,
        total,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def spinner(what: str) -> contextlib.AbstractContextManager[object]:
    """Something that turns, as long as it takes."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    return Console(stderr=True).status(what)
