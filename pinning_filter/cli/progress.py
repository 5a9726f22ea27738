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


def bar(items: Iterable[_Item], what: str) -> Iterable[_Item]:
    """The items, with a bar on standard error if that is a terminal."""
    return track(
        items,
        what,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def spinner(what: str) -> contextlib.AbstractContextManager[object]:
    """Something that turns, as long as it takes."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    return Console(stderr=True).status(what)
