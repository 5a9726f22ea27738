"""Before a change of nova.conf: what it would do to the servers that run.

Beside the books: takes a compute node as it was read, and the options as
they would be, and answers with values. Changes nothing and asks nobody. The
rules of the options are those of Nova's libvirt driver
(``_get_host_numa_topology``, ``_check_cpu_set_configuration``,
``_validate_pinning_configuration``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import check, cpuset, usage
from pinning_filter.core.errors import Invalid
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host, HostCell, given_out
from pinning_filter.core.refusal import Refusal
from pinning_filter.core.request import CpuPolicy
from pinning_filter.core.strategy import SPREAD, Strategy
from pinning_filter.fleet.hosts import Guest


class InvalidChange(Invalid):
    """Options with which nova-compute would not even read its host."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Options of nova-compute as they would be; None: as they are.

    :raises InvalidChange: for a pCPU in both sets.
    """

    dedicated: frozenset[int] | None = None  #: ``[compute] cpu_dedicated_set``
    shared: frozenset[int] | None = None  #: ``[compute] cpu_shared_set``
    #: ``reserved_huge_pages``: host cell -> page size in KiB -> pages.
    reserved: Mapping[int, Mapping[int, int]] | None = None

    def __post_init__(self) -> None:
        _disjoint(self.dedicated or frozenset(), self.shared or frozenset())

    @property
    def pcpus(self) -> frozenset[int]:
        """Every pCPU that is named."""
        return (self.dedicated or frozenset()) | (self.shared or frozenset())


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server that could not stay as it sits."""

    guest: Guest
    outside: frozenset[int]  #: its pCPUs that would not be dedicated
    broken: tuple[str, ...]  #: the rules that it would break, a clause each
    #: Why the host would have no other place for it; None: it would.
    refusal: Refusal | None


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A resource class of the host in the Placement API."""

    name: str
    before: int  #: its total
    after: int  #: its total then
    used: int | None  #: allocated; None: not known
    room: int | None  #: what could be allocated then; None: not known

    @property
    def missing(self) -> int:
        """What is allocated beyond what could be."""
        if self.used is None or self.room is None:
            return 0
        return max(0, self.used - self.room)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a change would do to one compute node."""

    #: As it would be, with every server placed that finds a place there.
    host: Host
    servers: tuple[Server, ...]  #: those that could not stay as they sit
    resources: tuple[Resource, ...]
    #: Named pCPUs that are not in the host's record: it is not known on which
    #: host cell they are, and nothing is counted on them.
    unknown: frozenset[int]
    #: Why nova-compute would refuse to start, as clauses.
    stops: tuple[str, ...]


def outcome(
    node: Node, change: Change, strategy: Strategy = SPREAD
) -> Outcome:
    """What a change would do to a compute node that has NUMA cells.

    1. Each server stays as it sits, unless a rule would be broken that is
       not broken now.
    2. The others are placed anew beside those, the largest first.

    :raises InvalidChange: if one set is given, and overlaps with the other
        as the host has it.
    """
    assert node.host is not None
    guests = (*node.guests, *node.held)
    rest = node.host
    for guest in guests:
        rest = usage.remove(rest, guest.placement)
    host, broken = _stay(rest, changed(rest, change), guests)
    host, servers = _placed_anew(host, broken, strategy)
    own = frozenset[int]().union(*map(_own, node.host.cells))
    return Outcome(
        host,
        tuple(servers),
        tuple(_resources(node, node.host, host)),
        change.pcpus - own,
        tuple(_stops(node, host)),
    )


def changed(host: Host, change: Change) -> Host:
    """The host as nova-compute would report it, in use as it is now.

    >>> from pinning_filter.core import synthetic
    >>> host = synthetic.host("cell:1 core:4")
    >>> changed(host, Change(frozenset({2, 3, 4}))).cells[0].free
    frozenset({2, 3})

    :raises InvalidChange: as :func:`outcome`.
    """
    dedicated, shared = _sets(host, change)
    return host._replace(
        cells=tuple(
            _reserved(given_out(cell, dedicated, shared), change.reserved)
            for cell in host.cells
        )
    )


