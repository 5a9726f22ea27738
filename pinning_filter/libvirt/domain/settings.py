"""What a guest's XML says beyond its placement."""

from __future__ import annotations

import dataclasses
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.errors import Invalid


class InvalidSettings(Invalid):
    """Settings that no guest, or not this one, can have."""


class Topology(NamedTuple):
    """A guest's CPU topology: their product is the number of vCPUs."""

    sockets: int
    cores: int  #: a socket
    threads: int  #: a core


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a guest's XML says beyond its placement.

    >>> Settings(cpu_shares=1024).iothreads
    1

    :raises InvalidSettings: with every problem.
    """

    #: The topology that flavor or image ask for, as Nova reads it; None where
    #: they ask for none.
    topology: Topology | None = None
    #: Whether the topology follows the host's threads where none is asked
    #: for; else it is Nova's: every vCPU a socket.
    mirror: bool = True
    cpu_shares: int | None = None  #: ``quota:cpu_shares``
    cpu_quota: int | None = None  #: ``quota:cpu_quota``, in microseconds
    cpu_period: int | None = None  #: ``quota:cpu_period``, in microseconds
    realtime: AbstractSet[int] = frozenset()  #: vCPUs scheduled in real time
    realtime_priority: int = 1  #: theirs, 1 to 99
    #: pCPUs for the emulator threads of a guest that asks them to ``share``
    #: those; empty: it does not ask, or the host has none set apart.
    emulator_pool: AbstractSet[int] = frozenset()
    #: Keep emulator and I/O threads of a guest of several cells on the host
    #: cell of its first guest cell that has room for them. Nova: never.
    emulator_near_first_cell: bool = False
    iothreads: int = 1  #: Nova: 1 from 33.0.0 on, 0 before
    locked: bool = False  #: ``hw:locked_memory``, or memory is encrypted
    file_backed: bool = False  #: ``[libvirt] file_backed_memory``
    #: Show a guest of several cells the distances of its host cells. Nova:
    #: never.
    distances: bool = False

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}, allowed is {low} to {high}"
            for name, value, low, high in (
                ("realtime_priority", self.realtime_priority, 1, 99),
                ("iothreads", self.iothreads, 0, 65535),
            )
            if not low <= value <= high
        ]
        if self.topology is not None and min(self.topology) < 1:
            problems.append(
                "the topology of {} sockets x {} cores x {} threads has a "
                "number below 1".format(*self.topology)
            )
        if problems:
            raise InvalidSettings("guest settings", problems)


#: What a guest gets whose flavor and image say nothing more.
DEFAULT = Settings()
