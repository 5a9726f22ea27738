"""A snapshot without names, for a bug report.

What remains is what the engine decides by. The same name becomes the same
number everywhere.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pinning_filter.cloud.snapshot import (
    Aggregate,
    Flavor,
    Node,
    Provider,
    Snapshot,
)
from pinning_filter.core.host import Host
from pinning_filter.fleet.hosts import Guest
from pinning_filter.fleet.servers import Group, Server

#: A server of either kind.
_Server = TypeVar("_Server", bound=Server)

#: Traits and resource classes that an operator made up.
_CUSTOM = re.compile(r"CUSTOM_\w+")
#: Extra specs that are compared with what an operator made up.
_COMPARED = ("aggregate_instance_extra_specs:", "capabilities:")
_ALIAS = "pci_passthrough:alias"
#: Of a pool of PCI devices, what names nobody.
_OF_POOLS = ("vendor_id", "product_id", "dev_type", "numa_node", "count")


def anonymous(snapshot: Snapshot) -> Snapshot:
    """The same cloud with every name replaced by a number.

    The names of filters, which may be an operator's own, are left out.
    """
    names = _Names()
    return dataclasses.replace(
        snapshot,
        nodes=tuple(map(names.node, snapshot.nodes)),
        flavors=tuple(map(names.flavor, snapshot.flavors)),
        unreachable={
            names.number("cell", name): "unreachable"
            for name in snapshot.unreachable
        },
        filters=None,
        pci_aliases=tuple(map(names.alias, snapshot.pci_aliases)),
        moving=frozenset(map(names.consumer, sorted(snapshot.moving))),
        groups=tuple(map(names.group, snapshot.groups)),
    )


class _Names:
    """Gives numbers, and remembers to whom."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, str]] = (
            collections.defaultdict(dict)
        )
        self._hosts = itertools.count(1)

    def number(self, what: str, name: str) -> str:
        """A number for a name; none for none."""
        numbers = self._numbers[what]
        if not name:
            return ""
        return numbers.setdefault(name, f"{what}-{len(numbers) + 1}")

    def custom(self, text: str) -> str:
        """The text, with a number for each trait or class made up."""
        numbers = self._numbers["CUSTOM"]
        return _CUSTOM.sub(
            lambda found: numbers.setdefault(
                found.group(), f"CUSTOM_{len(numbers) + 1}"
            ),
            text,
        )

    def physnets(self, names: Any) -> frozenset[str]:
        return frozenset(self.number("physnet", name) for name in names)

    def node(self, node: Node) -> Node:
        return dataclasses.replace(
            node,
            name=f"host-{next(self._hosts):05}",
            host=node.host and self._host(node.host),
            cell=self.number("cell", node.cell),
            zone=self.number("zone", node.zone),
            closed="closed" if node.closed else "",
            problem="unreadable" if node.problem else "",
            aggregates=tuple(
                Aggregate(self.number("aggregate", each.name), {})
                for each in node.aggregates
            ),
            provider=node.provider and self._provider(node.provider),
            pci_pools=tuple(map(self._pool, node.pci_pools)),
            guests=tuple(map(self._guest, node.guests)),
            unplaced=tuple(
                dataclasses.replace(
                    each,
                    id=self.consumer(each.id),
                    name="",
                    flavor=self.number("flavor", each.flavor),
                )
                for each in node.unplaced
            ),
            others_ids=tuple(map(self.consumer, node.others_ids)),
            floating=tuple(map(self._server, node.floating)),
            held=tuple(map(self._guest, node.held)),
        )

    def _host(self, host: Host) -> Host:
        return host._replace(
            cells=tuple(
                cell._replace(physnets=self.physnets(cell.physnets))
                for cell in host.cells
            )
        )

    def _provider(self, provider: Provider) -> Provider:
        return Provider(
            {
                self.custom(name): inventory
                for name, inventory in provider.inventories.items()
            },
            frozenset(map(self.custom, provider.traits)),
            provider.allocations
            and {
                self.consumer(consumer): {
                    self.custom(name): amount
                    for name, amount in resources.items()
                }
                for consumer, resources in provider.allocations.items()
            },
        )

    def consumer(self, uuid: str) -> str:
        """A server or a migration: the same wherever it is spoken of."""
        return self.number("guest", uuid)

    def _pool(self, pool: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: pool[key] for key in _OF_POOLS if key in pool}
        if network := pool.get("physical_network"):
            kept["physical_network"] = self.number("physnet", network)
        return kept

    def _guest(self, guest: Guest) -> Guest:
        request = guest.request
        return dataclasses.replace(
            self._server(guest),
            request=dataclasses.replace(
                request, physnets=self.physnets(request.physnets)
            ),
        )

    def _server(self, server: _Server) -> _Server:
        return dataclasses.replace(
            server,
            id=self.consumer(server.id),
            name="",
            flavor=self.number("flavor", server.flavor),
            zone=server.zone and self.number("zone", server.zone),
            devices=tuple(map(self._device, server.devices)),
        )

    def _device(self, text: str) -> str:
        data = json.loads(text)
        data["alias_name"] = self.number("alias", data["alias_name"] or "")
        for each in data["spec"]:
            if network := each.get("physical_network"):
                each["physical_network"] = self.number("physnet", network)
        return self.custom(json.dumps(data))

    def group(self, group: Group) -> Group:
        """A server group: who is in it remains."""
        return dataclasses.replace(
            group,
            id=self.number("group", group.id),
            members=frozenset(map(self.consumer, sorted(group.members))),
        )

    def flavor(self, flavor: Flavor) -> Flavor:
        return dataclasses.replace(
            flavor,
            name=self.number("flavor", flavor.name),
            extra_specs={
                self.custom(key): self._spec(key, value)
                for key, value in flavor.extra_specs.items()
                if not key.startswith(_COMPARED)
            },
        )

    def _spec(self, key: str, value: str) -> str:
        if key != _ALIAS:
            return self.custom(value)
        asked = (each.partition(":") for each in value.split(","))
        return ",".join(
            f"{self.number('alias', name.strip())}:{count}"
            for name, _, count in asked
        )

    def alias(self, text: str) -> str:
        """An alias of PCI devices, as nova.conf has it."""
        data = json.loads(text)
        data["name"] = self.number("alias", data.get("name", ""))
        return self.custom(json.dumps(data))
