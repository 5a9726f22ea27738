"""One guest cell's vCPUs onto as few whole cores as possible.

The other choice beside :func:`pinning_filter.core.siblings.take`, which is
Nova's: the same verdicts, other pCPUs. Nova takes the emptiest cores first,
so a guest that does not mind breaks cores that a guest with ``require`` or
``isolate`` would need; here half-used cores are filled first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pinning_filter.core import siblings
from pinning_filter.core.host import HostCell
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.core.siblings import Taken


def take(
    cell: HostCell, count: int, policy: ThreadPolicy, reserve: int = 0
) -> Taken | Fact:
    """Choose free pCPUs of a host cell, and leave many whole cores.

    A core is whole while all of its threads are free. It is half-used where
    some are in use, or not open to pinning, or offline.

    1. Whole cores only for what half-used ones cannot hold, the largest
       first. Ties: the host's order.
    2. The rest on half-used cores, those with the fewest free threads first.
       With ``require`` none with one free thread. Ties: the host's order.
    3. The emulator threads on a half-used core, else on the core that was
       broken, else on a whole one.

    ``isolate`` takes whole cores only, so there is nothing to choose.

    >>> cell = HostCell(0, dedicated=set(range(6)), pinned={1},
    ...                 siblings=[{0, 1}, {2, 3}, {4, 5}])
    >>> siblings.take(cell, 3, ThreadPolicy.PREFER).pcpus
    [2, 3, 4]
    >>> take(cell, 3, ThreadPolicy.PREFER).pcpus
    [2, 3, 0]

    :param count: how many dedicated vCPUs there are.
    :param reserve: how many further pCPUs the emulator threads need, 0 or 1.
    :returns: the pCPUs, or why not; as of :func:`siblings.take
        <pinning_filter.core.siblings.take>`.
    """
    if policy is ThreadPolicy.ISOLATE or not count + reserve:
        return siblings.take(cell, count, policy, reserve)
    require = policy is ThreadPolicy.REQUIRE and count > 0
    if require and cell.threads < 2:
        return Fact(Code.NO_SMT, 2, cell.threads, "threads a core", cell.id)
    whole, parts = _cores(cell)
    beside = [core for core in parts if len(core) > 1]
    pcpus = _chosen(whole, beside if require else parts, count)
    if len(pcpus) < count:
        code = Code.SIBLINGS if require else Code.PCPUS
        return Fact(code, count, len(pcpus), "pCPUs", cell.id)
    if len(set(pcpus)) < count:
        return siblings.overlapping(cell)
    return _reserving(cell, pcpus, parts + whole, reserve)


def _cores(cell: HostCell) -> tuple[list[list[int]], list[list[int]]]:
    """The free threads of whole cores, and those of half-used ones."""
    free, fewest = cell.free, min(cell.threads, 2)
    whole, parts = [], []
    for core in cell.siblings:
        if core <= free and len(core) >= fewest:
            whole.append(list(core))
        elif threads := list(core & free):
            parts.append(threads)
    whole.sort(key=len, reverse=True)
    parts.sort(key=len)
    return whole, parts


def _chosen(
    whole: Sequence[list[int]], parts: Sequence[list[int]], count: int
) -> list[int]:
    """As few whole cores as will do, then half-used ones; maybe too few."""
    held = sum(map(len, parts))
    pcpus: list[int] = []
    for core in whole:
        if count - len(pcpus) <= held:
            break
        pcpus += core
    for core in parts:
        pcpus += core
    return pcpus[:count]


def _reserving(
    cell: HostCell, pcpus: list[int], cores: Sequence[list[int]], reserve: int
) -> Taken | Fact:
    """The first pCPU that is left goes to the emulator threads."""
    left = (pcpu for core in cores for pcpu in core if pcpu not in pcpus)
    reserved = frozenset(itertools.islice(left, reserve))
    if len(reserved) < reserve:
        needed = len(pcpus) + reserve
        return siblings.too_few(
            Code.PCPUS, needed, len(pcpus), cell, reserve
        )
    return Taken(pcpus, reserved)
