"""One compute node of a dump <-> plain JSON values.

Part of ``dumpfile``, which has checked against its schema what is read here.
What a record says may still not be: then it costs its server, or its host, and
never the file.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pinning_filter.cloud.snapshot import (
    Aggregate,
    Node,
    Provider,
    SelfFound,
)
from pinning_filter.core import cpuset
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.core.strategy import Strategy
from pinning_filter.core.text import one_line
from pinning_filter.fleet.hosts import Guest, Unplaced
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Server


def write(node: Node) -> dict[str, Any]:
    host = node.host
    return {
        "name": node.name,
        "cell": node.cell,
        "zone": node.zone,
        "closed": node.closed,
        "problem": node.problem,
        "aggregates": [
            {"name": each.name, "metadata": dict(each.metadata)}
            for each in node.aggregates
        ],
        "provider": node.provider and {
            "traits": sorted(node.provider.traits),
            "inventories": {
                name: fields(inventory)
                for name, inventory in sorted(
                    node.provider.inventories.items()
                )
            },
            "allocations": node.provider.allocations
            and {
                consumer: dict(resources)
                for consumer, resources in sorted(
                    node.provider.allocations.items()
                )
            },
            "uuid": node.provider.uuid,
        },
        "numa": host and {
            "cpu_ratio": host.cpu_ratio,
            "ram_ratio": host.ram_ratio,
            "cells": [_write_cell(cell) for cell in host.cells],
        },
        "pci_pools": [dict(pool) for pool in node.pci_pools],
        "guests": [_write_guest(guest) for guest in node.guests],
        "unplaced": [fields(each) for each in node.unplaced],
        "others": node.others,
        "others_ids": list(node.others_ids),
        "floating": [_write_server(server) for server in node.floating],
        "held": [_write_guest(guest) for guest in node.held],
        "strategy": node.strategy and fields(node.strategy),
        "plain_nova": node.plain_nova,
        "found": node.found and {
            "number": node.found.number,
            "codes": {
                code: cpuset.format(pcpus)
                for code, pcpus in sorted(node.found.codes.items())
            },
        },
    }


def _write_cell(cell: HostCell) -> dict[str, Any]:
    return {
        "id": cell.id,
        "socket": cell.socket,
        "dedicated": cpuset.format(cell.dedicated),
        "pinned": cpuset.format(cell.pinned),
        "shared": cpuset.format(cell.shared),
        "shared_used": cell.shared_used,
        "cores": [cpuset.format(core) for core in cell.siblings],
        "caches": [cpuset.format(cache) for cache in cell.caches],
        "memory_kib": cell.memory_kib,
        "memory_used_kib": cell.memory_used_kib,
        "pages": [pages._asdict() for pages in cell.pages],
        "physnets": sorted(cell.physnets),
        "tunneled": cell.tunneled,
        "distances": {str(to): far for to, far in cell.distances.items()},
    }


def _write_guest(guest: Guest) -> dict[str, Any]:
    request = guest.request
    return {
        **_write_server(guest),
        "runs": guest.runs,
        "cpu_policy": request.cpu_policy.value,
        "thread_policy": request.thread_policy.value,
        "emulator_isolated": request.emulator_isolated,
        "physnets": sorted(request.physnets),
        "tunneled": request.tunneled,
        "cells": [
            {
                "dedicated": cpuset.format(asked.dedicated),
                "shared": cpuset.format(asked.shared),
                "memory_kib": asked.memory_kib,
                "page_size": asked.page_size,
                "host_cell": placed.host_cell.id,
                "pinning": {
                    str(vcpu): pcpu
                    for vcpu, pcpu in sorted(placed.pinning.items())
                },
                "reserved": cpuset.format(placed.reserved),
                "page_size_kib": placed.page_size_kib,
            }
            for asked, placed in zip(
                request.cells, guest.placement.cells, strict=True
            )
        ],
    }


def _write_server(server: Server) -> dict[str, Any]:
    """What pinned and floating servers have alike."""
    return {
        "id": server.id,
        "name": server.name,
        "flavor": server.flavor,
        "fixed": server.fixed,
        "stays": server.stays,
        "paused": server.paused,
        "devices": [json.loads(each) for each in server.devices],
        "zone": server.zone,
    }


def fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, by name."""
    return {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
    }


