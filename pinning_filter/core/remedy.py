"""What would turn a "no" into a "yes", where that is simple to say.

After a refusal. Nothing here knows the rule: every remedy is tried on a
changed host or request, and only told if :func:`fit` then accepts it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pinning_filter.core import cpuset
from pinning_filter.core.fit import SPREAD, Strategy, fit
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.memory import of_size, page_name
from pinning_filter.core.refusal import Code, Fact, amount
from pinning_filter.core.request import (
    GuestCell,
    PageSize,
    Request,
    ThreadPolicy,
)


class Remedy(NamedTuple):
    """One change after which the request fits."""

    #: As a clause: "fits ...".
    text: str
    #: The changed request; the same, if the host is what must change.
    request: Request
    #: The changed host; the same, if the request is what must change.
    host: Host


#: A milder wish, as a clause after "fits", and the request that makes it.
_Wish = tuple[str, Callable[[Request], Request]]


def remedies(
    host: Host, request: Request, strategy: Strategy = SPREAD
) -> list[Remedy]:
    """The fewest changes after which the request fits.

    1. Each change of the request that is enough, and the least that must be
       freed in one host cell.
    2. Where neither will do, two changes of the request, and each of them
       with something freed; then three, and so on.

    Devices are left out: who asks for some gets no remedy that needs none.

    >>> from pinning_filter.core import request as asked, synthetic
    >>> four = asked.GuestCell(dedicated=frozenset(range(4)))
    >>> host = synthetic.host("cell:2 core:2 pu:2", used={0, 1, 4, 5, 6})
    >>> remedies(host, Request((four,)))[0].text
    'fits when 2 more pCPUs are free in host cell 0, such as 0-1'
    """
    wishes = [*_milder(request), *_in_more_cells(host, request, strategy)]
    for changes in range(1, len(wishes) + 2):
        found = [
            Remedy(f"fits {text}", changed, host)
            for text, changed in _combined(request, wishes, changes)
            if fit(host, changed, None, strategy)
        ]
        for text, changed in _combined(request, wishes, changes - 1):
            if freed := _least_freed(host, changed):
                clause = " ".join(filter(None, ["fits", text, freed[0]]))
                found.append(Remedy(clause, changed, freed[1]))
        if found:
            return found
    return []


def _combined(
    request: Request, wishes: Sequence[_Wish], number: int
) -> Iterator[tuple[str, Request]]:
    """The request with so many milder wishes, in every possible way."""
    for chosen in itertools.combinations(wishes, number):
        changed = request
        for _, change in chosen:
            changed = change(changed)
        yield " and ".join(text for text, _ in chosen), changed


def _milder(request: Request) -> Iterator[_Wish]:
    """What the request could do without."""
    if request.pinned and request.thread_policy is not ThreadPolicy.PREFER:
        yield (
            "with thread policy prefer",
            lambda each: dataclasses.replace(
                each, thread_policy=ThreadPolicy.PREFER
            ),
        )
    if request.pinned and request.emulator_isolated:
        yield (
            "without isolated emulator threads",
            lambda each: dataclasses.replace(each, emulator_isolated=False),
        )
    if any(cell.page_size not in (None, PageSize.ANY)
           for cell in request.cells):
        yield "with memory pages of any size", _of_any_page_size


def _in_more_cells(
    host: Host, request: Request, strategy: Strategy
) -> Iterator[_Wish]:
    """A guest of one cell in the fewest that fit, all of them alike.

    As Nova divides it: vCPUs in their order, memory in whole MiB.
    """
    if len(request.cells) > 1:
        return
    for cells in range(2, len(host.cells) + 1):
        parts = _divided(request, cells)
        if parts is not request and fit(host, parts, None, strategy):
            yield (
                f"with hw:numa_nodes={cells}",
                functools.partial(_divided, cells=cells),
            )
            return


def _divided(request: Request, cells: int) -> Request:
    """The request in so many guest cells; itself, if it cannot be divided."""
    if len(request.cells) > 1:
        return request
    (cell,) = request.cells
    vcpus = sorted(cell.vcpus)
    if len(vcpus) % cells or (cell.memory_kib >> 10) % cells:
        return request
    size = len(vcpus) // cells
    parts = [
        frozenset(vcpus[start : start + size])
        for start in range(0, len(vcpus), size)
    ]
    return dataclasses.replace(
        request,
        cells=tuple(
            dataclasses.replace(
                cell,
                dedicated=cell.dedicated & part,
                shared=cell.shared & part,
                memory_kib=cell.memory_kib // cells,
            )
            for part in parts
        ),
    )


def _of_any_page_size(request: Request) -> Request:
    cells = tuple(
        dataclasses.replace(cell, page_size=PageSize.ANY)
        for cell in request.cells
    )
    return dataclasses.replace(request, cells=cells)


def _least_freed(host: Host, request: Request) -> tuple[str, Host] | None:
    """What must be freed in the host cell that needs the least, if any."""
    if len(request.cells) > 1:
        return None
    found = filter(None, (_freed(host, each, request) for each in host.cells))
    least = min(found, key=lambda each: each[:2], default=None)
    return least and least[2:]


def _freed(
    host: Host, cell: HostCell, request: Request
) -> tuple[int, float, str, Host] | None:
    """The host with enough freed in one of its cells, and what that is.

    With the number of pCPUs and the memory, by which to choose the least.
    """
    others = [each for each in host.cells if each.id != cell.id]
    changed = cell
    (guest_cell,) = request.cells
    # Each step frees a pCPU, or all that is missing of something. Memory
    # counted beyond reason is never freed: small numbers are lost in it.
    for _ in range(len(cell.pinned) + len(_CURES)):
        answer = fit(host._replace(cells=[changed]), request)
        if answer:
            break
        cure = _CURES.get(answer.facts[0].code)
        cured = cure and cure(changed, answer.facts[0], guest_cell)
        if cured is None:
            return None
        changed = cured
    else:
        return None
    whole = host._replace(
        cells=sorted([*others, changed], key=lambda each: each.id)
    )
    pcpus = cell.pinned - changed.pinned
    memory = _free_kib(changed) - _free_kib(cell)
    if not (pcpus or memory > 0) or not fit(whole, request):
        return None
    return len(pcpus), memory, _when(cell, changed, request), whole


def _when(cell: HostCell, changed: HostCell, request: Request) -> str:
    """What is free in the changed host cell and not in the other."""
    pcpus = cell.pinned - changed.pinned
    wants = [_more_pcpus(len(pcpus))] if pcpus else []
    if (memory := _free_kib(changed) - _free_kib(cell)) > 0:
        wants.append(f"{amount(memory, 'KiB')} more memory")
        if request.cells[0].page_size is not None:
            wants[-1] += f" in pages of {_size_freed(cell, changed)}"
    are = "are" if len(pcpus) > 1 or len(wants) > 1 else "is"
    text = f"when {' and '.join(wants)} {are} free in host cell {cell.id}"
    return text + (f", such as {cpuset.format(pcpus)}" if pcpus else "")


def _size_freed(cell: HostCell, changed: HostCell) -> str:
    sizes = [
        page_name(before.size_kib)
        for before, after in zip(cell.pages, changed.pages, strict=True)
        if before != after
    ]
    return " and ".join(sizes)


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


def _some_pcpus(cell: HostCell, fact: Fact, _: GuestCell) -> HostCell | None:
    missing = int(fact.missing)
    pcpus = [pcpu for core in _by_core(cell) for pcpu in core]
    return _unpinned(cell, pcpus[:missing]) if missing <= len(pcpus) else None


def _whole_cores(
    cell: HostCell, fact: Fact, _: GuestCell
) -> HostCell | None:
    missing = int(fact.missing)
    cores = _by_core(cell)
    if missing > len(cores):
        return None
    return _unpinned(cell, [pcpu for core in cores[:missing] for pcpu in core])


def _next_core(cell: HostCell, fact: Fact, _: GuestCell) -> HostCell | None:
    """One core: how many siblings it brings is for the rule to say."""
    cores = _by_core(cell)
    return _unpinned(cell, cores[0]) if cores else None


def _memory(cell: HostCell, fact: Fact, _: GuestCell) -> HostCell | None:
    """As much memory as is missing, in the smallest pages that there are."""
    if cell.pages:
        return _of_pages(cell, min(cell.pages), fact.missing)
    used = cell.memory_used_kib - int(fact.missing)
    return cell._replace(memory_used_kib=used) if used >= 0 else None


def _pages(
    cell: HostCell, fact: Fact, guest_cell: GuestCell
) -> HostCell | None:
    """Memory in pages of the size that lacks the least of it."""
    asked, memory = guest_cell.page_size, guest_cell.memory_kib
    wanted = [
        each
        for each in (() if asked is None else of_size(cell, asked))
        if memory % each.size_kib == 0
    ]
    for each in sorted(wanted, key=lambda each: -each.free_kib):
        if changed := _of_pages(cell, each, memory - each.free_kib):
            return changed
    return None


def _of_pages(cell: HostCell, some: Pages, missing: float) -> HostCell | None:
    used = some.used - missing / some.size_kib
    if used < 0:
        return None
    pages = [
        each._replace(used=used) if each is some else each
        for each in cell.pages
    ]
    return cell._replace(pages=pages)


_CURES: dict[
    Code, Callable[[HostCell, Fact, GuestCell], HostCell | None]
] = {
    Code.PCPUS: _some_pcpus,
    Code.WHOLE_CORES: _whole_cores,
    Code.SIBLINGS: _next_core,
    Code.MEMORY: _memory,
    Code.PAGES: _pages,
}
