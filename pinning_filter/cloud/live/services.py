"""The services of a running cloud, whatever kind they are of."""

from __future__ import annotations

from collections.abc import Iterator

from nova import context, objects

from pinning_filter.cloud.live.session import Session
from pinning_filter.cloud.snapshot import Service

#: Those that make or read what is written of NUMA cells.
_BINARIES = ("nova-scheduler", "nova-conductor", "nova-compute")


def services(session: Session) -> tuple[Service, ...]:
    """Those of every cell that answers, cell0 included.

    :raises InputError: if the API database does not answer.
    """
    found, _ = session.each_cell(
        lambda targeted, cell: list(_of_cell(targeted)), cell0=True
    )
    # Schedulers and conductors are in one cell, or in cell0.
    return tuple(dict.fromkeys(each for part in found for each in part))


def _of_cell(cell_context: context.RequestContext) -> Iterator[Service]:
    for binary in _BINARIES:
        for service in objects.ServiceList.get_by_binary(
            cell_context, binary, include_disabled=True
        ):
            yield Service(binary, service.host, service.version)
