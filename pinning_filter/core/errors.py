"""What nonsense input raises."""

from __future__ import annotations

from collections.abc import Iterable

#: Of a complaint, so much of the text that it is about.
MOST_SHOWN = 80


class Invalid(ValueError):
    """A value that cannot be: every problem found, not only the first."""

    def __init__(self, what: str, problems: Iterable[str]) -> None:
        #: One sentence for each problem.
        self.problems = tuple(problems)
        super().__init__(f"{what}: " + "; ".join(self.problems))


class InvalidHost(Invalid):
    """A host that no machine can be."""


class InvalidRequest(Invalid):
    """A request that no flavor and image can ask for."""


def shown(text: str) -> str:
    """A text within quotes, as much of it as a complaint has room for.

    >>> shown("a" * 100)[-8:]
    "aaaa'..."
    """
    more = "..." if len(text) > MOST_SHOWN else ""
    return repr(text[:MOST_SHOWN]) + more
