"""A guest, in the words of the openstack client: a flavor and an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinning_filter.cli.inputs import nova


def add_guest_arguments(
    parser: argparse.ArgumentParser, *, required: bool = True
) -> None:
    """The flavor and the image, in the words of the openstack client."""
    group = parser.add_argument_group("the guest")
    group.add_argument(
        "--vcpus",
        type=positive,
        required=required,
        help="vCPUs of the flavor",
    )
    group.add_argument(
        "--ram",
        type=positive,
        required=required,
        metavar="MIB",
        help="memory of the flavor in MiB",
    )
    for option, what in (
        ("--property", "extra spec of the flavor"),
        ("--image-property", "property of the image"),
    ):
        group.add_argument(
            option,
            type=_pair,
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


def positive(text: str) -> int:
    """For arguments that are a whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number < 1 << 31:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number above 0"
        )
    return number


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value
