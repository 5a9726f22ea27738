"""A guest, in the words of the openstack client: a flavor and an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pinning_filter.cli.inputs import arguments
from pinning_filter.core import cpuset

if TYPE_CHECKING:
    from pinning_filter.cli.inputs import nova

#: A guest of more has vCPUs for which no machine has pCPUs. Nova takes long
#: to read it, and longer the larger it is.
MOST_VCPUS = cpuset.LARGEST_ID + 1


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


def read_guest(args: argparse.Namespace) -> nova.Guest:
    """The guest that :func:`add_guest_arguments` asked for.

    :raises InputError: in Nova's words, for what its API would refuse.
    """
    from pinning_filter.cli.inputs import nova

    return nova.guest(
        args.vcpus, args.ram, dict(args.property), dict(args.image_property)
    )
