"""``check`` against the brute-force oracle, on placements right and wrong."""

from __future__ import annotations

import random

from hypothesis import event, given
from hypothesis import strategies as st

from pinning_filter.core.check import problems
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import Request
from tests.property import oracle, worlds


def spoil(host: Host, placement: Placement, dice: random.Random) -> Placement:
    """Change one thing of a placement, as somebody in error might."""
    cells = list(placement.cells)
    at = dice.randrange(len(cells))
    every = sorted(p for cell in host.cells for p in cell.dedicated)
    placed = cells[at]
    pinning = dict(placed.pinning)
    what = dice.randrange(5)
    if what == 0 and pinning and every:
        pinning[dice.choice(sorted(pinning))] = dice.choice(every)
    elif what == 1 and pinning:
        del pinning[dice.choice(sorted(pinning))]
    elif what == 2:
        placed = placed._replace(host_cell=dice.choice(host.cells))
    elif what == 3 and every:
        placed = placed._replace(reserved=frozenset({dice.choice(every)}))
    elif what == 4:
        size = dice.choice((None, 4, 2048, 1 << 20))
        placed = placed._replace(page_size_kib=size)
    cells[at] = placed._replace(pinning=pinning)
    return placement._replace(cells=tuple(cells))


def anywhere(host: Host, request: Request, dice: random.Random) -> Placement:
    """Guest cells thrown at a host."""
    return Placement(
        request,
        tuple(
            CellPlacement(
                guest,
                dice.choice(host.cells),
                {vcpu: dice.randrange(12) for vcpu in guest.dedicated},
            )
            for guest in request.cells
        ),
    )


@given(worlds.questions(), st.randoms(use_true_random=False))
def test_it_objects_where_the_oracle_does_and_nowhere_else(
    question: tuple[Host, Request], dice: random.Random
) -> None:
    host, request = question
    placement = fit(host, request) or anywhere(host, request, dice)
    assert isinstance(placement, Placement)
    for _ in range(dice.randrange(3)):
        placement = spoil(host, placement, dice)
    claims = [
        oracle.Claim(
            cell.host_cell.id, cell.pinning, cell.reserved, cell.page_size_kib
        )
        for cell in placement.cells
    ]
    objections = oracle.objections(host, request, claims)
    event("wrong" if objections else "right")
    assert bool(problems(host, request, placement)) == bool(objections), (
        objections
    )
