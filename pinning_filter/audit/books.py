"""Books against books: Nova's tables among themselves and with Placement.

What a snapshot holds is enough, so that a dump is audited like a cloud. Of
the Placement API nothing is said where the snapshot has nothing from there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from pinning_filter.audit.findings import Code, Finding, command
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.fleet import books, conflicts
from pinning_filter.fleet.hosts import Guest

_RESTART = "systemctl restart nova-compute"


def findings(
    snapshot: Snapshot,
    nodes: Iterable[Node] | None = None,
    observed: Container[str] = (),
) -> Iterator[Finding]:
    """Every disagreement, host by host.

    :param nodes: those of the snapshot to look at, perhaps with a progress
        bar around; None: all.
    :param observed: hosts of which more is known than they say themselves.
    """
    special = frozenset(
        flavor.name
        for flavor in snapshot.flavors
        if any(key.startswith("resources") for key in flavor.extra_specs)
    )
    for node in snapshot.nodes if nodes is None else nodes:
        yield from _unreadable(node)
        if node.name not in observed:
            yield from _of_itself(node)
        if node.host is not None and not node.problem:
            guests = (*node.guests, *node.held)
            yield from _among_guests(node, node.host, guests)
            if not (node.unplaced or node.unsettled):
                yield from _record(node, node.host, guests)
        yield from _allocations(node, snapshot.moving, special)


def _unreadable(node: Node) -> Iterator[Finding]:
    if node.problem:
        yield Finding(
            Code.HOST_UNREADABLE, node.name, "a NUMA topology", node.problem,
            _RESTART,
        )
    for each in node.unplaced:
        yield Finding(
            Code.PLACEMENT_UNREADABLE, node.name,
            "a placement on this host", each.why, _move(each.id),
            each.id, each.name,
        )


def _of_itself(node: Node) -> Iterator[Finding]:
    """What its nova-compute found there, of which the codes are known."""
    codes = node.found.codes if node.found else {}
    for code in Code:
        if code.value in codes:
            pcpus = frozenset(codes[code.value])
            yield Finding(
                code, node.name, "nothing found by nova-compute there",
                f"found on {cpuset.named(pcpus)}" if pcpus else "found",
                command("ssh", node.name, "pinning-filter", "audit"),
                pcpus=pcpus,
            )


def _among_guests(
    node: Node, host: Host, guests: tuple[Guest, ...]
) -> Iterator[Finding]:
    names = {guest.id: guest.name for guest in guests}
    for conflict in conflicts.of(host, guests):
        code, expected, seen = _contradiction(host, conflict)
        # Of several holders the last one came too late.
        last = conflict.guests[-1:]
        outside = conflict.kind is conflicts.Kind.OUTSIDE
        for server in conflict.guests if outside else last:
            yield Finding(
                code, node.name, expected, seen, _move(server), server,
                names[server],
            )
    for guest, other, beside in books.crowded(host, guests):
        yield Finding(
            Code.SIBLING_IN_USE, node.name,
            f"idle siblings for {guest.id} (isolate)",
            f"pCPUs {cpuset.format(beside)} are held by {other.id}",
            _move(other.id), other.id, other.name,
        )


def _contradiction(
    host: Host, conflict: conflicts.Conflict
) -> tuple[Code, str, str]:
    """Code, what would be right, and what there is."""
    kind, cpus, ids = conflict
    held = cpuset.format(cpus)
    if kind is conflicts.Kind.HELD_TWICE:
        who = ", ".join(ids) if len(ids) > 1 else f"{ids[0]} twice"
        return (
            Code.PCPU_HELD_TWICE, f"one holder of pCPUs {held}",
            f"held by {who}",
        )
    if kind is conflicts.Kind.OUTSIDE:
        dedicated = host.dedicated
        return (
            Code.PCPU_NOT_DEDICATED,
            f"pCPUs of {cpuset.format(dedicated) or 'none'}",
            f"pinned to {held}",
        )
    if kind is conflicts.Kind.ELSEWHERE:
        return (
            Code.PCPU_OF_OTHER_CELL, "pCPUs of its own host cells",
            f"pinned to {held}",
        )
    return (
        Code.VCPU_UNPINNED, f"a pCPU for each of the dedicated vCPUs {held}",
        "pinned to none",
    )


def _record(
    node: Node, host: Host, guests: tuple[Guest, ...]
) -> Iterator[Finding]:
    """The compute node's record, which the scheduler decides by."""
    occupied = books.occupied(host, guests)
    for cell in host.cells:
        held = occupied & cell.dedicated
        if free := held - cell.pinned:
            yield Finding(
                Code.PCPU_COUNTED_FREE, node.name,
                f"pCPUs {cpuset.format(free)} are taken",
                "the compute node's record has them free", _RESTART,
            )
        if taken := (cell.pinned & cell.dedicated) - held:
            yield Finding(
                Code.PCPU_COUNTED_TAKEN, node.name,
                f"pCPUs {cpuset.format(taken)} are free",
                "the compute node's record has them taken", _RESTART,
            )
    for what, number, expected, seen in books.miscounted(host, guests):
        yield Finding(
            Code.USAGE_MISCOUNTED, node.name,
            f"{what} of host cell {number} in use: {expected:.15g}",
            f"{seen:.15g}", _RESTART,
        )


