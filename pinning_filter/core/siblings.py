"""One guest cell's dedicated vCPUs onto the cores of one host cell.

Whatever sees exactly one host cell's cores is here; memory, floating vCPUs
and other cells are not.

The order within a core is that of its set, as in Nova: where ids hash to
their own order that is ascending, and it only says which of two siblings a
vCPU gets.
"""

from __future__ import annotations

import itertools
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.host import HostCell
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import ThreadPolicy

_NOTHING: frozenset[int] = frozenset()
# Looked up in an enumeration each time, they would cost more than their use.
_ISOLATE = ThreadPolicy.ISOLATE
_REQUIRE = ThreadPolicy.REQUIRE


class Taken(NamedTuple):
    """pCPUs for one guest cell."""

    pcpus: list[int]  #: for the dedicated vCPUs, in ascending order of these
    reserved: frozenset[int]  #: for the emulator threads
    #: Whether Nova takes the cell too, rather than to refuse what no rule
    #: forbids. Where there are both kinds, the choice is Nova's.
    usual: bool = True


def take(
    cell: HostCell, count: int, policy: ThreadPolicy, reserve: int = 0
) -> Taken | Fact:
    """Choose free pCPUs of a host cell by the rule of the thread policy.

    The rules are in :class:`~pinning_filter.core.request.ThreadPolicy`; the
    order of choice is Nova's (``_pack_instance_onto_cores``) and Nova's
    refusals that its own rules do not ask for are not.

    >>> cell = HostCell(0, dedicated={0, 1, 2, 3}, siblings=[{0, 1}, {2, 3}])
    >>> take(cell, 2, ThreadPolicy.PREFER).pcpus
    [0, 1]

    :param count: how many dedicated vCPUs there are.
    :param reserve: how many further pCPUs the emulator threads need, 0 or 1.
    :returns: the pCPUs, or why not; "unreadable" where overlapping sibling
        sets would give one pCPU twice.
    """
    if not count:
        return _none(cell, policy, reserve)
    if policy is _ISOLATE:
        taken = _isolated(cell, count, reserve)
    else:
        require = policy is _REQUIRE
        pcpus = _first_whole_cores(cell, count, 2 if require else 1)
        if pcpus is not None and not reserve:
            taken = Taken(pcpus, _NOTHING)
        elif pcpus is not None:
            taken = _reserving(cell, pcpus, reserve)
        elif require:
            taken = _required(cell, count, reserve)
        else:
            taken = _reserving(cell, _preferred(cell, count), reserve)
    if isinstance(taken, Taken) and len(set(taken[0])) < count:
        return overlapping(cell)
    return taken


def overlapping(cell: HostCell) -> Fact:
    """The cell cannot be used: it says that a thread is of several cores."""
    detail = "its sibling sets share pCPUs"
    return Fact(Code.UNREADABLE, host_cell=cell.id, detail=detail)


def _none(
    cell: HostCell, policy: ThreadPolicy, reserve: int
) -> Taken | Fact:
    """No dedicated vCPU: no thread policy, but for isolated emulators."""
    if policy is ThreadPolicy.ISOLATE:
        found = _isolated(cell, 0, reserve) if reserve else Taken([], _NOTHING)
    else:
        found = _reserving(cell, [], reserve)
    if isinstance(found, Fact):
        return found
    usual = policy is ThreadPolicy.PREFER or (
        policy is ThreadPolicy.REQUIRE
        and any(len(threads) > 1 for threads in _free_cores(cell))
    )
    return found._replace(usual=usual and not reserve)


def _free_cores(cell: HostCell) -> list[AbstractSet[int]]:
    """The free threads of each core that has any, in the host's order."""
    free = cell.free
    return [threads for core in cell.siblings if (threads := core & free)]


def _by_level(
    cores: list[AbstractSet[int]], count: int, lowest: int
) -> list[int] | None:
    """Nova's choice: the same number of threads from every core used.

    1. From the most threads that any core has free down to ``lowest``:
    2. of the cores with at least so many free, in the host's order,
    3. take so many threads each, until there are enough.
    """
    for level in range(max(map(len, cores), default=0), lowest - 1, -1):
        if len(cores) * level < count:
            continue
        pcpus: list[int] = []
        for threads in cores:
            if len(threads) >= level:
                pcpus += list(threads)[:level]
                if len(pcpus) >= count:
                    return pcpus[:count]
    return None


def _preferred(cell: HostCell, count: int) -> list[int] | Fact:
    """Siblings if possible, else any free pCPUs in the host's order."""
    cores = _free_cores(cell)
    pcpus = _by_level(cores, count, lowest=1)
    if pcpus is None:
        pcpus = [pcpu for threads in cores for pcpu in threads]
        if len(pcpus) < count:
            return Fact(Code.PCPUS, count, len(pcpus), "pCPUs", cell.id)
    return pcpus[:count]


