"""What an audit can find: codes that stay, and findings.

Each code is told on the documentation's page "Does it still hold?".
"""

from __future__ import annotations

import dataclasses
import enum
import shlex


class Severity(enum.Enum):
    """How much a finding costs."""

    CRITICAL = "critical"  #: guests share what is one's own, or soon will
    WARNING = "warning"  #: the books are wrong; room is lost, or refused


class Code(enum.Enum):
    """What is found. Stable: programs compare the values."""

    PCPU_HELD_TWICE = "pcpu-held-twice"
    PCPU_NOT_DEDICATED = "pcpu-not-dedicated"
    PCPU_OF_OTHER_CELL = "pcpu-of-other-cell"
    SIBLING_IN_USE = "sibling-in-use"
    PLACEMENT_UNREADABLE = "placement-unreadable"
    HOST_UNREADABLE = "host-unreadable"
    PCPU_COUNTED_FREE = "pcpu-counted-free"
    PCPU_COUNTED_TAKEN = "pcpu-counted-taken"
    USAGE_MISCOUNTED = "usage-miscounted"
    ALLOCATION_MISSING = "allocation-missing"
    ALLOCATION_DIFFERS = "allocation-differs"
    ALLOCATION_OF_NOBODY = "allocation-of-nobody"
    INVENTORY_DIFFERS = "inventory-differs"

    @property
    def severity(self) -> Severity:
        """How much every finding of this code costs."""
        return (
            Severity.CRITICAL if self in _CRITICAL else Severity.WARNING
        )


_CRITICAL = frozenset(
    {
        Code.PCPU_HELD_TWICE,
        Code.PCPU_NOT_DEDICATED,
        Code.SIBLING_IN_USE,
        Code.PLACEMENT_UNREADABLE,
        Code.PCPU_COUNTED_FREE,
        Code.ALLOCATION_MISSING,
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. Equal where it is the same one."""

    code: Code
    host: str  #: the compute node
    expected: str  #: what would be right
    seen: str  #: what there is
    remedy: str  #: a command that would mend it; nobody runs it
    server: str = ""  #: the server's UUID, or the consumer's; empty: none
    name: str = ""  #: the server's name, whatever its tenant made it


def command(*words: str) -> str:
    """A command as a shell takes it, whatever is in its words.

    >>> command("openstack", "server", "show", "a; reboot")
    "openstack server show 'a; reboot'"
    """
    return shlex.join(words)