def _allocations(
    node: Node, moving: AbstractSet[str], special: AbstractSet[str]
) -> Iterator[Finding]:
    """What the Placement API has, consumer by consumer.

    :param moving: consumers that are just built or moved.
    :param special: flavors that say themselves what they ask there for.
    """
    provider = node.provider
    if provider is None or provider.allocations is None:
        return
    held = provider.allocations
    known = {
        *(guest.id for guest in node.guests),
        *(each.id for each in node.unplaced),
        *node.others_ids,
    }
    for server in sorted(known - held.keys() - moving):
        yield Finding(
            Code.ALLOCATION_MISSING, node.name,
            "an allocation in the Placement API", "none", _heal(server),
            server,
        )
    for consumer in sorted(held.keys() - known - moving):
        yield Finding(
            Code.ALLOCATION_OF_NOBODY, node.name,
            "a server or a migration on this host",
            "holds " + _amounts(held[consumer]),
            command("openstack", "resource", "provider", "allocation",
                    "unset", "--provider", provider.uuid, consumer)
            if provider.uuid
            else command("nova-manage", "placement", "audit", "--verbose"),
            consumer,
        )
    pcpus = "PCPU" in provider.inventories
    for guest in node.guests:
        if guest.flavor in special or guest.id in moving:
            continue
        if guest.id in held:
            yield from _amount(node, guest, held[guest.id], pcpus)
    if node.host is not None and not node.problem and pcpus:
        total = provider.inventories["PCPU"].total
        here = sum(len(cell.dedicated) for cell in node.host.cells)
        if total != here:
            yield Finding(
                Code.INVENTORY_DIFFERS, node.name, f"PCPU: {here}",
                f"PCPU: {total}", _RESTART,
            )


def _amount(
    node: Node, guest: Guest, held: Mapping[str, int], pcpus: bool
) -> Iterator[Finding]:
    cells = guest.request.cells
    pinned = guest.pcpus
    floating = sum(len(cell.shared) for cell in cells)
    expected = {
        "PCPU": pinned,
        "VCPU": floating,
        "MEMORY_MB": sum(cell.memory_kib for cell in cells) >> 10,
    }
    if not pcpus or not held.get("PCPU"):
        # Before Train, and where Nova falls back on it, all are VCPU.
        expected |= {"PCPU": 0, "VCPU": pinned + floating}
    seen = {name: held.get(name, 0) for name in expected}
    if seen != expected:
        yield Finding(
            Code.ALLOCATION_DIFFERS, node.name, _amounts(expected),
            _amounts(seen), _heal(guest.id), guest.id, guest.name,
        )


def _amounts(resources: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name}: {amount}"
        for name, amount in sorted(resources.items())
        if amount
    ) or "nothing"


def _move(server: str) -> str:
    return command("openstack", "server", "migrate", "--wait", server)


def _heal(server: str) -> str:
    return command(
        "nova-manage", "placement", "heal_allocations", "--instance", server,
        "--force",
    )