def _first_whole_cores(
    cell: HostCell, count: int, lowest: int
) -> list[int] | None:
    """What `_by_level` finds at its highest level, without a look at all.

    Most hosts have wholly free cores near the front of the list, and stopping
    there is what makes a large host as fast as a small one.
    """
    free, threads = cell.free, cell.threads
    if threads < lowest:
        return None
    enough = -(-count // threads)
    whole = itertools.islice(filter(free.__ge__, cell.siblings), enough)
    pcpus = [pcpu for core in whole for pcpu in core & free]
    # Fewer if there are not enough such cores, or one is not of the largest.
    return pcpus[:count] if len(pcpus) == enough * threads else None


def _required(cell: HostCell, count: int, reserve: int) -> Taken | Fact:
    """On cores with two free threads at least, and at most one vCPU alone.

    1. As Nova: the same number of threads, two at least, from each core.
    2. Else cores with two and more free threads, emptiest first, each filled
       up; the last of them may hold a vCPU that is alone. Ties: the host's
       order.
    """
    if cell.threads < 2:
        return Fact(Code.NO_SMT, 2, cell.threads, "threads a core", cell.id)
    cores = _free_cores(cell)
    pcpus = _by_level(cores, count, lowest=2)
    if pcpus is not None:
        return _reserving(cell, pcpus, reserve)
    beside = [threads for threads in cores if len(threads) > 1]
    beside.sort(key=len, reverse=True)
    pcpus = [pcpu for threads in beside for pcpu in threads]
    if len(pcpus) < count:
        return Fact(Code.SIBLINGS, count, len(pcpus), "pCPUs", cell.id)
    taken = _reserving(cell, pcpus[:count], reserve)
    return taken if isinstance(taken, Fact) else taken._replace(usual=False)


def _isolated(cell: HostCell, count: int, reserve: int) -> Taken | Fact:
    """Each vCPU on a wholly free core, and the emulator threads on another.

    1. On a cell whose cores have several threads this takes the siblings out
       of use, which only the legacy configuration (``vcpu_pin_set``, where
       shared and dedicated pCPUs are the same) can account for.
    2. Only the largest cores: a host reports of a core what is given out, so
       the sibling of a smaller one may be the host's own. Ties: the host's
       order.
    3. The emulator threads take the first wholly free core that is left.
    """
    if smt := _useless_smt(cell, count + reserve):
        return smt
    free, threads = cell.free, cell.threads
    whole = [
        core & free
        for core in cell.siblings
        if core <= free and 0 < len(core) == threads
    ]
    if len(whole) < count + reserve:
        code, needed = Code.WHOLE_CORES, count + reserve
        return too_few(code, needed, len(whole), cell, reserve, "cores")
    chosen = whole[:count]
    pcpus = [next(iter(core)) for core in chosen]
    if not reserve:
        return Taken(pcpus, _NOTHING)
    left = next((core for core in whole if core not in chosen), None)
    if left is None:
        return overlapping(cell)
    return Taken(pcpus, frozenset({next(iter(left))}))


def _useless_smt(cell: HostCell, needed: int) -> Fact | None:
    threads = cell.threads
    if threads < 2 or cell.shared == cell.dedicated:
        return None
    unit, detail = "cores without SMT", str(threads)
    return Fact(Code.SMT, needed, 0, unit, cell.id, detail=detail)


def lasting(
    cell: HostCell, count: int, policy: ThreadPolicy, reserve: int = 0
) -> Fact | None:
    """What :func:`take` would lack even if every pCPU were free.

    >>> cell = HostCell(0, dedicated={0, 1}, siblings=[{0, 1}])
    >>> lasting(cell, 1, ThreadPolicy.ISOLATE).code.value
    'smt'
    """
    needed, dedicated = count + reserve, cell.dedicated
    if needed > (total := len(dedicated)):
        return too_few(Code.PCPUS_TOTAL, needed, total, cell, reserve)
    if policy is _ISOLATE and needed:
        if smt := _useless_smt(cell, needed):
            return smt
        whole = sum(
            core <= dedicated and 0 < len(core) == cell.threads
            for core in cell.siblings
        )
        if whole < needed:
            code = Code.WHOLE_CORES_TOTAL
            return too_few(code, needed, whole, cell, reserve, "cores")
    if policy is _REQUIRE and count:
        if cell.threads < 2:
            unit = "threads a core"
            return Fact(Code.NO_SMT, 2, cell.threads, unit, cell.id)
        beside = 0
        for core in cell.siblings:
            if (threads := len(core & dedicated)) > 1:
                beside += threads
            if beside >= count:  # most often after a few cores
                return None
        return Fact(Code.SIBLINGS_TOTAL, count, beside, "pCPUs", cell.id)
    return None


def too_few(
    code: Code,
    needed: int,
    free: int,
    cell: HostCell,
    reserve: int,
    unit: str = "pCPUs",
) -> Fact:
    """That there are too few, and whether the vCPUs alone want so many."""
    detail = " (one for emulator threads)" if reserve else ""
    return Fact(code, needed, free, unit, cell.id, detail=detail)


def _reserving(
    cell: HostCell, pcpus: list[int] | Fact, reserve: int
) -> Taken | Fact:
    """The first free pCPU that is left goes to the emulator threads."""
    if isinstance(pcpus, Fact):
        return pcpus
    if not reserve:
        return Taken(pcpus, _NOTHING)
    for threads in _free_cores(cell):
        for pcpu in threads:
            if pcpu not in pcpus:
                return Taken(pcpus, frozenset({pcpu}))
    needed = len(pcpus) + reserve
    return too_few(Code.PCPUS, needed, len(pcpus), cell, reserve)
