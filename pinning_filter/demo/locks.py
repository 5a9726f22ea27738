"""The lock around the databases of Nova's fixtures, without its deadlock.

One process has the databases of several cells, and a lock that keeps threads
from looking into the wrong one: readers share a cell, a writer changes it. A
reader may have to wait for another, as a migration does for its compute.
Nova's lock lets a writer that comes in between stop the second, and all
three wait for ever: a poll of the API is enough.
"""

from __future__ import annotations

import importlib
from typing import Any


def readers_first() -> None:
    """Let readers in while a writer waits. Calling this again is harmless."""
    # Its package hides the module behind the name of all of Nova.
    nova_fixtures: Any = importlib.import_module("nova.tests.fixtures.nova")
    lock = nova_fixtures.ReaderWriterLock
    if lock.has_pending_writers is not False:
        nova_fixtures.ReaderWriterLock = type(
            "ReadersFirst", (lock,), {"has_pending_writers": False}
        )
