"""A cloud as it was at one moment, and what surrounds its hosts.

Between where it is read (``live``, ``dumpfile``) and who asks about it
(``explain``, ``capacity``, ``map``). Core's :class:`Cloud` is what the engine
needs of it; the rest decides what never reaches the engine: services, the
Placement API's books, zones and aggregates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pinning_filter.core.host import Host
from pinning_filter.core.strategy import SPREAD, Strategy
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest, Unplaced
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, Server


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    """A compute node as the Placement API knows it."""

    inventories: Mapping[str, Inventory]  #: by resource class
    traits: AbstractSet[str]
    #: Consumer -> resource class -> amount; None: not asked.
    allocations: Mapping[str, Mapping[str, int]] | None = None
    uuid: str = ""  #: the provider's; empty: not known


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregate:
    """A host aggregate."""

    name: str
    metadata: Mapping[str, str]


#: What an audit calls it where others run on a pCPU than its holder.
OTHERS_THERE = ("pcpu-run-twice", "domain-unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class SelfFound:
    """What a compute node with the driver found of itself."""

    number: int
    #: Code of what was found -> pCPUs of pinned guests that it is about.
    codes: Mapping[str, AbstractSet[int]]

    @property
    def others_there(self) -> AbstractSet[int]:
        """pCPUs that run somebody else than Nova's tables say, or another."""
        return frozenset[int]().union(
            *(self.codes.get(code, ()) for code in OTHERS_THERE)
        )

    @property
    def clause(self) -> str:
        """As a sentence has it.

        >>> SelfFound(2, {"pin-changed": frozenset({1})}).clause
        'found 2 disagreements of its own (pin-changed)'
        """
        what = "disagreement" if self.number == 1 else "disagreements"
        codes = ", ".join(sorted(self.codes))
        return f"found {self.number} {what} of its own ({codes})"


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A compute node, and what was seen of it."""

    name: str  #: as ``openstack compute service list`` shows it
    host: Host | None  #: None: it reports no NUMA topology
    guests: tuple[Guest, ...] = ()  #: those with a NUMA topology
    #: Guests with one that is not known, or that is not of this host.
    unplaced: tuple[Unplaced, ...] = ()
    #: Guests without one, which take what they take anywhere.
    others: int = 0
    #: The UUIDs of these, where they were read.
    others_ids: tuple[str, ...] = ()
    #: These themselves, where they were read.
    floating: tuple[Server, ...] = ()
    #: What servers hold here by a move that has not ended, beside what they
    #: hold where they are.
    held: tuple[Guest, ...] = ()
    closed: str = ""  #: why it takes no guests now; empty: it does
    problem: str = ""  #: why what it reports cannot be read; empty: it can
    cell: str = ""  #: the cell (v2) that it is in
    zone: str = ""  #: its availability zone
    aggregates: tuple[Aggregate, ...] = ()
    #: The Placement API's view; None: not asked, or unknown there.
    provider: Provider | None = None
    #: Pools of PCI devices, as Nova keeps them for the compute node.
    pci_pools: tuple[Mapping[str, Any], ...] = ()
    #: What claims there prefer, those of plain Nova or ours; None: not known.
    strategy: Strategy | None = None
    plain_nova: bool = False  #: whether claims there are known to be Nova's
    found: SelfFound | None = None  #: None: it does not look at itself
    #: The version of this project's driver there; empty: none, or not known.
    driver: str = ""
    #: Which host cells and cores its claims prefer, as its driver says; empty:
    #: not known. See :func:`pinning_filter.nova.stats.prefers`.
    prefers: str = ""
    #: Whether its NUMA topology was written by a Nova older than the one that
    #: read it.
    old_record: bool = False
    #: UUIDs of servers whose NUMA topology is kept as before Nova 22.
    old_servers: tuple[str, ...] = ()
    #: Whether servers changed there just now, which Nova may count anew only
    #: with the next report of nova-compute.
    unsettled: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A service of Nova's."""

    binary: str  #: such as nova-compute
    host: str
    version: int  #: as Nova counts what its services can do


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    """What a flavor asks for."""

    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int = 0
    extra_specs: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was seen of a cloud."""

    nodes: tuple[Node, ...]  #: in the order of their names
    flavors: tuple[Flavor, ...] = ()
    #: Cells (v2) that did not answer: name -> why. Their hosts are not here.
    unreachable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taken: str = ""  #: when, in UTC
    #: The scheduler's enabled filters; None: they are not known.
    filters: tuple[str, ...] | None = None
    #: Aliases of PCI devices that flavors name, as in nova.conf: JSON.
    pci_aliases: tuple[str, ...] = ()
    #: UUIDs of servers that are being built, of moves that have not ended,
    #: and of their servers.
    moving: AbstractSet[str] = frozenset()
    groups: tuple[Group, ...] = ()  #: server groups that have members

    def cloud(self, strategy: Strategy = SPREAD) -> Cloud:
        """What the engine can be asked about: hosts with NUMA cells.

        :param strategy: of hosts whose own is not known.
        """
        return Cloud(
            tuple(
                CloudHost(
                    node.name,
                    node.host,
                    node.guests,
                    node.closed,
                    node.strategy or strategy,
                )
                for node in self.nodes
                if node.host is not None
            )
        )

    def only(self, names: Sequence[str]) -> Snapshot:
        """Without the hosts that are not named; no names: all of it.

        :raises KeyError: naming the hosts that there are not.
        """
        known = {node.name for node in self.nodes}
        if missing := [name for name in names if name not in known]:
            raise KeyError(", ".join(missing))
        if not names:
            return self
        kept = tuple(node for node in self.nodes if node.name in names)
        return dataclasses.replace(self, nodes=kept)
