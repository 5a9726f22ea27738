"""Laws of the choice of near host cells."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from pinning_filter.core import nearness
from pinning_filter.core.check import problems
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request, ThreadPolicy
from pinning_filter.nova import pci as nova_pci
from tests.property import twins, worlds

PLAIN = st.builds(Strategy, pack=st.booleans(), tight=st.booleans())


@st.composite
def laid_out(draw: Any, host: Host) -> Host:
    """The host with distances at random; some are not known."""
    far = st.sampled_from((10, 11, 12, 21, 32))
    return host._replace(
        cells=tuple(
            cell._replace(
                distances={
                    other.id: draw(far)
                    for other in host.cells
                    if draw(st.integers(0, 9))
                }
            )
            for cell in host.cells
        )
    )


@st.composite
def questions(draw: Any) -> tuple[Host, Request, twins.Devices]:
    """Mostly with several ways to choose the host cells."""
    several = worlds.hosts().filter(lambda host: len(host.cells) > 2)
    host = draw(laid_out(draw(several)))
    request = draw(worlds.requests(most_cells=2))
    return host, request, draw(worlds.devices(host))


@given(questions(), PLAIN)
def test_no_verdict_changes(
    question: tuple[Host, Request, twins.Devices], strategy: Strategy
) -> None:
    host, request, pools = question
    devices = nova_pci.NovaDevices(
        twins.pci_stats(twins.topology(host), pools),
        pools.requests,
        pools.mapping,
    )
    near = dataclasses.replace(strategy, near_cells=True)
    plain = fit(host, request, devices, strategy)
    nearer = fit(host, request, devices, near)
    assert bool(plain) == bool(nearer)
    if not (isinstance(plain, Placement) and isinstance(nearer, Placement)):
        assert plain == nearer
        return
    assert problems(host, request, nearer) == []
    if plain == nearer:
        event("the same")
        return
    event("other host cells")
    assert _far(host, nearer) < _far(host, plain)
    assert _devices(devices, nearer) <= _devices(devices, plain)
    if devices.requested:
        event("with devices")
        ids = [placed.host_cell.id for placed in nearer.cells]
        assert any(accepts(ids) for accepts in devices.attempts)


def _far(host: Host, placement: Placement) -> int:
    ids = [cell.id for cell in host.cells]
    chosen = [ids.index(placed.host_cell.id) for placed in placement.cells]
    return nearness.total(host.cells, chosen)


def _devices(devices: nova_pci.NovaDevices, placement: Placement) -> int:
    """Near the cells: kept from others, or (below 0) there for the guest."""
    near = sum(devices.free(p.host_cell.id) for p in placement.cells)
    return -near if devices.requested else near


@given(worlds.questions(), st.data())
def test_no_other_host_cells_are_nearer(
    question: tuple[Host, Request], data: Any
) -> None:
    plain_host, request = question
    host = data.draw(laid_out(plain_host))
    if not all(cell.dedicated for cell in request.cells):
        return
    # Nova takes these whenever they fit, so no choice is put behind others.
    request = dataclasses.replace(request, thread_policy=ThreadPolicy.PREFER)
    found = fit(host, request, None, Strategy(near_cells=True))
    if not isinstance(found, Placement):
        return
    others = [
        nearness.total(host.cells, chosen)
        for chosen in itertools.combinations(
            range(len(host.cells)), len(request.cells)
        )
        if _fits_on(host, request, chosen)
    ]
    event(f"{min(len(set(others)), 3)} or more distances")
    assert _far(host, found) == min(others)


def _fits_on(host: Host, request: Request, chosen: tuple[int, ...]) -> bool:
    """Whether the guest fits if these are the host's only cells with room.

    The others are only there for the networks that they are near to.
    """
    cells = [
        cell
        if position in chosen
        else cell._replace(free=frozenset(), pinned=cell.dedicated)
        for position, cell in enumerate(host.cells)
    ]
    return isinstance(fit(host._replace(cells=cells), request), Placement)
