"""A host, from a file or a line, with what is configured and used there."""

from __future__ import annotations

import argparse
import dataclasses

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.output import warn
from pinning_filter.cloud import source
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError
from pinning_filter.core.host import Host, HostCell, Pages, given_out


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """``--host`` and what is configured and used there."""
    group = parser.add_argument_group("the host")
    group.add_argument(
        "--host",
        type=arguments.given,
        required=True,
        metavar="FILE|LINE",
        help="a file (or - for standard input) with the output of 'virsh "
        "capabilities' or the numa_topology that Nova keeps of a compute "
        "node, in JSON; or a dump of one host; or a line such as 'cell:2 "
        "core:4 pu:2' (NUMA cells, cores a cell, threads a core), if need be "
        "with memory and huge "
        "pages: 'cell:2(memory=64GiB pages=16x1GiB) l3:2 core:8 pu:2'",
    )
    group.add_argument(
        "--dedicated",
        type=arguments.pcpus,
        metavar="PCPUS",
        help="pCPUs for pinned guests, as [compute] cpu_dedicated_set: "
        "'2-15,^8'; default: what a numa_topology says, else all that "
        "--shared does not name",
    )
    group.add_argument(
        "--shared",
        type=arguments.pcpus,
        metavar="PCPUS",
        help="pCPUs for floating vCPUs, as [compute] cpu_shared_set; the "
        "same as --dedicated is the old vcpu_pin_set; default: what a "
        "numa_topology says, else none",
    )
    group.add_argument(
        "--used",
        type=arguments.pcpus,
        default=frozenset(),
        metavar="PCPUS",
        help="pCPUs that guests are pinned to already",
    )
    group.add_argument(
        "--used-memory",
        type=arguments.cell_memory,
        action="append",
        default=[],
        metavar="CELL=MIB",
        help="memory that guests of a NUMA cell have; may be repeated",
    )
    for option, what in (
        ("--used-pages", "huge pages that guests of a NUMA cell have"),
        ("--reserved-pages", "huge pages kept from guests, as "
         "reserved_huge_pages of nova.conf"),
    ):
        group.add_argument(
            option,
            type=arguments.cell_pages,
            action="append",
            default=[],
            metavar="CELL:KIB=COUNT",
            help=f"{what}: '0:2048=512' are 512 of 2 MiB in NUMA cell 0; "
            "may be repeated",
        )
    group.add_argument(
        "--online",
        type=arguments.pcpus,
        metavar="PCPUS",
        help="of capabilities: the pCPUs that are online, as 'virsh "
        "nodecpumap' says; default: all but those that the capabilities show "
        "to be offline",
    )


def read_node(args: argparse.Namespace) -> tuple[Node, bool]:
    """The host that :func:`add_host_arguments` asked for, by itself.

    :returns: also whether the machine has SMT, given out to guests or not.
    :raises InputError: naming the argument or file, and what is wrong there.
    """
    found = source.read(args.host, online=args.online, report=warn)
    if isinstance(found, Host):
        node = Node(source.node_name(args.host), found)
    else:
        node = _only_node(found, args.host)
    if node.host is None:
        return node, False
    host = _used(_configured(node.host, args), args)
    return dataclasses.replace(node, host=host), node.host.has_threads


def _only_node(snapshot: Snapshot, name: str) -> Node:
    if len(snapshot.nodes) == 1:
        return snapshot.nodes[0]
    nodes = [node for node in snapshot.nodes if node.host is not None]
    if len(nodes) != 1:
        raise InputError(
            f"--host {name}: a dump of {len(nodes) or 'no'} hosts with NUMA "
            "cells; fit asks one, 'pinning-filter explain' asks all of them"
        )
    return nodes[0]


def _configured(host: Host, args: argparse.Namespace) -> Host:
    """The host with its pCPUs given out as the arguments say."""
    dedicated, shared = args.dedicated, args.shared
    pcpus = frozenset[int]().union(
        *(core for cell in host.cells for core in cell.siblings)
    )
    for option, asked in (
        ("--dedicated", dedicated),
        ("--shared", shared),
        ("--used", args.used),
    ):
        if missing := (asked or frozenset()) - pcpus:
            raise InputError(
                f"{option}: the host has no {cpuset.named(missing)}, only "
                f"{cpuset.format(pcpus)}"
            )
    if dedicated is not None and shared is not None and dedicated != shared:
        both = dedicated & shared
        if both:
            raise InputError(
                f"--dedicated and --shared both name {cpuset.named(both)}; "
                "they must be apart, or the same"
            )
    if dedicated is None and shared is not None:
        dedicated = pcpus - shared
    if dedicated is None:
        return host
    return host._replace(
        cells=tuple(
            given_out(cell, dedicated, shared or frozenset())
            for cell in host.cells
        )
    )


def _used(host: Host, args: argparse.Namespace) -> Host:
    """The host with what the arguments say is in use."""
    ids = {cell.id for cell in host.cells}
    pages = [*args.used_pages, *args.reserved_pages]
    for option, cells in (
        ("--used-memory", {cell for cell, _ in args.used_memory}),
        ("--used-pages or --reserved-pages", {cell for cell, _, _ in pages}),
    ):
        if missing := sorted(cells - ids):
            raise InputError(
                f"{option}: the host has no NUMA cell {missing[0]}, only "
                f"{cpuset.format(ids)}"
            )
    return host._replace(
        cells=tuple(_used_cell(cell, args) for cell in host.cells)
    )


def _used_cell(cell: HostCell, args: argparse.Namespace) -> HostCell:
    pinned = cell.pinned | (args.used & frozenset().union(*cell.siblings))
    if stray := pinned - cell.dedicated:
        raise InputError(
            f"--used: no guest can be pinned to {cpuset.named(stray)}: "
            "only dedicated pCPUs take pinned guests"
        )
    mib = sum(mib for number, mib in args.used_memory if number == cell.id)
    used_kib = cell.memory_used_kib + (mib << 10)
    if used_kib > cell.memory_kib:
        raise InputError(
            f"--used-memory: NUMA cell {cell.id} has "
            f"{cell.memory_kib >> 10} MiB, not {used_kib >> 10}"
        )
    return cell._replace(
        pinned=pinned,
        free=cell.dedicated - pinned,
        memory_used_kib=used_kib,
        pages=_used_pages(cell, mib << 10, args),
    )


def _used_pages(
    cell: HostCell, used_kib: int, args: argparse.Namespace
) -> list[Pages]:
    """The cell's pages; memory in use is in pages of the smallest size."""
    sizes = [pages.size_kib for pages in cell.pages]
    smallest = min(sizes, default=0)
    made = {pages.size_kib: pages for pages in cell.pages}
    for option, asked, field in (
        ("--used-pages", args.used_pages, "used"),
        ("--reserved-pages", args.reserved_pages, "reserved"),
    ):
        for number, size, count in asked:
            if number != cell.id:
                continue
            if size not in made:
                raise InputError(
                    f"{option}: NUMA cell {number} has no pages of {size} "
                    f"KiB, only of {', '.join(map(str, sizes)) or 'no size'}"
                )
            pages = made[size]
            more = getattr(pages, field) + count
            made[size] = pages._replace(**{field: more})
    if used_kib:
        pages = made[smallest]
        made[smallest] = pages._replace(
            used=pages.used + used_kib / smallest
        )
    for pages in made.values():
        if pages.used + pages.reserved > pages.total:
            raise InputError(
                f"NUMA cell {cell.id} has {pages.total} pages of "
                f"{pages.size_kib} KiB, not "
                f"{pages.used + pages.reserved:.15g}"
            )
    return list(made.values())
