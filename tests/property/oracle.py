"""The rules again, by brute force, written apart from the engine.

Reads the engine's values (hosts, requests) as plain data and none of its
code. A placement is given as one :class:`Claim` for each guest cell; an
empty list of objections means that it keeps every hard rule. Whether any
placement exists is answered by trying them all, so hosts must be small.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.request import GuestCell, Request


class Claim(NamedTuple):
    """Where somebody wants one guest cell to be."""

    host_cell: int  #: id
    pinning: Mapping[int, int]  #: dedicated vCPU -> pCPU
    reserved: AbstractSet[int]  #: pCPUs for emulator threads
    page_size_kib: int | None


#: Whether host cells, by id, are near enough to the devices asked for.
Near = Callable[[AbstractSet[int]], bool]


def objections(
    host: Host,
    request: Request,
    claims: Sequence[Claim],
    near: Near | None = None,
) -> list[str]:
    """Every hard rule that a placement breaks."""
    found: list[str] = []
    cells = {cell.id: cell for cell in host.cells}
    if len(claims) != len(request.cells):
        return [f"{len(request.cells)} guest cells, {len(claims)} claims"]
    chosen = [claim.host_cell for claim in claims]
    if len(set(chosen)) < len(chosen):
        found.append(f"host cells {chosen} repeat")
    for index, claim in enumerate(claims):
        if claim.host_cell not in cells:
            found.append(f"there is no host cell {claim.host_cell}")
            continue
        cell, guest = cells[claim.host_cell], request.cells[index]
        found += [
            f"guest cell {index} on host cell {cell.id}: {each}"
            for each in itertools.chain(
                _pinning(request, index, cell, claim),
                _memory(request, cell, guest, claim.page_size_kib),
                _shared(host, request, cell, guest),
            )
        ]
    if not _networked(host, request, set(chosen)):
        found.append(f"host cells {chosen} are not near the networks")
    if near is not None and not near(set(chosen)):
        found.append(f"host cells {chosen} are not near the devices")
    return found


def possible(host: Host, request: Request, near: Near | None = None) -> bool:
    """Whether any placement keeps every hard rule."""
    fits = [
        {cell.id for cell in host.cells if _alone(host, request, index, cell)}
        for index in range(len(request.cells))
    ]
    return any(
        len(set(chosen)) == len(chosen)
        and _networked(host, request, set(chosen))
        and (near is None or near(set(chosen)))
        for chosen in itertools.product(*fits)
    )


def _alone(host: Host, request: Request, index: int, cell: HostCell) -> bool:
    """Whether a guest cell fits on a host cell that it has to itself."""
    guest = request.cells[index]
    sizes: list[int | None] = [None]
    if guest.page_size is not None:
        sizes = [pages.size_kib for pages in cell.pages]
    return (
        not list(_shared(host, request, cell, guest))
        and any(not list(_memory(request, cell, guest, s)) for s in sizes)
        and any(
            not list(_pinning(request, index, cell, claim))
            for claim in _pinnings(request, index, cell)
        )
    )


def _pinnings(request: Request, index: int, cell: HostCell) -> Iterator[Claim]:
    """Every choice of pCPUs; which vCPU gets which does not matter."""
    vcpus = sorted(request.cells[index].dedicated)
    reserve = 1 if request.emulator_isolated and index == 0 else 0
    every = sorted(cell.dedicated - cell.pinned)
    for pcpus in itertools.combinations(every, len(vcpus)):
        rest = [pcpu for pcpu in every if pcpu not in pcpus]
        for reserved in itertools.combinations(rest, reserve):
            yield Claim(
                cell.id,
                dict(zip(vcpus, pcpus, strict=True)),
                set(reserved),
                None,
            )


def _pinning(
    request: Request, index: int, cell: HostCell, claim: Claim
) -> Iterator[str]:
    vcpus = request.cells[index].dedicated
    reserve = 1 if request.emulator_isolated and index == 0 else 0
    used = [*claim.pinning.values(), *claim.reserved]
    if set(claim.pinning) != set(vcpus):
        yield f"pins vCPUs {sorted(claim.pinning)}, asked {sorted(vcpus)}"
    if len(claim.reserved) != reserve:
        yield f"reserves {sorted(claim.reserved)}, asked {reserve}"
    if len(set(used)) < len(used):
        yield f"pCPUs {sorted(used)} repeat"
    if strange := set(used) - cell.dedicated:
        yield f"pCPUs {sorted(strange)} are not for pinning here"
    if taken := set(used) & cell.pinned:
        yield f"pCPUs {sorted(taken)} are in use"
    policy = request.thread_policy.value
    if policy == "require" and vcpus:
        yield from _require(cell, list(claim.pinning.values()))
    if policy == "isolate" and used:
        yield from _isolate(cell, used)


def _require(cell: HostCell, pcpus: Sequence[int]) -> Iterator[str]:
    """On cores with two free threads; beside another, save at most one."""
    if all(len(core) < 2 for core in cell.siblings):
        yield "no core has two threads"
    alone = [
        pcpu
        for pcpu in pcpus
        if not any(
            pcpu in core and len(core & set(pcpus)) > 1
            for core in cell.siblings
        )
    ]
    if len(alone) > 1:
        yield f"pCPUs {alone} are each alone on their core"
    for core in cell.siblings:
        free = (core & cell.dedicated) - cell.pinned
        if core & set(pcpus) and len(free) < 2:
            yield f"core {sorted(core)} had no two free threads"


def _isolate(cell: HostCell, used: Sequence[int]) -> Iterator[str]:
    """Each on a core of its own, of which every thread is free."""
    if any(len(core) > 1 for core in cell.siblings) and (
        cell.shared != cell.dedicated
    ):
        yield "isolate on SMT threads whose siblings cannot be kept idle"
    for pcpu in used:
        for core in cell.siblings:
            if pcpu not in core:
                continue
            if len(core & set(used)) > 1:
                yield f"core {sorted(core)} is used twice"
            if core & cell.pinned or core - cell.dedicated:
                yield f"core {sorted(core)} is not wholly free"
            if len(core) < max(map(len, cell.siblings)):
                yield f"core {sorted(core)} is not given out as a whole"


def _memory(
    request: Request, cell: HostCell, guest: GuestCell, chosen: int | None
) -> Iterator[str]:
    """The size of pages, and room in them."""
    asked, need = guest.page_size, guest.memory_kib
    pages = {each.size_kib: each for each in cell.pages}
    if asked is None:
        if chosen is not None:
            yield f"pages of {chosen} KiB, none asked"
        overcommit = request.cpu_policy.value == "shared"
        if pages:
            small = pages[min(pages)]
            count = small.total
            if not overcommit:
                count -= small.used + small.reserved
            if need % small.size_kib:
                yield f"{need} KiB are not whole pages"
            room = count * small.size_kib
        else:
            room = cell.memory_kib
            if not overcommit:
                room -= cell.memory_used_kib
        if need > room:
            yield f"{need} KiB of {room}"
        return
    allowed = {
        -1: {min(pages, default=0)},
        -2: set(pages) - {min(pages, default=0)},
        -3: set(pages),
    }.get(asked, {asked})
    if chosen not in allowed or chosen not in pages:
        yield f"pages of {chosen} KiB, allowed {sorted(allowed)}"
        return
    page = pages[chosen]
    if need % chosen:
        yield f"{need} KiB are not whole pages of {chosen}"
    if need > (page.total - page.used - page.reserved) * chosen:
        yield f"{need} KiB are more than the free pages of {chosen}"


def _shared(
    host: Host, request: Request, cell: HostCell, guest: GuestCell
) -> Iterator[str]:
    """Floating vCPUs: never over itself, and the allocation ratios."""
    if len(guest.shared) > len(cell.shared):
        yield f"{len(guest.shared)} floating vCPUs over {len(cell.shared)}"
    if request.cpu_policy.value == "dedicated":
        return
    if host.cpu_ratio is not None:
        limit = host.cpu_ratio * len(cell.shared)
        if cell.shared_used + len(guest.shared) > limit:
            yield f"floating vCPUs over the ratio: {limit}"
    if host.ram_ratio is not None:
        limit = host.ram_ratio * cell.memory_kib
        if cell.memory_used_kib + guest.memory_kib > limit:
            yield f"memory over the ratio: {limit}"


def _networked(host: Host, request: Request, chosen: AbstractSet[int]) -> bool:
    """A network that some host cell is near to needs one of these cells."""
    for physnet in request.physnets:
        near = {c.id for c in host.cells if physnet in c.physnets}
        if near and not near & chosen:
            return False
    near = {cell.id for cell in host.cells if cell.tunneled}
    return not (request.tunneled and near and not near & chosen)
