"""From arguments to a question, and what of Nova it takes to answer it.

Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

import argparse
import types
from typing import Any

from nova import conf

from pinning_filter import nova_fit, nova_pci
from pinning_filter.cli import cloud_inputs, nova_inputs, nova_question
from pinning_filter.cli.output import InputError
from pinning_filter.cli.question import Question
from pinning_filter.cli.snapshot import Flavor, Node, Snapshot
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
    if args.server:
        if cloud_inputs.is_live(args):
            return cloud_inputs.session(args).question(args.server)
        return _of_guest(args.server, snapshot)
    image: dict[str, str] = {}
    if args.image:
        if not cloud_inputs.is_live(args):
            raise InputError(
                "--image: a file holds no images; say what the image asks "
                "for with --image-property"
            )
        image = cloud_inputs.session(args).image(args.image)
    image |= dict(args.image_property)
    if args.flavor:
        found = _flavor(args.flavor, snapshot)
        specs = {**found.extra_specs, **dict(args.property)}
        flavor = nova_question.flavor_of(found)
        flavor.extra_specs = specs
        guest = nova_inputs.read(flavor, nova_inputs.image(image))
    else:
        guest = nova_inputs.guest(
            args.vcpus, args.ram, dict(args.property), image
        )
    return nova_question.question(guest)


def _configured() -> None:
    """Nova's options have values, the defaults if no file was read."""
    try:
        _ = conf.CONF.compute.cpu_shared_set
    except Exception:
        conf.CONF([], project="nova", default_config_files=[])


def _flavor(name: str, snapshot: Snapshot) -> Flavor:
    for flavor in snapshot.flavors:
        if flavor.name == name:
            return flavor
    known = ", ".join(flavor.name for flavor in snapshot.flavors[:10])
    raise InputError(
        f"--flavor: there is no {name!r}; there are {known or 'none'}"
        + (", ..." if len(snapshot.flavors) > 10 else "")
    )


def _of_guest(server: str, snapshot: Snapshot) -> Question:
    for node in snapshot.nodes:
        for guest in node.guests:
            if server in (guest.id, guest.name):
                return Question(guest.request)
    raise InputError(f"SERVER: the file has no guest {server!r}")


def devices(node: Node, question: Question) -> nova_pci.NovaDevices | None:
    """The devices of a compute node, as Nova counts them."""
    host = node.host
    if host is None or not (question.pci_requests or node.pci_pools):
        return None
    cells: list[Any] = [
        types.SimpleNamespace(id=cell.id, socket=cell.socket)
        for cell in host.cells
    ]
    topology = types.SimpleNamespace(cells=cells)
    pools = [dict(pool) for pool in node.pci_pools]
    return nova_pci.NovaDevices(
        nova_pci.LightStats(topology, pools),
        list(question.pci_requests),
        None,
    )
