"""From arguments to a question, and what of Nova it takes to answer it.

Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

import argparse

from nova import conf

from pinning_filter import nova_fit
from pinning_filter.cli.cloud.snapshot import Snapshot
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import flavors
from pinning_filter.cli.inputs import nova as nova_inputs
from pinning_filter.cli.judging import nova_question, verdicts
from pinning_filter.cli.judging.question import Question
from pinning_filter.cli.judging.verdicts import Others
from pinning_filter.cli.output import InputError
from pinning_filter.core.fit import Strategy


def strategy() -> Strategy:
    """The preferences that ``nova.conf`` asks for."""
    _configured()
    return nova_fit.strategy()


def question(args: argparse.Namespace, snapshot: Snapshot) -> Question:
    """What the arguments of ``explain`` ask.

    :raises InputError: naming the argument that leads nowhere.
    """
    _configured()
    live = cloud_inputs.is_live(args)
    if args.server:
        if live:
            from pinning_filter.cli.cloud.live import servers

            return servers.question(cloud_inputs.session(args), args.server)
        return _of_guest(args.server, snapshot)
    if not live:
        nova_question.know_aliases(snapshot.pci_aliases)
    guest = _guest(args, snapshot)
    with nova_inputs.complaints("the guest"):
        spec = nova_question.spec(guest)
        if live:
            from pinning_filter.cli.cloud.live import servers

            return servers.of_spec(cloud_inputs.session(args), spec)
        return nova_question.of_spec(spec, guest)


def _guest(
    args: argparse.Namespace, snapshot: Snapshot
) -> nova_inputs.Guest:
    """The flavor and the image that the arguments name or describe."""
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
        return nova_inputs.guest(
            args.vcpus, args.ram, dict(args.property), image
        )
    flavor = nova_inputs.flavor(
        flavors.named(args.flavor, snapshot)
    )
    flavor.extra_specs |= nova_inputs.specs(dict(args.property))
    return nova_inputs.read(flavor, nova_inputs.image(image))


def others(
    args: argparse.Namespace, snapshot: Snapshot, question: Question
) -> Others:
    """What the scheduler's other filters say of the snapshot's hosts."""
    if question.spec is None or not cloud_inputs.is_live(args):
        return verdicts.of_file(snapshot)
    from pinning_filter.cli.cloud.live import filters

    names = {node.name for node in snapshot.nodes}
    return filters.ask(cloud_inputs.session(args), question.spec, names)


def _configured() -> None:
    """Nova's options have values, the defaults if no file was read."""
    try:
        _ = conf.CONF.compute.cpu_shared_set
    except Exception:
        conf.CONF([], project="nova", default_config_files=[])


def _of_guest(server: str, snapshot: Snapshot) -> Question:
    for node in snapshot.nodes:
        for guest in node.guests:
            if server in (guest.id, guest.name):
                return Question(guest.request)
    raise InputError(f"SERVER: the file has no guest {server!r}")
