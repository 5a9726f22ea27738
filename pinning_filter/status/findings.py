"""What a check says: how bad it is, what there is, and what to do about it.

Made by every check, shown by the command line; knows neither.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable

#: The check that says what could not be read.
DATABASES = "databases"

#: So many names are told; of the rest, how many they are.
_NAMED = 5


class Level(enum.Enum):
    """How bad it is, from good to bad. The values are stable."""

    OK = "ok"  #: there is nothing to say
    NOTE = "note"  #: worth knowing; nothing has to be done
    UNKNOWN = "unknown"  #: it could not be asked
    WARNING = "warning"  #: servers may be refused, or sit where nobody expects
    FAILURE = "failure"  #: a service does not start, or pins nothing


#: From good to bad.
_ORDER = tuple(Level)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has to say."""

    level: Level
    text: str  #: what there is, as sentences
    remedy: str = ""  #: what to do about it, as sentences; empty: nothing


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    check: str  #: its name; stable
    findings: tuple[Finding, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of what it found."""
        return worst(finding.level for finding in self.findings)


def worst(levels: Iterable[Level]) -> Level:
    """The worst level; of none, that all is well.

    >>> worst([Level.UNKNOWN, Level.NOTE])
    <Level.UNKNOWN: 'unknown'>
    """
    return max(levels, key=_ORDER.index, default=Level.OK)


def names(many: Collection[str]) -> str:
    """Some names, and how many there are if these are not all.

    >>> names(["a", "b"])
    'a, b'
    >>> names([f"cmp{number}" for number in range(9)])
    'cmp0, cmp1, cmp2, cmp3, cmp4, ... (9 in all)'
    """
    first = ", ".join(sorted(many)[:_NAMED])
    more = f", ... ({len(many)} in all)" if len(many) > _NAMED else ""
    return first + more


def count(many: Collection[str], what: str) -> str:
    """How many of something, and which.

    >>> count(["a"], "compute node"), count(["a", "b"], "compute node")
    ('1 compute node (a)', '2 compute nodes (a, b)')
    """
    ending = "" if len(many) == 1 else "s"
    first = ", ".join(sorted(many)[:_NAMED])
    more = ", ..." if len(many) > _NAMED else ""
    return f"{len(many)} {what}{ending} ({first}{more})"
