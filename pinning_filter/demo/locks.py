"""Locks around the databases of Nova's fixtures, where theirs do not do.

One process has the databases of several cells, and a lock that keeps threads
from looking into the wrong one: readers share a cell, a writer changes it. A
reader may have to wait for another, as a migration does for its compute.
Nova's lock lets a writer that comes in between stop the second, and all
three wait for ever: a poll of the API is enough.

Before Nova 34 each database is one connection to SQLite, which two threads
cannot have transactions on.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Iterator
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


@contextlib.contextmanager
def one_transaction_at_a_time() -> Iterator[None]:
    """Let threads into Nova's databases one after the other, meanwhile."""
    manager: Any = importlib.import_module(
        "oslo_db.sqlalchemy.enginefacade"
    )._TransactionContextManager
    nova_s = manager._transaction_scope
    lock = threading.RLock()

    @contextlib.contextmanager
    def scope(self: Any, context: Any) -> Iterator[Any]:
        with lock, nova_s(self, context) as resource:
            yield resource

    manager._transaction_scope = scope
    try:
        yield
    finally:
        manager._transaction_scope = nova_s
