"""What nonsense input raises."""

from __future__ import annotations

from collections.abc import Iterable


class Invalid(ValueError):
    """A value that cannot be: every problem found, not only the first."""

    def __init__(self, what: str, problems: Iterable[str]) -> None:
        #: One sentence for each problem.
        self.problems = tuple(problems)
        super().__init__(f"{what}: " + "; ".join(self.problems))


class InvalidHost(Invalid):
    """A host that no machine can be."""


class UncountableHost(InvalidHost):
    """A host that is real, but does not say what Nova counts guests by."""


class NoTopology(Invalid):
    """A host of which Nova reports no NUMA topology."""


class InvalidRequest(Invalid):
    """A request that no flavor and image can ask for."""


class InputError(Exception):
    """What was handed in makes no sense; the text says what and why.

    So is a place for the answer to which it cannot be written.
    """
