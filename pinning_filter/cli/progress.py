"""What people see while they wait: on standard error, and only if that is a
terminal. Only then rich is loaded.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import TypeVar

_Item = TypeVar("_Item")


def bar(
    items: Iterable[_Item], what: str, total: int | None = None
) -> Iterable[_Item]:
    """The items, with a bar on standard error if that is a terminal.

    :param total: how many there are, where they cannot be counted.
    """
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(
        items, what, total, console=Console(stderr=True), transient=True
    )


def spinner(what: str) -> contextlib.AbstractContextManager[object]:
    """Something that turns, as long as it takes."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)
