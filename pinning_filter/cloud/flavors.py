"""The pinned flavors of a cloud, as requests that the engine takes.

After the snapshot: who counts room asks for the flavors that servers have,
or for all that pin vCPUs. Nova reads them; imported only when needed.
"""

from __future__ import annotations

from collections.abc import Collection

from pinning_filter.cloud.snapshot import Flavor, Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.request import Request


def named(name: str, snapshot: Snapshot) -> Flavor:
    """The flavor of this name.

    :raises InputError: naming those that there are.
    """
    for flavor in snapshot.flavors:
        if flavor.name == name:
            return flavor
    known = ", ".join(flavor.name for flavor in snapshot.flavors[:10])
    raise InputError(
        f"--flavor: there is no flavor {name!r}; there are {known or 'none'}"
        + (", ..." if len(snapshot.flavors) > 10 else "")
    )


def of_guests(snapshot: Snapshot) -> dict[str, Request]:
    """The pinned flavors of the guests that a snapshot has, by name."""
    found = {
        guest.flavor: guest.request
        for node in snapshot.nodes
        for guest in node.guests
        if pins(guest.request)
    }
    return dict(sorted(found.items()))


def pinned(
    snapshot: Snapshot, names: Collection[str] | None = None
) -> dict[str, Request]:
    """The flavors of these names that pin vCPUs; None: of any name.

    :raises InputError: in Nova's words, for one that Nova refuses.
    """
    return {
        flavor.name: asked
        for flavor in sorted(snapshot.flavors, key=lambda each: each.name)
        if (names is None or flavor.name in names)
        and (asked := request(flavor))
    }


def request(flavor: Flavor) -> Request | None:
    """What servers of a flavor ask for; None where they pin no vCPU.

    :raises InputError: in Nova's words, if Nova refuses the flavor.
    """
    from pinning_filter.nova import guest as nova_guest

    guest = nova_guest.read(
        nova_guest.flavor(
            flavor.name,
            flavor.vcpus,
            flavor.ram_mib,
            flavor.extra_specs,
            flavor.disk_gib,
        ),
        nova_guest.image({}),
        f"flavor {flavor.name!r}",
    )
    if guest.request is None or not pins(guest.request):
        return None
    return guest.request


def pins(request: Request) -> bool:
    """Whether a guest has dedicated vCPUs."""
    return any(cell.dedicated for cell in request.cells)
