"""World against books: what a compute node does, and what Nova believes.

After ``node``, which needs no tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from pinning_filter.audit import node as alone
from pinning_filter.audit.findings import Code, Finding, command
from pinning_filter.audit.observation import Observation
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.fleet.hosts import Guest
from pinning_filter.libvirt.running import Running


def findings(
    node: Node, seen: Observation, moving: AbstractSet[str] = frozenset()
) -> Iterator[Finding]:
    """Every disagreement of the node with itself and with Nova's tables.

    :param moving: servers that are just built, moved or deleted, which are
        not compared.
    """
    runs = {domain.live.uuid: domain.live for domain in seen.domains}
    differing = {
        guest.id: found
        for guest in node.guests
        if guest.id not in moving and guest.id in runs
        for found in _differs(seen, guest, runs[guest.id])
    }
    for finding in alone.findings(seen, _known(node, moving)):
        # The same, and Nova's tables say what it should be.
        if finding.code is not Code.PIN_CHANGED or (
            finding.server not in differing
        ):
            yield finding
    yield from differing.values()
    for guest in node.guests:
        if guest.runs and guest.id not in {*moving, *runs}:
            yield Finding(
                Code.DOMAIN_MISSING, node.name, "a running domain", "none",
                command("openstack", "server", "reboot", "--hard", guest.id),
                guest.id, guest.name,
            )
    if node.host is not None and not node.problem:
        yield from _settings(node, node.host, seen)
        yield from _pages(node, node.host, seen)


def _known(node: Node, moving: AbstractSet[str]) -> AbstractSet[str] | None:
    if len(node.others_ids) < node.others:
        return None
    return {
        *(guest.id for guest in (*node.guests, *node.held)),
        *(each.id for each in node.unplaced),
        *node.others_ids,
        *moving,
    }


def _differs(
    seen: Observation, guest: Guest, live: Running
) -> Iterator[Finding]:
    """Pinned otherwise than its server's row says."""
    placement = guest.placement
    expected: alone.Threads = {
        ("vcpu", vcpu): frozenset({pcpu})
        for vcpu, pcpu in placement.pinning.items()
    }
    if placement.reserved:
        expected["emulator", 0] = placement.reserved
    yield from alone.differing(
        Code.DOMAIN_DIFFERS, seen, live, expected, alone.threads_of(live)
    )
    cells = {
        number: frozenset({cell.host_cell.id})
        for number, cell in enumerate(placement.cells)
    }
    if live.cell_nodes and dict(live.cell_nodes) != cells:
        yield Finding(
            Code.DOMAIN_DIFFERS, seen.host,
            f"memory of host cells {_nodes(cells)}",
            f"memory of host cells {_nodes(live.cell_nodes)}",
            command("openstack", "server", "reboot", "--hard", guest.id),
            guest.id, guest.name,
        )


def _nodes(cells: Mapping[int, frozenset[int]]) -> str:
    return ", ".join(cpuset.format(cells[number]) for number in sorted(cells))


def _settings(node: Node, host: Host, seen: Observation) -> Iterator[Finding]:
    """nova.conf there, against what the compute node reported."""
    reported = host.dedicated
    if reported != seen.settings.dedicated:
        yield Finding(
            Code.SETTINGS_DIFFER, node.name,
            "dedicated pCPUs "
            f"{cpuset.format(seen.settings.dedicated) or 'none'}, as in "
            "nova.conf there",
            "the compute node's record has "
            f"{cpuset.format(reported) or 'none'}",
            command("systemctl", "restart", "nova-compute"),
        )


def _pages(node: Node, host: Host, seen: Observation) -> Iterator[Finding]:
    """Large pages that Nova would give away, and that are not free."""
    for cell in host.cells:
        kernel = seen.kernel.cells.get(cell.id)
        for pages in cell.pages:
            large = kernel.large.get(pages.size_kib) if kernel else None
            if large is None:
                continue
            free = pages.total - pages.used - pages.reserved
            if large.free < free:
                yield Finding(
                    Code.PAGES_TAKEN, node.name,
                    f"{free} free pages of {pages.size_kib} KiB on host cell "
                    f"{cell.id}",
                    f"{large.free} of {large.total}",
                    f"nova.conf: reserved_huge_pages = node:{cell.id},size:"
                    f"{pages.size_kib},count:"
                    f"{pages.reserved + free - large.free}",
                )
