"""What the scheduler's other filters say of each compute node.

Nova's own classes, those that nova.conf enables, on host states made as the
scheduler makes them. Each filter is asked of each host by itself, so that all
that refuse are named and not only the first. What they need is read from the
databases; no message is sent to any service.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from nova import conf, context, objects
from nova.scheduler import filters, host_manager, utils

from pinning_filter.cli.cloud.live import nodes, placement, reading
from pinning_filter.cli.cloud.live.session import Session
from pinning_filter.cli.judging.verdicts import ANSWERED, Others
from pinning_filter.cli.output import InputError

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
        candidates = session.api(placement.candidates, spec)
        aggregates = session.api(objects.AggregateList.get_all)
        enabled = list(_made(wanted, others))
    except Exception as error:
        others.not_asked.update(dict.fromkeys(wanted, reading.why(error)))
        return others
    if candidates is not None:
        others.offered = set()
    for cell in session.cells():
        if cell.is_cell0():
            continue
        # Cells that do not answer are reported where their hosts are missing.
        with contextlib.suppress(InputError):
            reading.asked(
                reading.cell_name(cell),
                session.timeout,
                reading.in_cell(cell, _ask_cell),
                session.context,
                names,
                aggregates,
                candidates,
                enabled,
                spec,
                others,
            )
    return others


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


def _ask_cell(
    cell_context: context.RequestContext,
    names: Collection[str],
    aggregates: objects.AggregateList,
    candidates: placement.Candidates | None,
    enabled: Sequence[filters.BaseHostFilter],
    spec: objects.RequestSpec,
    others: Others,
) -> None:
    services = nodes.services(cell_context)
    for name, compute in nodes.named(cell_context):
        if name not in names or compute.host not in services:
            continue
        offered = [_ANY]
        if candidates is not None and compute.uuid in candidates:
            offered = list(candidates[compute.uuid])
            others.offered.add(name)
        try:
            state = _state(
                cell_context, compute, services[compute.host], aggregates
            )
        except Exception:
            continue  # what cannot be read is told as such
        others.refused[name] = tuple(
            _refusing(enabled, state, offered, spec, others)
        )


def _state(
    cell_context: context.RequestContext,
    compute: objects.ComputeNode,
    service: objects.Service,
    aggregates: objects.AggregateList,
) -> host_manager.HostState:
    """A compute node as the scheduler's filters see it."""
    host = compute.host
    uuids = objects.InstanceList.get_uuids_by_host(cell_context, host)
    state = host_manager.HostState(host, compute.hypervisor_hostname, None)
    state.update(
        compute,
        dict(service),
        [each for each in aggregates if host in each.hosts],
        {uuid: objects.Instance(cell_context, uuid=uuid) for uuid in uuids},
    )
    return state


def _refusing(
    enabled: Sequence[filters.BaseHostFilter],
    state: host_manager.HostState,
    offered: Sequence[dict[str, Any]],
    spec: objects.RequestSpec,
    others: Others,
) -> Iterator[str]:
    """The names of the filters that refuse a host."""
    for each in enabled:
        name = type(each).__name__
        # Some filters take candidates away.
        state.allocation_candidates = copy.deepcopy(list(offered))
        try:
            passed = list(each.filter_all([state], spec))
        except Exception as error:
            others.not_asked[name] = reading.why(error)
            continue
        if not passed:
            yield name
