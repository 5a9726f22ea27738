"""The flavors that ``capacity`` counts: those named, or those in use."""

from __future__ import annotations

import argparse

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cloud import flavors as cloud_flavors
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.request import Request


def add_flavor_argument(
    parser: argparse.ArgumentParser,
    what: str = "a pinned flavor to count",
    default: str = "those that guests have, or all of them if none has any",
) -> None:
    """``--flavor``, any number of times.

    :param what: what one of them is for.
    :param default: which are taken if none is given.
    """
    parser.add_argument(
        "--flavor",
        type=arguments.given,
        action="append",
        default=[],
        metavar="NAME",
        help=f"{what}; may be repeated; default: {default}",
    )


def wanted(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """The flavors to count, by name: all of them pin something.

    :raises InputError: if none does, or one that is named does not.
    """
    found = _asked_for(args, snapshot) or _in_use(args, snapshot)
    found = found or cloud_flavors.pinned(snapshot)
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
        or cloud_flavors.pinned(snapshot)
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
        if guest.request is None or not cloud_flavors.pins(guest.request):
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
        flavor = cloud_flavors.named(name, snapshot)
        request = cloud_flavors.request(flavor)
        if request is None:
            raise InputError(f"--flavor: {name!r} pins no vCPUs")
        found[name] = request
    return found


def _in_use(
    args: argparse.Namespace, snapshot: Snapshot
) -> dict[str, Request]:
    """Those that guests have."""
    if not cloud_inputs.is_live(args):
        return cloud_flavors.of_guests(snapshot)
    from pinning_filter.cloud.live import cloud

    used = cloud.flavors_in_use(cloud_inputs.session(args))
    return cloud_flavors.pinned(snapshot, used)
