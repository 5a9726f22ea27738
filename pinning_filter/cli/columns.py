"""What stands in a cell of an answer's table, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from cliff import columns

from pinning_filter.core import cpuset
from pinning_filter.core.text import one_line


def size(kib: int) -> str:
    """KiB in the largest unit that leaves no fraction.

    >>> size(3 << 20), size(1536 << 10), size(4)
    ('3 GiB', '1536 MiB', '4 KiB')
    """
    for step, unit in ((1 << 20, "GiB"), (1 << 10, "MiB")):
        if kib and kib % step == 0:
            return f"{kib // step} {unit}"
    return f"{kib} KiB"


if TYPE_CHECKING:
    _Numbers = columns.FormattableColumn[Mapping[int, int]]
    _Set = columns.FormattableColumn[AbstractSet[int]]
    _List = columns.FormattableColumn[Sequence[int]]
    _Texts = columns.FormattableColumn[Sequence[str]]
else:
    # cliff says what it holds since 4.9, newer than Nova 29 and Ubuntu 24.04.
    _Numbers = _Set = _List = _Texts = columns.FormattableColumn


class Pinning(_Numbers):
    """vCPU -> pCPU."""

    def human_readable(self) -> str:
        """As ``0->2 1->3``."""
        pairs = sorted(self._value.items())
        return " ".join(f"{vcpu}->{pcpu}" for vcpu, pcpu in pairs)

    def machine_readable(self) -> dict[str, int]:  # type: ignore[override]
        """Keys as text, which is all that JSON has."""
        return {
            str(vcpu): pcpu for vcpu, pcpu in sorted(self._value.items())
        }


class Cpus(_Set):
    """vCPUs or pCPUs."""

    def human_readable(self) -> str:
        """As ``0-3,8``."""
        return cpuset.format(self._value)

    def machine_readable(self) -> list[int]:  # type: ignore[override]
        """In ascending order."""
        return sorted(self._value)


class Steps(_List):
    """Numbers of steps."""

    def human_readable(self) -> str:
        """As ``1, 3``."""
        return ", ".join(map(str, self._value))

    def machine_readable(self) -> list[int]:
        """In their order."""
        return list(self._value)


class Clauses(_Texts):
    """Several texts that say something each."""

    def human_readable(self) -> str:
        """Side by side."""
        return one_line("; ".join(self._value))

    def machine_readable(self) -> list[str]:
        """In their order."""
        return list(self._value)


class ByCell(_Numbers):
    """A number for each host cell that has one."""

    def human_readable(self) -> str:
        """As ``0:2 1:1``."""
        return " ".join(f"{cell}:{n}" for cell, n in self._value.items() if n)

    def machine_readable(self) -> dict[str, int]:  # type: ignore[override]
        """Keys as text, which is all that JSON has."""
        return {str(cell): number for cell, number in self._value.items()}


class MemoryByCell(ByCell):
    """KiB for each host cell that has some."""

    def exact(self) -> str:
        """As ``0:13107200``."""
        return super().human_readable()

    def human_readable(self) -> str:
        """As ``0:12.5 GiB``."""
        return " ".join(
            f"{cell}:{kib / (1 << 20):.1f} GiB"
            for cell, kib in self._value.items()
            if kib
        )
