"""The flavors that ``capacity`` counts: those named, or those in use."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from pinning_filter.cli.cloud.snapshot import Flavor, Snapshot
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.output import InputError
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


def wanted(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """The flavors to count, by name: all of them pin something.

    :raises InputError: if none does, or one that is named does not.
    """
    found = _asked_for(args, snapshot) or _in_use(args, snapshot)
    found = found or _pinning(snapshot)
    if not found:
        raise InputError(
            "the cloud has no flavor that pins vCPUs; give one with --vcpus, "
            "--ram and --property hw:cpu_policy=dedicated"
        )
    return found


def of_interest(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """As :func:`wanted`, for who can do without any flavor."""
    return (
        _named(args, snapshot)
        or _in_use(args, snapshot)
        or _pinning(snapshot)
    )


def _asked_for(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """Those that the arguments name or describe, in their order."""
    if (args.vcpus is None) != (args.ram is None):
        raise InputError("--vcpus and --ram go together")
    found = _named(args, snapshot)
    if args.vcpus is not None:
        guest = guest_inputs.read_guest(args)
        if guest.request is None or not _pins(guest.request):
            raise InputError(
                "--vcpus: such a guest pins no vCPUs; add --property "
                "hw:cpu_policy=dedicated"
            )
        vcpus = f"{args.vcpus} vCPU{'' if args.vcpus == 1 else 's'}"
        found[f"{vcpus}, {args.ram} MiB"] = guest.request
    return found


def _named(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    found = {}
    for name in args.flavor:
        request = _request(named(name, snapshot))
        if request is None:
            raise InputError(f"--flavor: {name!r} pins no vCPUs")
        found[name] = request
    return found


def _in_use(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """Those that guests have."""
    if cloud_inputs.is_live(args):
        from pinning_filter.cli.cloud.live import cloud

        used = cloud.flavors_in_use(cloud_inputs.session(args))
        return _pinning(snapshot, used)
    found = {
        guest.flavor: guest.request
        for node in snapshot.nodes
        for guest in node.guests
        if _pins(guest.request)
    }
    return dict(sorted(found.items()))


def _pinning(
    snapshot: Snapshot, names: Collection[str] | None = None
) -> dict[str, Request]:
    """The flavors of these names that pin something; None: of any name."""
    return {
        flavor.name: request
        for flavor in sorted(snapshot.flavors, key=lambda each: each.name)
        if (names is None or flavor.name in names)
        and (request := _request(flavor))
    }


def _request(flavor: Flavor) -> Request | None:
    from pinning_filter.cli.inputs import nova

    guest = nova.read(
        nova.flavor(flavor), nova.image({}), f"flavor {flavor.name!r}"
    )
    if guest.request is None or not _pins(guest.request):
        return None
    return guest.request


def _pins(request: Request) -> bool:
    return any(cell.dedicated for cell in request.cells)
