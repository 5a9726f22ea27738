"""Methods of Nova's that run within something of ours.

Where Nova hands us no hook, one of its methods is wrapped in a context
manager, for the whole process. Knows nothing of what it is for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

#: What a method has been wrapped in already, by name.
_WITHIN = "_pinning_filter_within"


def run_within(
    cls: type, name: str, manager: Callable[..., AbstractContextManager[Any]]
) -> None:
    """Let a method run within a context manager; calling it again is harmless.

    :param manager: takes what the method takes; known by its name.
    """
    nova_s = getattr(cls, name)
    key = f"{manager.__module__}.{manager.__qualname__}"
    wrapped: frozenset[str] = getattr(nova_s, _WITHIN, frozenset())
    if key in wrapped:
        return

    @functools.wraps(nova_s)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with manager(self, *args, **kwargs):
            return nova_s(self, *args, **kwargs)

    setattr(method, _WITHIN, wrapped | {key})
    setattr(cls, name, method)
