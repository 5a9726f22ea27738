"""Many hosts with names, and the guests that run on them.

What the rules beyond one host are asked about: how much more fits, where
each guest sits, which moves would make room. Values only; how a cloud is
read, from Nova's databases or from a file, is not known here.
"""

from __future__ import annotations

import collections
import dataclasses

from pinning_filter.core import usage
from pinning_filter.core.errors import Invalid
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Refusal
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import SPREAD, Strategy


class InvalidCloud(Invalid):
    """A cloud that cannot be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Guest:
    """A guest that runs on a host.

    Texts are those of tenants: hostile until escaped by whoever shows them.
    """

    id: str  #: the server's UUID
    request: Request  #: what it asks for, were it placed anew
    placement: Placement  #: where it sits; cells of the host it runs on
    name: str = ""  #: the server's name
    flavor: str = ""  #: the flavor's name
    #: Why it cannot be migrated live, as a clause; empty: it can.
    fixed: str = ""
    runs: bool = True  #: whether Nova has it running

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


@dataclasses.dataclass(frozen=True, slots=True)
class CloudHost:
    """A compute node.

    Invariant: ``host`` counts every guest of ``guests``, and may count more
    (guests that are not known here, or that came in the meantime).
    """

    name: str  #: as ``openstack compute service list`` shows it
    host: Host  #: capacity, and usage as the host reports it
    guests: tuple[Guest, ...] = ()  #: those with a NUMA topology
    #: Why it takes no guests now, as a clause; empty: it does.
    closed: str = ""
    strategy: Strategy = SPREAD  #: what is preferred when guests come here

    def fit(self, request: Request) -> Placement | Refusal:
        """The engine's answer here, without networks and PCI devices."""
        return fit(self.host, request, None, self.strategy)

    def adding(self, guest: Guest, placement: Placement) -> CloudHost:
        """The host when the guest runs on it, placed so.

        >>> from pinning_filter.core import fit, request, synthetic
        >>> host = CloudHost("a", synthetic.host("cell:1 core:2 pu:2"))
        >>> two = request.GuestCell(dedicated=frozenset({0, 1}))
        >>> asked = request.Request((two,))
        >>> placed = fit.fit(host.host, asked)
        >>> more = host.adding(Guest("1", asked, placed), placed)
        >>> [guest.id for guest in more.guests], more.host.cells[0].pinned
        (['1'], frozenset({0, 1}))
        """
        moved = dataclasses.replace(guest, placement=placement)
        return dataclasses.replace(
            self,
            host=usage.add(self.host, placement),
            guests=(*self.guests, moved),
        )

    def without(self, guest: Guest) -> CloudHost:
        """The host when the guest, one of its own, has gone.

        A pCPU that another guest holds, too, is not free then.
        """
        left = tuple(each for each in self.guests if each is not guest)
        return dataclasses.replace(
            self,
            host=_held(usage.remove(self.host, guest.placement), left),
            guests=left,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Cloud:
    """The compute nodes of a cloud, in the order of their names.

    :raises InvalidCloud: if host names or guest ids repeat, naming them.
    """

    hosts: tuple[CloudHost, ...]

    def __post_init__(self) -> None:
        names = [host.name for host in self.hosts]
        guests = [guest.id for host in self.hosts for guest in host.guests]
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
