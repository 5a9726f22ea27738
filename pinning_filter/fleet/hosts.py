"""Many hosts with names, and the guests that run on them.

What the rules beyond one host are asked about: how much more fits, where
each guest sits, which moves would make room. Values only; how a cloud is
read, from Nova's databases or from a file, is not known here.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Protocol

from pinning_filter.core import usage
from pinning_filter.core.errors import Invalid
from pinning_filter.core.fit import Devices, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import SPREAD, Strategy
from pinning_filter.fleet import offers
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Server


class InvalidCloud(Invalid):
    """A cloud that cannot be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Guest(Server):
    """A server with a NUMA topology, where it runs."""

    request: Request  #: what it asks for, were it placed anew
    placement: Placement  #: where it sits; cells of the host it runs on
    #: Whether Nova has it running.
    runs: bool = dataclasses.field(default=True, kw_only=True)

    @property
    def topology(self) -> Request:
        """What it asks of NUMA cells."""
        return self.request

    @property
    def pcpus(self) -> int:
        """The pCPUs that it takes, emulator threads included."""
        return self.request.pcpus


@dataclasses.dataclass(frozen=True, slots=True)
class Unplaced:
    """A guest whose record does not say where on its host it sits."""

    id: str  #: the server's UUID
    name: str  #: the server's name
    flavor: str  #: the flavor's name
    why: str  #: what is wrong with the record, as a clause


class HostDevices(Protocol):
    """The free PCI devices of a host; requests as :attr:`Server.devices`."""

    def near(self, wanted: tuple[str, ...]) -> Devices | None:
        """For the engine; None: they make no difference."""

    def enough(self, wanted: tuple[str, ...]) -> bool:
        """Whether there are so many, wherever in the host they are."""

    def taking(
        self, wanted: tuple[str, ...], placement: Placement | None
    ) -> HostDevices:
        """Those that are left, once a server so placed has its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class CloudHost:
    """A compute node.

    Invariant: ``host`` and ``inventories`` count every server of ``guests``
    and ``floating``, and may count more (servers that are not known here, or
    that came in the meantime).
    """

    name: str  #: as ``openstack compute service list`` shows it
    #: Capacity, and usage as the host reports it; no cells: it reports none.
    host: Host
    guests: tuple[Guest, ...] = ()  #: those with a NUMA topology
    #: Why it takes no guests now, as a clause; empty: it does.
    closed: str = ""
    strategy: Strategy = SPREAD  #: what is preferred when guests come here
    floating: tuple[Server, ...] = ()  #: servers without a NUMA topology
    #: By resource class; None: what the Placement API has is not known.
    inventories: Mapping[str, Inventory] | None = None
    devices: HostDevices | None = None  #: None: not known, or there are none

    @property
    def servers(self) -> tuple[Server, ...]:
        """All that run there and are known."""
        return (*self.guests, *self.floating)

    def fit(self, request: Request) -> Placement | Refusal:
        """The engine's answer here, without networks and PCI devices."""
        return fit(self.host, request, None, self.strategy)

    def answer(self, server: Server) -> Placement | Refusal | None:
        """Where a server would sit here; None: it fits, and sits nowhere.

        1. What the Placement API has left.
        2. Devices for it.
        3. The engine, for NUMA cells.
        """
        if self.inventories is not None and server.amounts:
            asked = offers.Resources(server.amounts)
            offer = offers.Offer(self.inventories, frozenset())
            refusal = offers.refusal(offer, [asked])
            if refusal is not None:
                return refusal
        if server.devices and not (
            self.devices and self.devices.enough(server.devices)
        ):
            return Refusal((Fact(Code.DEVICES),))
        if server.topology is None:
            return None
        if not self.host.cells:
            return Refusal((Fact(Code.NO_TOPOLOGY),))
        near = self.devices.near(server.devices) if self.devices else None
        return fit(self.host, server.topology, near, self.strategy)

    def adding(
        self, server: Server, placement: Placement | None
    ) -> CloudHost:
        """The host when the server runs on it, placed so.

        >>> from pinning_filter.core import fit, request, synthetic
        >>> host = CloudHost("a", synthetic.host("cell:1 core:2 pu:2"))
        >>> two = request.GuestCell(dedicated=frozenset({0, 1}))
        >>> asked = request.Request((two,))
        >>> placed = fit.fit(host.host, asked)
        >>> more = host.adding(Guest("1", asked, placed), placed)
        >>> [guest.id for guest in more.guests], more.host.cells[0].pinned
        (['1'], frozenset({0, 1}))
        """
        devices = self.devices
        if devices and server.devices:
            devices = devices.taking(server.devices, placement)
        more = dataclasses.replace(
            self, inventories=self._booked(server, 1), devices=devices
        )
        if not isinstance(server, Guest) or placement is None:
            return dataclasses.replace(
                more, floating=(*self.floating, server)
            )
        moved = dataclasses.replace(server, placement=placement)
        return dataclasses.replace(
            more,
            host=usage.add(self.host, placement),
            guests=(*self.guests, moved),
        )

    def without(self, server: Server) -> CloudHost:
        """The host when the server, one of its own, has gone.

        A pCPU that another guest holds, too, is not free then. Devices of the
        server are not counted as free: which they are is not known.
        """
        less = dataclasses.replace(
            self,
            inventories=self._booked(server, -1),
            floating=tuple(
                each for each in self.floating if each.id != server.id
            ),
        )
        if not isinstance(server, Guest):
            return less
        left = tuple(each for each in self.guests if each.id != server.id)
        return dataclasses.replace(
            less,
            host=_held(usage.remove(self.host, server.placement), left),
            guests=left,
        )

    def _booked(
        self, server: Server, sign: int
    ) -> Mapping[str, Inventory] | None:
        """The inventories with what a server holds, more or less."""
        if self.inventories is None or not server.amounts:
            return self.inventories
        return {
            name: dataclasses.replace(
                each,
                used=max(0, each.used + sign * server.amounts[name]),
            )
            if name in server.amounts
            else each
            for name, each in self.inventories.items()
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Cloud:
    """The compute nodes of a cloud, in the order of their names.

    :raises InvalidCloud: if host names or guest ids repeat, naming them.
    """

    hosts: tuple[CloudHost, ...]

    def __post_init__(self) -> None:
        names = [host.name for host in self.hosts]
        guests = [each.id for host in self.hosts for each in host.servers]
        problems = [
            f"{what} {sorted(repeated)} repeat"
            for what, repeated in (
                ("hosts", _repeated(names)),
                ("guests", _repeated(guests)),
            )
            if repeated
        ]
        if problems:
            raise InvalidCloud("cloud", problems)
        ordered = sorted(self.hosts, key=lambda host: host.name)
        object.__setattr__(self, "hosts", tuple(ordered))


def _held(host: Host, guests: tuple[Guest, ...]) -> Host:
    """The host with every pCPU pinned that one of the guests holds."""
    held = {
        (cell.host_cell.id, pcpu)
        for guest in guests
        for cell in guest.placement.cells
        for pcpu in cell.taken
    }
    cells = []
    for cell in host.cells:
        free = frozenset(
            pcpu for pcpu in cell.free if (cell.id, pcpu) in held
        )
        if free:
            cell = cell._replace(
                pinned=cell.pinned | free, free=cell.free - free
            )
        cells.append(cell)
    return host._replace(cells=tuple(cells))


def _repeated(items: list[str]) -> list[str]:
    counted = collections.Counter(items)
    return [item for item, count in counted.items() if count > 1]
