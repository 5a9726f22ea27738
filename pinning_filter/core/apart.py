"""One guest cell's vCPUs onto as many cores as there are free ones.

The third choice beside :func:`pinning_filter.core.siblings.take`, which is
Nova's, and :func:`pinning_filter.core.tight.take`: the same verdicts, other
pCPUs. Nova puts two vCPUs on the two threads of one core as soon as it can;
here each has a core to itself while there are free cores, as with ``isolate``,
but the other threads of these cores stay open to guests that come later.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from pinning_filter.core import siblings
from pinning_filter.core.host import HostCell
from pinning_filter.core.refusal import Fact
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.core.siblings import Taken


def take(
    cell: HostCell, count: int, policy: ThreadPolicy, reserve: int = 0
) -> Taken | Fact:
    """Choose free pCPUs of a host cell, and share as few cores as may be.

    1. One thread of each wholly free core. Ties: the host's order.
    2. The other threads of the same cores, one of each before a second of
       any: the guest shares its cores with itself rather than with others.
    3. Cores that others use, those with the most free threads first, one
       thread of each before a second of any. Ties: the host's order.
    4. The emulator threads on a free core if one is left, else on one that
       others use, else beside a vCPU.

    ``isolate`` takes whole cores in any case, and ``require`` asks for
    siblings, so these are as Nova chooses.

    >>> cell = HostCell(0, dedicated=set(range(6)), pinned={5},
    ...                 siblings=[{0, 1}, {2, 3}, {4, 5}])
    >>> siblings.take(cell, 3, ThreadPolicy.PREFER).pcpus
    [0, 1, 2]
    >>> take(cell, 3, ThreadPolicy.PREFER).pcpus
    [0, 2, 1]

    :param count: how many dedicated vCPUs there are.
    :param reserve: how many further pCPUs the emulator threads need, 0 or 1.
    :returns: the pCPUs, or why not; as of :func:`siblings.take
        <pinning_filter.core.siblings.take>`.
    """
    taken = siblings.take(cell, count, policy, reserve)
    if policy is not ThreadPolicy.PREFER or cell.threads < 2:
        return taken
    if not count or isinstance(taken, Fact):
        return taken
    whole, parts = _cores(cell)
    firsts = [threads[0] for threads in whole]
    seconds = list(_in_turn(threads[1:] for threads in whole))
    others = list(_in_turn(parts))
    pcpus = [*firsts, *seconds, *others][:count]
    left = [*firsts, *others, *seconds]
    if len(set(pcpus)) < count:
        return siblings.overlapping(cell)
    emulator = (pcpu for pcpu in left if pcpu not in pcpus)
    return Taken(pcpus, frozenset(itertools.islice(emulator, reserve)))


def _cores(cell: HostCell) -> tuple[list[list[int]], list[list[int]]]:
    """The threads of wholly free cores, and the free ones of others."""
    whole, parts = [], []
    for core in cell.siblings:
        if core <= cell.free:
            whole.append(list(core))
        elif threads := list(core & cell.free):
            parts.append(threads)
    parts.sort(key=len, reverse=True)
    return [threads for threads in whole if threads], parts


def _in_turn(cores: Iterable[list[int]]) -> Iterator[int]:
    """The first thread of each, then the second of each, and so on."""
    for row in itertools.zip_longest(*cores):
        yield from (pcpu for pcpu in row if pcpu is not None)
