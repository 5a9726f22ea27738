"""What would turn a "no" into a "yes", where that is simple to say.

After a refusal. Nothing here knows the rule: every remedy is tried on a
changed host or request, and only told if :func:`fit` then accepts it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pinning_filter.core import cpuset
from pinning_filter.core.fit import SPREAD, Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.refusal import Code, Fact, amount
from pinning_filter.core.request import Request, ThreadPolicy


class Remedy(NamedTuple):
    """One change after which the request fits."""

    #: As a clause: "fits ...".
    text: str
    #: The changed request; the same, if the host is what must change.
    request: Request
    #: The changed host; the same, if the request is what must change.
    host: Host


def remedies(
    host: Host, request: Request, strategy: Strategy = SPREAD
) -> list[Remedy]:
    """Changes of the request, then the least change of one host cell.

    Devices are left out: who asks for some gets no remedy that needs none.

    >>> from pinning_filter.core import request as asked, synthetic
    >>> four = asked.GuestCell(dedicated=frozenset(range(4)))
    >>> host = synthetic.host("cell:2 core:2 pu:2", used={0, 1, 4, 5, 6})
    >>> remedies(host, Request((four,)))[0].text
    'fits when 2 more pCPUs are free in host cell 0, such as 0-1'
    """
    found = [
        Remedy(text, changed, host)
        for text, changed in _milder(request)
        if fit(host, changed, None, strategy)
    ]
    if len(request.cells) == 1:
        changes = [
            change
            for cell in host.cells
            if (change := _freed(host, cell, request))
        ]
        if changes:
            _, _, text, changed = min(changes, key=lambda each: each[:2])
            found.append(Remedy(text, request, changed))
    return found


def _milder(request: Request) -> Iterator[tuple[str, Request]]:
    """The request, asking for less."""
    if not request.pinned:
        return
    prefer = dataclasses.replace(request, thread_policy=ThreadPolicy.PREFER)
    if request.thread_policy is not ThreadPolicy.PREFER:
        yield "fits with thread policy prefer", prefer
    if request.emulator_isolated:
        yield (
            "fits without isolated emulator threads",
            dataclasses.replace(request, emulator_isolated=False),
        )


def _freed(
    host: Host, cell: HostCell, request: Request
) -> tuple[int, float, str, Host] | None:
    """The host with enough freed in one of its cells, and what that is.

    With the number of pCPUs and the memory, by which to choose the least.
    """
    others = [each for each in host.cells if each.id != cell.id]
    changed = cell
    # Each step frees something, so there is a last one.
    while not (answer := fit(host._replace(cells=[changed]), request)):
        cure = _CURES.get(answer.facts[0].code)
        cured = cure(changed, answer.facts[0]) if cure else None
        if cured is None:
            return None
        changed = cured
    whole = host._replace(
        cells=sorted([*others, changed], key=lambda each: each.id)
    )
    pcpus = cell.pinned - changed.pinned
    memory = _free_kib(changed) - _free_kib(cell)
    if not (pcpus or memory > 0) or not fit(whole, request):
        return None
    wants = []
    if pcpus:
        wants.append(_more_pcpus(len(pcpus)))
    if memory > 0:
        wants.append(f"{amount(memory, 'KiB')} more memory")
    are = "are" if len(pcpus) > 1 or len(wants) > 1 else "is"
    text = f"fits when {' and '.join(wants)} {are} free in "
    text += f"host cell {cell.id}"
    if pcpus:
        text += f", such as {cpuset.format(pcpus)}"
    return len(pcpus), memory, text, whole


def _more_pcpus(number: int) -> str:
    return f"{number} more pCPU" + ("" if number == 1 else "s")


def _free_kib(cell: HostCell) -> float:
    if cell.pages:
        return sum(pages.free_kib for pages in cell.pages)
    return cell.memory_free_kib


def _by_core(cell: HostCell) -> list[list[int]]:
    """The pinned pCPUs of each core, cores that are the least taken first."""
    cores = [
        sorted(core & cell.pinned & cell.dedicated) for core in cell.siblings
    ]
    return sorted(filter(None, cores), key=lambda core: (len(core), core))


def _unpinned(cell: HostCell, pcpus: list[int]) -> HostCell:
    pinned = cell.pinned - frozenset(pcpus)
    return cell._replace(pinned=pinned, free=cell.dedicated - pinned)


def _some_pcpus(cell: HostCell, fact: Fact) -> HostCell | None:
    missing = int(fact.needed - fact.free)
    pcpus = [pcpu for core in _by_core(cell) for pcpu in core]
    return _unpinned(cell, pcpus[:missing]) if missing <= len(pcpus) else None


def _whole_cores(cell: HostCell, fact: Fact) -> HostCell | None:
    missing = int(fact.needed - fact.free)
    cores = _by_core(cell)
    if missing > len(cores):
        return None
    return _unpinned(cell, [pcpu for core in cores[:missing] for pcpu in core])


def _next_core(cell: HostCell, fact: Fact) -> HostCell | None:
    """One core: how many siblings it brings is for the rule to say."""
    cores = _by_core(cell)
    return _unpinned(cell, cores[0]) if cores else None


def _memory(cell: HostCell, fact: Fact) -> HostCell | None:
    """As much memory as is missing, in the smallest pages that there are."""
    missing = fact.needed - fact.free
    if not cell.pages:
        used = cell.memory_used_kib - int(missing)
        return cell._replace(memory_used_kib=used) if used >= 0 else None
    smallest = min(cell.pages)
    used_pages = smallest.used - missing / smallest.size_kib
    if used_pages < 0:
        return None
    pages = [
        each._replace(used=used_pages) if each is smallest else each
        for each in cell.pages
    ]
    return cell._replace(pages=pages)


_CURES: dict[Code, Callable[[HostCell, Fact], HostCell | None]] = {
    Code.PCPUS: _some_pcpus,
    Code.WHOLE_CORES: _whole_cores,
    Code.SIBLINGS: _next_core,
    Code.MEMORY: _memory,
}