def _sets(
    host: Host, change: Change
) -> tuple[frozenset[int], frozenset[int]]:
    """The sets of pCPUs; one that is not named stays as it is.

    Where both are the same, ``vcpu_pin_set`` says so or nothing does: then
    the other set is not said anywhere, and ``vcpu_pin_set`` has to go.
    """
    dedicated = host.dedicated
    shared = frozenset[int]().union(*(c.shared for c in host.cells))
    if change.dedicated is None and change.shared is None:
        return dedicated, shared
    if dedicated == shared:
        dedicated = shared = frozenset()
    if change.dedicated is not None:
        dedicated = change.dedicated
    if change.shared is not None:
        shared = change.shared
    _disjoint(dedicated, shared)
    if not dedicated and not shared:
        dedicated = shared = frozenset[int]().union(*map(_own, host.cells))
    return dedicated, shared


def _disjoint(dedicated: frozenset[int], shared: frozenset[int]) -> None:
    if both := dedicated & shared:
        raise InvalidChange(
            "cpu_dedicated_set and cpu_shared_set",
            [f"both have {cpuset.named(both)}, and nova-compute would not "
             "start"],
        )


def _own(cell: HostCell) -> frozenset[int]:
    return frozenset(cell.dedicated).union(*cell.siblings)


def _reserved(
    cell: HostCell, reserved: Mapping[int, Mapping[int, int]] | None
) -> HostCell:
    if reserved is None:
        return cell
    mine = reserved.get(cell.id, {})
    return cell._replace(
        pages=tuple(
            pages._replace(reserved=mine.get(pages.size_kib, 0))
            for pages in cell.pages
        )
    )


def _stay(
    before: Host, after: Host, guests: Iterable[Guest]
) -> tuple[Host, list[tuple[Guest, list[str]]]]:
    """The changed host with the guests that stay, and those that cannot."""
    broken = []
    for guest in guests:
        asked, placed = guest.request, guest.placement
        new = check.problems(after, asked, placed)
        if new:
            old = check.problems(before, asked, placed)
            new = [problem for problem in new if problem not in old]
        before = usage.add(before, placed)
        if new:
            broken.append((guest, new))
        else:
            after = usage.add(after, placed)
    return after, broken


def _placed_anew(
    host: Host,
    broken: Sequence[tuple[Guest, list[str]]],
    strategy: Strategy,
) -> tuple[Host, list[Server]]:
    dedicated = host.dedicated
    refusals: dict[int, Refusal | None] = {}
    largest_first = sorted(
        range(len(broken)), key=lambda each: -broken[each][0].pcpus
    )
    for each in largest_first:
        found = fit(host, broken[each][0].request, None, strategy)
        if isinstance(found, Refusal):
            refusals[each] = found
        else:
            refusals[each] = None
            host = usage.add(host, found)
    return host, [
        Server(
            guest,
            guest.placement.taken - dedicated,
            tuple(why),
            refusals[each],
        )
        for each, (guest, why) in enumerate(broken)
    ]


def _resources(node: Node, before: Host, after: Host) -> list[Resource]:
    """PCPU and VCPU, as nova-compute would offer them.

    Allocations stay what they are: Nova no longer turns VCPU into PCPU.
    """
    known = node.provider.inventories if node.provider else {}
    found = []
    for name, totals in (("PCPU", _pcpu), ("VCPU", _vcpu)):
        there = known.get(name)
        total = there.total if there else 0 if known else totals(before)
        then = totals(after)
        used = room = None
        if there:
            used = there.used
            # What is kept from guests is said by an option of its own.
            room = dataclasses.replace(there, total=then).room
        elif known:
            used, room = 0, then
        if total or then:
            found.append(Resource(name, total, then, used, room))
    return found


def _pcpu(host: Host) -> int:
    return sum(
        len(cell.dedicated)
        for cell in host.cells
        if cell.dedicated != cell.shared
    )


def _vcpu(host: Host) -> int:
    return sum(len(cell.shared) for cell in host.cells)


def _stops(node: Node, host: Host) -> list[str]:
    """Why nova-compute would refuse to start beside these servers."""
    dedicated = any(cell.dedicated for cell in host.cells)
    shared = any(cell.shared for cell in host.cells)
    policies = {guest.request.cpu_policy for guest in node.guests}
    found = []
    if not shared and (node.others or CpuPolicy.SHARED in policies):
        found.append("servers without dedicated vCPUs need a cpu_shared_set")
    if not shared and CpuPolicy.MIXED in policies:
        found.append("servers of policy mixed need a cpu_shared_set")
    if not dedicated and policies - {CpuPolicy.SHARED}:
        found.append("servers with dedicated vCPUs need a cpu_dedicated_set")
    return found
