"""From arguments to a question, and what of Nova it takes to answer it.

Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TypeVar

from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cloud import flavors
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.fit import Strategy
from pinning_filter.explain import request_spec, verdicts
from pinning_filter.explain.question import Question
from pinning_filter.explain.verdicts import Others
from pinning_filter.fleet.layout import GROUP_FILTERS, Allowed, Move
from pinning_filter.nova import config
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import guest as nova_guest

_Plan = TypeVar("_Plan")


def strategy() -> Strategy:
    """The preferences that ``nova.conf`` asks for."""
    config.ensure_configured()
    return nova_fit.strategy()


def question(args: argparse.Namespace, snapshot: Snapshot) -> Question:
    """What the arguments of ``explain`` ask.

    :raises InputError: naming the argument that leads nowhere.
    """
    config.ensure_configured()
    live = cloud_inputs.is_live(args)
    if args.server:
        if live:
            from pinning_filter.explain import servers

            return servers.question(cloud_inputs.session(args), args.server)
        return _of_guest(args.server, snapshot)
    if not live:
        request_spec.know_aliases(snapshot.pci_aliases)
    guest = _guest(args, snapshot)
    with nova_guest.complaints("the guest"):
        spec = request_spec.spec(guest)
        if live:
            from pinning_filter.explain import servers

            return servers.of_spec(cloud_inputs.session(args), spec)
        return request_spec.of_spec(spec, guest)


def _guest(
    args: argparse.Namespace, snapshot: Snapshot
) -> nova_guest.Guest:
    """The flavor and the image that the arguments name or describe."""
    guest_inputs.warn_ignored(args)
    image: dict[str, str] = {}
    if args.image:
        if not cloud_inputs.is_live(args):
            raise InputError(
                "--image: a file holds no images; say what the image asks "
                "for with --image-property"
            )
        image = cloud_inputs.session(args).image(args.image)
    image |= dict(args.image_property)
    if not args.flavor:
        return nova_guest.guest(
            args.vcpus, args.ram, dict(args.property), image
        )
    known = flavors.named(args.flavor, snapshot)
    flavor = nova_guest.flavor(
        known.name,
        known.vcpus,
        known.ram_mib,
        {**known.extra_specs, **nova_guest.specs(dict(args.property))},
        known.disk_gib,
    )
    return nova_guest.read(flavor, nova_guest.image(image))


def others(
    args: argparse.Namespace, snapshot: Snapshot, question: Question
) -> Others:
    """What the scheduler's other filters say of the snapshot's hosts."""
    if question.spec is None or not cloud_inputs.is_live(args):
        return verdicts.of_file(snapshot)
    from pinning_filter.explain import other_filters

    names = {node.name for node in snapshot.nodes}
    return other_filters.ask(cloud_inputs.session(args), question.spec, names)


def passing(
    args: argparse.Namespace,
    snapshot: Snapshot,
    allowed: Allowed,
    plan: Callable[[Allowed], _Plan],
    moves: Callable[[_Plan], Iterable[Move]],
) -> tuple[_Plan, tuple[str, ...]]:
    """A plan that Nova's other filters let pass, and what is not sure of it.

    :param plan: makes one, by which hosts a server may go to.
    :param moves: those of a plan.
    """
    if cloud_inputs.is_live(args):
        from pinning_filter.explain import migrations

        names = {node.name for node in snapshot.nodes}
        session = cloud_inputs.session(args)
        return migrations.checked(session, names, allowed, plan, moves)
    found = plan(allowed)
    unasked = [
        name
        for name in verdicts.of_file(snapshot).not_asked
        if name not in GROUP_FILTERS.values()
    ]
    if not unasked or not any(True for _ in moves(found)):
        return found, ()
    note = f"Not asked, as the cloud is a file: {', '.join(unasked)}."
    return found, (note,)


def _of_guest(server: str, snapshot: Snapshot) -> Question:
    for node in snapshot.nodes:
        for guest in node.guests:
            if server in (guest.id, guest.name):
                return Question(guest.request)
    raise InputError(f"SERVER: the file has no guest {server!r}")
