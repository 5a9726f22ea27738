"""What passes a host with plain Nova is what Nova claims there."""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.placement import Placement
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import guest_topology
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import pci as nova_pci
from pinning_filter.scheduler import stock_claims
from tests.property import oracle, twins, worlds


@given(worlds.nova_questions(), st.booleans())
def test_what_passes_is_valid_and_what_nova_claims(
    question: Any, aborted: bool
) -> None:
    host, request, devices = question
    assume(len(request.cells) > 1)
    topology = twins.topology(host)
    asked = twins.instance(request)
    stats = twins.pci_stats(topology, devices)
    nova_s = functools.partial(
        _stock, topology, devices, twins.limits(host, request), stats
    )
    near = nova_fit.devices(
        stats, devices.requests, devices.mapping, reorder=False
    )
    # Of two siblings Nova takes the one that its own sets have first.
    read = nova_host.host_from_nova(topology, host.cpu_ratio, host.ram_ratio)
    answer = stock_claims.fit_stock(
        read, request, near, Strategy(), asked, nova_s
    )
    if not isinstance(answer, Placement):
        event("refused" if fit(host, request) else "refused by us")
        return
    event("passed")
    claimed = nova_s(guest_topology.unfitted(asked, aborted=aborted))
    if aborted and claimed is None:
        return
    here = twins.claims(claimed)
    assert oracle.objections(host, request, here) == []
    if not aborted:
        assert here == _claims(answer)


def _stock(
    topology: Any, devices: Any, limits: Any, stats: Any, asked: Any
) -> Any:
    return nova_fit.stock_fit(
        topology,
        asked,
        devices.mapping,
        limits,
        devices.requests,
        nova_pci.light(stats),
    )


def _claims(placement: Placement) -> list[oracle.Claim]:
    return [
        oracle.Claim(
            cell.host_cell.id, cell.pinning, cell.reserved, cell.page_size_kib
        )
        for cell in placement.cells
    ]
