"""A guest, in the words of the openstack client: a flavor and an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.output import warn
from pinning_filter.core.request import MOST_VCPUS

if TYPE_CHECKING:
    from pinning_filter.nova import guest as nova_guest

def add_guest_arguments(
    parser: argparse.ArgumentParser, *, required: bool = True
) -> None:
    """The flavor and the image, in the words of the openstack client."""
    group = parser.add_argument_group("the guest")
    group.add_argument(
        "--vcpus",
        type=arguments.whole(MOST_VCPUS),
        required=required,
        help=f"vCPUs of the flavor, at most {MOST_VCPUS}",
    )
    group.add_argument(
        "--ram",
        type=arguments.whole(),
        required=required,
        metavar="MIB",
        help=f"memory of the flavor in MiB, at most {arguments.LARGEST}",
    )
    for option, what in (
        ("--property", "extra spec of the flavor"),
        ("--image-property", "property of the image"),
    ):
        group.add_argument(
            option,
            type=arguments.pair,
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help=f"{what}; may be repeated",
        )


def read_guest(args: argparse.Namespace) -> nova_guest.Guest:
    """The guest that :func:`add_guest_arguments` asked for.

    :raises InputError: in Nova's words, for what its API would refuse.
    """
    from pinning_filter.nova import guest as nova_guest

    warn_ignored(args)
    return nova_guest.guest(
        args.vcpus, args.ram, dict(args.property), dict(args.image_property)
    )


def warn_ignored(args: argparse.Namespace) -> None:
    """Warn of keys that Nova passes over where they were given."""
    from pinning_filter.nova import guest as nova_guest

    for text in nova_guest.ignored(
        dict(args.property), dict(args.image_property)
    ):
        warn(text)
