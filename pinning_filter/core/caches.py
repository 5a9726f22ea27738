"""The cores of a host cell in the order that shares last-level caches.

Before ``siblings`` chooses among the cores of a host cell, this puts them in
an order. The choice itself, and so whether the guest fits, is not touched:
where several cores are equally good, ``siblings`` takes the first.

A *domain* is the set of cores that share a last-level cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from pinning_filter.core.host import HostCell
from pinning_filter.core.request import ThreadPolicy

Core = AbstractSet[int]


def aligned(
    cell: HostCell,
    count: int,
    policy: ThreadPolicy,
    reserve: int = 0,
    apart: bool = False,
) -> HostCell:
    """The host cell with its cores in the order to take them in.

    All *preferences*, the first that tells two domains apart decides:

    1. Domains with more room for this guest first. Filling those is also how
       a guest that needs several touches as few as possible, and how guests
       that need one keep out of each other's.
    2. The domain with the lowest pCPU first; cores of no known domain last.

    Within a domain the host's own order stands. Room is counted in threads of
    cores as the thread policy will take them: with ``isolate``, and with
    ``prefer`` where vCPUs are kept apart, one of each wholly free core; else
    as many from each core as will be taken from every core used.

    >>> cell = HostCell(0, dedicated={0, 1, 2, 3}, pinned={0},
    ...                 siblings=[{0}, {1}, {2}, {3}],
    ...                 caches=[{0, 1}, {2, 3}])
    >>> [min(core) for core in aligned(cell, 2, ThreadPolicy.PREFER).siblings]
    [2, 3, 0, 1]

    :param count: how many dedicated vCPUs there are.
    :param reserve: how many further pCPUs the emulator threads need.
    :param apart: whether :mod:`~pinning_filter.core.apart` will choose.
    """
    if len(cell.caches) < 2 or not count + reserve:
        return cell
    room = _room(cell, count, policy, apart)
    domains = _domains(cell)
    cells = sorted(
        (
            (-sum(map(room, cores)), min(bank), cores)
            for bank, cores in zip(cell.caches, domains, strict=False)
        ),
        key=lambda domain: domain[:2],
    )
    ordered = [core for *_, cores in cells for core in cores]
    return cell._replace(siblings=ordered + domains[-1])


def _domains(cell: HostCell) -> list[list[Core]]:
    """The cores of each cache, and last those of none."""
    owner = {
        pcpu: index for index, bank in enumerate(cell.caches) for pcpu in bank
    }
    nowhere = len(cell.caches)
    domains: list[list[Core]] = [[] for _ in range(nowhere + 1)]
    for core in cell.siblings:
        domains[min((owner.get(p, nowhere) for p in core), default=nowhere)
                ].append(core)
    return domains


def _room(
    cell: HostCell, count: int, policy: ThreadPolicy, apart: bool
) -> Callable[[Core], int]:
    """How many pCPUs a core has for this guest."""
    free = cell.free
    one_each = apart and policy is ThreadPolicy.PREFER
    if one_each and sum(map(free.__ge__, cell.siblings)) < count:
        return lambda core: len(core & free)
    if one_each or policy is ThreadPolicy.ISOLATE:
        return lambda core: int(bool(core) and core <= free)
    lowest = 2 if policy is ThreadPolicy.REQUIRE else 1
    sizes = [len(core & free) for core in cell.siblings]
    level = _level(sizes, count, lowest)
    if level is None:
        return lambda core: _at_least(len(core & free), lowest)
    return lambda core: level if len(core & free) >= level else 0


def _at_least(size: int, lowest: int) -> int:
    return size if size >= lowest else 0


def _level(sizes: Sequence[int], count: int, lowest: int) -> int | None:
    """How many threads ``siblings`` takes of every core; None: as many as
    there are."""
    for level in range(max(sizes, default=0), lowest - 1, -1):
        if sum(level for size in sizes if size >= level) >= count:
            return level
    return None
