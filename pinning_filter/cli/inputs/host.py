"""A host, from a file or a line, with what is configured and used there."""

from __future__ import annotations

import argparse
from collections.abc import Set as AbstractSet

from pinning_filter.cli.inputs import arguments
from pinning_filter.cloud import source
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError
from pinning_filter.core.host import Host, HostCell


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


def read_host(args: argparse.Namespace) -> Host:
    """The host that :func:`add_host_arguments` asked for.

    :raises InputError: naming the argument or file, and what is wrong there.
    """
    found = source.read(args.host)
    host = found if isinstance(found, Host) else _only_host(found, args.host)
    return _configured(host, args.dedicated, args.shared, args.used)


def _only_host(snapshot: Snapshot, name: str) -> Host:
    hosts = [node.host for node in snapshot.nodes if node.host is not None]
    if len(hosts) != 1:
        raise InputError(
            f"--host {name}: a dump of {len(hosts) or 'no'} hosts with NUMA "
            "cells; fit asks one, 'pinning-filter explain' asks all of them"
        )
    return hosts[0]


def _configured(
    host: Host,
    dedicated: AbstractSet[int] | None,
    shared: AbstractSet[int] | None,
    used: AbstractSet[int],
) -> Host:
    """The host with its pCPUs given out as the arguments say."""
    pcpus = frozenset[int]().union(
        *(core for cell in host.cells for core in cell.siblings)
    )
    for option, asked in (
        ("--dedicated", dedicated),
        ("--shared", shared),
        ("--used", used),
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
    host = host._replace(
        cells=tuple(
            _configured_cell(cell, dedicated, shared, used)
            for cell in host.cells
        )
    )
    for cell in host.cells:
        if stray := cell.pinned - cell.dedicated:
            raise InputError(
                f"--used: no guest can be pinned to {cpuset.named(stray)}: "
                "only dedicated pCPUs take pinned guests"
            )
    return host


def _configured_cell(
    cell: HostCell,
    dedicated: AbstractSet[int] | None,
    shared: AbstractSet[int] | None,
    used: AbstractSet[int],
) -> HostCell:
    own = frozenset[int]().union(*cell.siblings)
    pinned = cell.pinned | (own & used)
    if dedicated is None:
        dedicated, shared = cell.dedicated, cell.shared
    else:
        dedicated, shared = own & dedicated, own & (shared or frozenset())
    return cell._replace(
        dedicated=dedicated,
        shared=shared,
        pinned=pinned,
        free=dedicated - pinned,
    )
