"""What the scheduler's other filters say of each compute node.

Nova's own classes, those that nova.conf enables, on host states made as the
scheduler makes them. Each filter is asked of each host by itself, so that all
that refuse are named and not only the first. What they need is read from the
databases; no message is sent to any service.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from nova import conf, context, objects
from nova.scheduler import filters, host_manager, utils

from pinning_filter.cloud.live import nodes, placement, reading
from pinning_filter.cloud.live.session import Session
from pinning_filter.explain.verdicts import ANSWERED, Others

#: The candidate of a host that the Placement API was not asked about.
_ANY: dict[str, Any] = {"allocations": {}, "mappings": {}}


def ask(
    session: Session, spec: objects.RequestSpec, names: Collection[str]
) -> Others:
    """Ask the enabled filters about the compute nodes of these names.

    :param spec: Nova's request, which is changed as Nova would change it.
    """
    others = Others()
    wanted = [
        name
        for name in conf.CONF.filter_scheduler.enabled_filters
        if name not in ANSWERED
    ]
    try:
        session.api(utils.setup_instance_group, spec)
        asker = _Asker(
            spec,
            tuple(_made(wanted, others)),
            session.api(objects.AggregateList.get_all),
            session.api(placement.candidates, spec),
            others,
        )
    except Exception as error:
        others.not_asked.update(dict.fromkeys(wanted, reading.why(error)))
        return others
    if asker.candidates is not None:
        others.offered = set()
    # Cells that do not answer are reported where their hosts are missing.
    session.each_cell(lambda targeted, cell: asker.ask_cell(targeted, names))
    return others


def ask_each(
    session: Session,
    wanted: Mapping[str, Collection[str]],
    besides: Collection[str],
) -> dict[str, Others]:
    """Ask the enabled filters about running servers, each about some hosts.

    As if each server were to be migrated. What the Placement API offers is
    not asked: it counts what is there before any move.

    :param wanted: the names of hosts, by a server's UUID.
    :param besides: names of filters that are not asked.
    """
    names = [
        name
        for name in conf.CONF.filter_scheduler.enabled_filters
        if name not in {*ANSWERED, *besides}
    ]
    specs = session.api(
        objects.RequestSpec.get_by_instance_uuids, sorted(wanted)
    )
    aggregates = session.api(objects.AggregateList.get_all)
    askers = {}
    for spec in specs:
        others = Others()
        spec.force_hosts = spec.force_nodes = None
        askers[spec.instance_uuid] = _Asker(
            spec, tuple(_made(names, others)), aggregates, None, others
        )
    session.each_cell(
        lambda targeted, cell: _ask_cell(targeted, askers, wanted)
    )
    return {uuid: asker.others for uuid, asker in askers.items()}


def _ask_cell(
    cell_context: context.RequestContext,
    askers: Mapping[str, _Asker],
    wanted: Mapping[str, Collection[str]],
) -> None:
    """Ask about the compute nodes of a cell, which are read once."""
    services = nodes.services(cell_context)
    computes = nodes.named(cell_context)
    for uuid, asker in askers.items():
        asker.ask_about(cell_context, computes, services, wanted[uuid])


def _made(
    wanted: Sequence[str], others: Others
) -> Iterator[filters.BaseHostFilter]:
    """The filters of these names, as the scheduler makes them."""
    known = {
        each.__name__: each
        for each in filters.HostFilterHandler().get_matching_classes(
            conf.CONF.filter_scheduler.available_filters
        )
    }
    for name in wanted:
        if name in known:
            yield known[name]()
        else:
            others.not_asked[name] = "it is not among available_filters"


@dataclasses.dataclass(frozen=True, slots=True)
class _Asker:
    """One request, and all that is needed to ask filters about it."""

    spec: objects.RequestSpec
    filters: tuple[filters.BaseHostFilter, ...]
    aggregates: objects.AggregateList
    #: What the Placement API offers; None: it is not known.
    candidates: placement.Candidates | None
    others: Others  #: what was found out

    def ask_cell(
        self, cell_context: context.RequestContext, names: Collection[str]
    ) -> None:
        """Ask about the compute nodes of a cell that have these names."""
        self.ask_about(
            cell_context,
            nodes.named(cell_context),
            nodes.services(cell_context),
            names,
        )

    def ask_about(
        self,
        cell_context: context.RequestContext,
        computes: Sequence[tuple[str, objects.ComputeNode]],
        services: Mapping[str, objects.Service],
        names: Collection[str],
    ) -> None:
        """Ask about those of a cell's compute nodes that have these names."""
        for name, compute in computes:
            service = services.get(compute.host)
            if name not in names or service is None:
                continue
            offered = (self.candidates or {}).get(compute.uuid, [])
            if offered and self.others.offered is not None:
                self.others.offered.add(name)
            # What cannot be read is told as such.
            with contextlib.suppress(Exception):
                state = self._state(cell_context, compute, service)
                self.others.refused[name] = tuple(
                    self._refusing(state, offered or [_ANY])
                )

    def _state(
        self,
        cell_context: context.RequestContext,
        compute: objects.ComputeNode,
        service: objects.Service,
    ) -> host_manager.HostState:
        """A compute node as the scheduler's filters see it."""
        host = compute.host
        uuids = objects.InstanceList.get_uuids_by_host(cell_context, host)
        state = host_manager.HostState(host, compute.hypervisor_hostname, None)
        state.update(
            compute,
            dict(service),
            [each for each in self.aggregates if host in each.hosts],
            {
                uuid: objects.Instance(cell_context, uuid=uuid)
                for uuid in uuids
            },
        )
        return state

    def _refusing(
        self,
        state: host_manager.HostState,
        offered: Sequence[Mapping[str, Any]],
    ) -> Iterator[str]:
        """The names of the filters that refuse a host."""
        for each in self.filters:
            name = type(each).__name__
            # Some filters take candidates away.
            state.allocation_candidates = copy.deepcopy(list(offered))
            try:
                passed = list(each.filter_all([state], self.spec))
            except Exception as error:
                self.others.not_asked[name] = reading.why(error)
                continue
            if not passed:
                yield name
