"""What an audit can find: codes that stay, and findings.

Each code is told on the documentation's page "Does it still hold?".
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from collections.abc import Iterable


class Severity(enum.Enum):
    """How much a finding costs."""

    CRITICAL = "critical"  #: guests share what is one's own, or soon will
    WARNING = "warning"  #: the books are wrong; room is lost, or refused


class Code(enum.Enum):
    """What is found. Stable: programs compare the values."""

    PCPU_HELD_TWICE = "pcpu-held-twice"
    PCPU_NOT_DEDICATED = "pcpu-not-dedicated"
    PCPU_OF_OTHER_CELL = "pcpu-of-other-cell"
    VCPU_UNPINNED = "vcpu-unpinned"
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
    # What a compute node was seen to do.
    PCPU_RUN_TWICE = "pcpu-run-twice"
    PIN_CHANGED = "pin-changed"
    THREAD_ELSEWHERE = "thread-elsewhere"
    FLOATING_ON_DEDICATED = "floating-on-dedicated"
    DOMAIN_UNKNOWN = "domain-unknown"
    DOMAIN_MISSING = "domain-missing"
    DOMAIN_DIFFERS = "domain-differs"
    DOMAIN_UNREADABLE = "domain-unreadable"
    MEMORY_ELSEWHERE = "memory-elsewhere"
    PAGES_DIFFER = "pages-differ"
    CELL_MEMORY_SHORT = "cell-memory-short"
    PCPU_OFFLINE = "pcpu-offline"
    ISOLCPUS_DIFFERS = "isolcpus-differs"
    NOHZ_FULL_DIFFERS = "nohz-full-differs"
    IRQS_ON_DEDICATED = "irqs-on-dedicated"
    CPUSET_TOO_NARROW = "cpuset-too-narrow"
    SETTINGS_DIFFER = "settings-differ"
    PAGES_TAKEN = "pages-taken"

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
        Code.VCPU_UNPINNED,
        Code.SIBLING_IN_USE,
        Code.PLACEMENT_UNREADABLE,
        Code.PCPU_COUNTED_FREE,
        Code.ALLOCATION_MISSING,
        Code.PCPU_RUN_TWICE,
        Code.PIN_CHANGED,
        Code.THREAD_ELSEWHERE,
        Code.FLOATING_ON_DEDICATED,
        Code.DOMAIN_UNKNOWN,
        Code.DOMAIN_DIFFERS,
        Code.CELL_MEMORY_SHORT,
        Code.PCPU_OFFLINE,
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. Equal where it is the same one, though it grows."""

    code: Code
    host: str  #: the compute node
    expected: str  #: what would be right
    #: What there is.
    seen: str = dataclasses.field(compare=False)
    #: A command that would mend it; nobody runs it.
    remedy: str = dataclasses.field(compare=False)
    server: str = ""  #: the server's UUID, or the consumer's; empty: none
    #: The server's name, whatever its tenant made it.
    name: str = dataclasses.field(default="", compare=False)
    #: pCPUs of pinned guests that it is about, where it is about any.
    pcpus: frozenset[int] = frozenset()


def confirmed(
    first: Iterable[Finding], second: Iterable[Finding]
) -> list[Finding]:
    """Findings of the second pass that the first one had, too.

    What is just being built, moved or deleted is in one of them only.
    """
    before = set(first)
    return [finding for finding in second if finding in before]


def command(*words: str) -> str:
    """A command as a shell takes it, whatever is in its words.

    >>> command("openstack", "server", "show", "a; reboot")
    "openstack server show 'a; reboot'"
    """
    return shlex.join(words)