def read(data: Mapping[str, Any], elsewhere: dict[str, str]) -> Node:
    """One compute node; what of it cannot be is said in the node.

    :param elsewhere: the server of each guest so far -> its host; added to.
    """
    host, problem = _read_host(data)
    guests: list[Guest] = []
    held: list[Guest] = []
    unplaced = [Unplaced(**each) for each in data.get("unplaced", ())]
    unread = data["guests"]
    if host is not None:
        unread = ()
        for each in data["guests"]:
            found = _read_guest(each, host, elsewhere)
            if isinstance(found, Guest):
                guests.append(found)
                elsewhere[found.id] = data["name"]
            else:
                unplaced.append(found)
        moves = (_read_guest(each, host, {}) for each in data.get("held", ()))
        held += (each for each in moves if isinstance(each, Guest))
    provider = data["provider"]
    strategy = data.get("strategy")  # these two came later than the rest
    return Node(
        name=data["name"],
        host=host,
        guests=tuple(guests),
        unplaced=tuple(unplaced),
        others=data["others"] + len(unread),
        others_ids=(
            *data.get("others_ids", ()), *(each["id"] for each in unread)
        ),
        floating=tuple(
            Server(each["id"], **_read_server(each))
            for each in data.get("floating", ())
        ),
        held=tuple(held),
        closed=data["closed"],
        problem=problem,
        cell=data["cell"],
        zone=data["zone"],
        aggregates=tuple(Aggregate(**each) for each in data["aggregates"]),
        provider=provider
        and Provider(
            {
                name: Inventory(**inventory)
                for name, inventory in provider["inventories"].items()
            },
            frozenset(provider["traits"]),
            provider.get("allocations"),
            provider.get("uuid", ""),
        ),
        pci_pools=tuple(data["pci_pools"]),
        strategy=strategy and Strategy(**strategy),
        plain_nova=data.get("plain_nova", False),
        found=_read_found(data.get("found")),
    )


def _read_found(data: Mapping[str, Any] | None) -> SelfFound | None:
    """What cannot be is taken for not said."""
    if data is None:
        return None
    try:
        codes = {
            code: cpuset.parsed(pcpus) for code, pcpus in data["codes"].items()
        }
    except ValueError:
        return None
    return SelfFound(data["number"], codes)


def _read_host(data: Mapping[str, Any]) -> tuple[Host | None, str]:
    """A node's host, or why there is none that can be used."""
    numa = data["numa"]
    if numa is None:
        return None, data["problem"]
    try:
        host = Host(
            tuple(_read_cell(cell) for cell in numa["cells"]),
            numa["cpu_ratio"],
            numa["ram_ratio"],
        ).check()
    except ValueError as error:
        # Invalid is one of them; a CPU list that is none is another.
        return None, one_line(f"its NUMA topology cannot be read: {error}")
    return host, data["problem"]


def _read_guest(
    data: Mapping[str, Any], host: Host, elsewhere: Mapping[str, str]
) -> Guest | Unplaced:
    """A guest, or what is wrong with its record."""
    gone = {cell["host_cell"] for cell in data["cells"]}
    gone -= {cell.id for cell in host.cells}
    if gone:
        why = f"the host has no NUMA cell {min(gone)}"
    elif data["id"] in elsewhere:
        why = f"it is on host {elsewhere[data['id']]}, too"
    else:
        try:
            return _placed_guest(data, host)
        except ValueError as error:
            why = one_line(f"its record cannot be read: {error}")
    return Unplaced(data["id"], data["name"], data["flavor"], why)


def _read_cell(data: Mapping[str, Any]) -> HostCell:
    return HostCell(
        id=data["id"],
        dedicated=cpuset.parsed(data["dedicated"]),
        pinned=cpuset.parsed(data["pinned"]),
        siblings=tuple(map(cpuset.parsed, data["cores"])),
        shared=cpuset.parsed(data["shared"]),
        shared_used=data["shared_used"],
        memory_kib=data["memory_kib"],
        memory_used_kib=data["memory_used_kib"],
        pages=tuple(Pages(**pages) for pages in data["pages"]),
        socket=data["socket"],
        physnets=frozenset(data["physnets"]),
        tunneled=data["tunneled"],
        caches=tuple(map(cpuset.parsed, data["caches"])),
        distances={int(to): far for to, far in data["distances"].items()},
    )


def _placed_guest(data: Mapping[str, Any], host: Host) -> Guest:
    cells = {cell.id: cell for cell in host.cells}
    asked = tuple(
        GuestCell(
            cpuset.parsed(cell["dedicated"]),
            cpuset.parsed(cell["shared"]),
            cell["memory_kib"],
            cell["page_size"],
        )
        for cell in data["cells"]
    )
    request = Request(
        asked,
        CpuPolicy(data["cpu_policy"]),
        ThreadPolicy(data["thread_policy"]),
        data["emulator_isolated"],
        frozenset(data["physnets"]),
        data["tunneled"],
    )
    placed = []
    for guest_cell, cell in zip(asked, data["cells"], strict=True):
        placed.append(
            CellPlacement(
                guest_cell,
                cells[cell["host_cell"]],
                {int(vcpu): pcpu for vcpu, pcpu in cell["pinning"].items()},
                cell["page_size_kib"],
                cpuset.parsed(cell["reserved"]),
            )
        )
    return Guest(
        data["id"],
        request,
        Placement(request, tuple(placed)),
        runs=data.get("runs", True),
        **_read_server(data),
    )


def _read_server(data: Mapping[str, Any]) -> dict[str, Any]:
    """What pinned and floating servers have alike, without the id.

    Of one that cannot be migrated live an old dump does not say whether it
    can be at all.
    """
    return {
        "name": data["name"],
        "flavor": data["flavor"],
        "fixed": data["fixed"],
        "stays": data.get("stays", data["fixed"]),
        "paused": data.get("paused", False),
        "devices": tuple(
            json.dumps(each, sort_keys=True)
            for each in data.get("devices", ())
        ),
        "zone": data.get("zone"),
    }
