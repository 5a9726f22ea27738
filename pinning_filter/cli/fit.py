"""``pinning-filter fit``: one flavor on one host, without any cloud."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pinning_filter.cli.columns import Cpus, Pinning
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.inputs import host as host_inputs
from pinning_filter.cli.output import (
    Lister,
    Status,
    for_people,
    to_stdout,
    warn,
)
from pinning_filter.cli.pictures.placement import picture
from pinning_filter.core.errors import InputError
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.refusal import Fact, Refusal
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.explain import engine
from pinning_filter.libvirt import domain as domain_xml

if TYPE_CHECKING:
    from pinning_filter.nova.guest import Guest

#: What people see of the columns below, by verdict.
_PLACED = (
    "guest_cell",
    "host_cell",
    "pinning",
    "floating",
    "reserved",
    "memory_kib",
    "page_size_kib",
)
_REFUSED = (
    "host_cell",
    "guest_cell",
    "code",
    "needed",
    "free",
    "unit",
    "text",
)
_UNPINNED = (
    "The guest asks for no pinning and no NUMA cells: Nova places it by free "
    "vCPUs and memory alone."
)
_KEPT_OFF = (
    "the machine has SMT, though of no core two threads are given out: the "
    "Placement API (trait HW_CPU_HYPERTHREADING) keeps servers with thread "
    "policy isolate off it"
)


class Fit(Lister):
    """Would a server fit this host, and where exactly?

    The same decision as the scheduler's filter, offline. Exit status: 0 it
    fits, 3 it does not fit, 2 bad usage or input.
    """

    #: Stable. A row is a guest cell where the guest fits, a fact that forbids
    #: it where it does not.
    all_columns = ("fits", *dict.fromkeys(_PLACED + _REFUSED))
    #: The guest's XML, if that is asked for, and there is any.
    xml = ""
    #: Why there is none.
    instead = ""

    examples = """\
examples:

  Two vCPUs on the two threads of a core, on a machine that is thought up:

    pinning-filter fit --host 'cell:2 core:4 pu:2' --vcpus 2 --ram 1024 \\
        --property hw:cpu_policy=dedicated \\
        --property hw:cpu_thread_policy=require

  The same on this machine, of which pCPUs 2, 3 and 8 are in use:

    virsh capabilities | pinning-filter fit --host - --used 2-3,8 ...

  An image that asks for pinning; the XML that libvirt would get:

    pinning-filter fit --host host.xml --vcpus 1 --ram 512 \\
        --image-property hw_cpu_policy=dedicated --xml
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Everything that makes up a question, and how to answer."""
        host_inputs.add_host_arguments(parser)
        guest_inputs.add_guest_arguments(parser)
        parser.add_argument(
            "--xml",
            action="store_true",
            help="print what the guest's libvirt XML says of CPUs and "
            "memory, instead of a table; nothing where there is no placement",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Ask the engine; the answer as rows."""
        if parsed_args.xml and not for_people(parsed_args):
            raise InputError("--xml: it takes neither -f nor -c")
        node, has_smt = host_inputs.read_node(parsed_args)
        guest = guest_inputs.read_guest(parsed_args)
        if guest.request is None:
            self.before = self.instead = _UNPINNED
            rows = [{"fits": True, "text": _UNPINNED}]
            return self.answer(parsed_args, (), rows)
        placement = engine.answer(node, guest.request)
        if isinstance(placement, Refusal):
            self.status = Status.NO
            self.before = "It does not fit."
            self.instead = f"it does not fit: {placement.text}"
            if node.host:
                self.after = "\n" + picture(node.host)
            rows = [_fact(fact) for fact in placement.in_order]
            return self.answer(parsed_args, _REFUSED, rows)
        assert node.host is not None
        isolate = guest.request.thread_policy is ThreadPolicy.ISOLATE
        if isolate and has_smt and not node.host.has_threads:
            warn(_KEPT_OFF)
        if parsed_args.xml:
            self.xml = _xml(node.host, placement, guest)
        self.before = "It fits."
        self.after = "\n" + picture(node.host, placement)
        rows = [_placed(i, cell) for i, cell in enumerate(placement.cells)]
        return self.answer(parsed_args, _PLACED, rows)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """The XML by itself, so that other programs can read it; or rows.

        What there is to say in its place is not for them.
        """
        if parsed_args.xml:
            if self.instead:
                warn(self.instead)
            with to_stdout(self.app) as stdout:
                stdout.write(self.xml)
            return 0
        return super().produce_output(parsed_args, column_names, data)


def _xml(host: Host, placement: Placement, guest: Guest) -> str:
    """What the guest's XML says; a warning of what in it is not so."""
    settings = guest.settings(
        frozenset().union(*(cell.shared for cell in host.cells))
    )
    shown = domain_xml.topology(placement, settings)
    if domain_xml.false_siblings(placement, shown):
        warn(
            f"the guest is shown {shown.threads} threads a core, as asked "
            "for, but its vCPUs are not on siblings of the host"
        )
    return domain_xml.dumps(*domain_xml.elements(placement, settings))


def _placed(index: int, cell: CellPlacement) -> dict[str, Any]:
    return {
        "fits": True,
        "guest_cell": index,
        "host_cell": cell.host_cell.id,
        "pinning": Pinning(cell.pinning),
        "floating": Cpus(cell.guest_cell.shared),
        "reserved": Cpus(cell.reserved),
        "memory_kib": cell.guest_cell.memory_kib,
        "page_size_kib": cell.page_size_kib,
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "fits": False,
        **fact._asdict(),
        "code": fact.code.value,
        "text": fact.text,
    }
