"""Running guests that Nova does not know, and the pCPUs that they hold.

A server may be deleted while its compute node is thought to be down: its row
is gone, and its guest runs on until Nova's own clean-up finds it
(``[DEFAULT] running_deleted_instance_poll_interval``). Nova counts what its
tables say, so that guest's pCPUs would be given to the next one.

Nova's own account is left as it is, and so is all that it does with it. What
orphans hold is added in two places only, and taken out again at once:

* while a claim is tested against the account,
* while the account is written to the compute node's record, from which all
  schedulers read it.

So a guest that Nova comes to know is counted once, by Nova.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import nova.conf
from nova import objects
from nova.compute import claims, resource_tracker
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host
from oslo_log import log as logging

from pinning_filter.core import cpuset
from pinning_filter.core.text import one_line
from pinning_filter.libvirt import running
from pinning_filter.nova import around

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

#: UUID -> dedicated pCPUs.
Held = Mapping[str, AbstractSet[int]]


def install() -> None:
    """Count orphans wherever a driver of ours tracks resources."""
    around.run_within(claims.Claim, "_test_numa_topology", _in_a_claim)
    around.run_within(
        resource_tracker.ResourceTracker, "_update", _in_the_record
    )


class Orphans:
    """The running guests of one compute node that Nova does not know.

    Of the other guests no XML is ever read.
    """

    def __init__(self, host: libvirt_host.Host) -> None:
        self._host = host
        self._told: Held = {}

    def running(self, known: AbstractSet[str]) -> list[libvirt_guest.Guest]:
        """Those that run now.

        :param known: UUIDs of guests that are no orphans.
        """
        return [
            guest
            for guest in self._host.list_guests(only_running=True)
            if guest.uuid not in known
        ]

    def tell(self, held: Held) -> None:
        """Log who has come since the last time, and who has gone."""
        for uuid in held.keys() - self._told.keys():
            LOG.warning(
                "%(pcpus)s: not free, since guest %(uuid)s runs there, which "
                "Nova does not know",
                {"pcpus": cpuset.named(held[uuid]), "uuid": one_line(uuid)},
            )
        for uuid in self._told.keys() - held.keys():
            LOG.info(
                "%(pcpus)s: no longer held by guest %(uuid)s, which is gone, "
                "or which Nova knows",
                {
                    "pcpus": cpuset.named(self._told[uuid]),
                    "uuid": one_line(uuid),
                },
            )
        self._told = held


@contextlib.contextmanager
def counted(
    tracker: resource_tracker.ResourceTracker,
    compute_node: objects.ComputeNode,
    but: AbstractSet[str] = frozenset(),
) -> Iterator[tuple[Orphans | None, Held]]:
    """Within, the compute node has the orphans' pCPUs pinned, too.

    :param but: UUIDs of guests that do not count, although they may run.
    """
    orphans = getattr(tracker.driver, "orphans", None)
    text = (
        compute_node.numa_topology if "numa_topology" in compute_node else None
    )
    if orphans is None or not text:
        yield None, {}
        return
    held: Held = {}
    try:
        if guests := orphans.running(known(tracker) | but):
            topology = objects.NUMATopology.obj_from_db_obj(text)
            if held := pcpus_of(guests, topology):
                compute_node.numa_topology = _pinned(topology, held)
    except Exception:
        # Nova's account is still there, and no claim is to fail by this.
        LOG.exception("Guests that Nova does not know cannot be counted")
        orphans = None
    try:
        yield orphans, held
    finally:
        if held:
            compute_node.numa_topology = text


def known(tracker: resource_tracker.ResourceTracker) -> frozenset[str]:
    """UUIDs of the servers and moves that Nova counts on the compute node."""
    return frozenset(
        (*tracker.tracked_instances, *tracker.tracked_migrations)
    )


def pcpus_of(
    guests: Iterable[libvirt_guest.Guest], topology: objects.NUMATopology
) -> Held:
    """What guests hold of a host's dedicated pCPUs, by their XML."""
    dedicated = frozenset[int]().union(
        *(cell.pcpuset for cell in topology.cells)
    )
    return {
        guest.uuid: pcpus
        for guest in guests
        if (pcpus := _pcpus(guest, dedicated))
    }


def _pcpus(
    guest: libvirt_guest.Guest, dedicated: AbstractSet[int]
) -> frozenset[int]:
    try:
        return running.read(guest.get_xml_desc()).held(dedicated)
    except running.InvalidDomain as error:
        LOG.warning("The XML of guest %s: %s", one_line(guest.uuid), error)
    except Exception as error:
        # It ended in the meantime, most likely.
        LOG.debug("The XML of a guest cannot be had: %s", error)
    return frozenset()


@contextlib.contextmanager
def _in_a_claim(
    claim: claims.Claim, compute_node: objects.ComputeNode, *_: Any
) -> Iterator[None]:
    # What runs of the claiming server itself is in nobody's way.
    with counted(claim.tracker, compute_node, {claim.instance.uuid}):
        yield


@contextlib.contextmanager
def _in_the_record(
    tracker: resource_tracker.ResourceTracker,
    context: Any,
    compute_node: objects.ComputeNode,
    *_: Any,
    **__: Any,
) -> Iterator[None]:
    with counted(tracker, compute_node) as (orphans, held):
        if orphans is not None:
            orphans.tell(held)
        yield


def _pinned(topology: objects.NUMATopology, held: Held) -> str:
    """The topology with these pCPUs pinned, too, as Nova stores it."""
    pcpus = frozenset[int]().union(*held.values())
    for cell in topology.cells:
        cell.pinned_cpus = cell.pinned_cpus | (pcpus & cell.pcpuset)
    return str(topology._to_json())
