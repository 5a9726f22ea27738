"""Hosts drawn in plain text, each drawing compared whole."""

import pytest

from pinning_filter.cli.pictures.placement import picture
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.core.synthetic import host


def guest(*sizes, **request):
    """Guest cells of so many dedicated vCPUs."""
    cells = []
    first = 0
    for size in sizes:
        cells.append(GuestCell(frozenset(range(first, first + size))))
        first += size
    return Request(tuple(cells), **request)


def shared(text, pcpus):
    """A host with these pCPUs for floating vCPUs."""
    return Host(
        tuple(
            cell._replace(
                shared=cell.dedicated & pcpus,
                dedicated=cell.dedicated - pcpus,
                free=cell.dedicated - pcpus,
            )
            for cell in host(text).cells
        )
    )


def legacy(text):
    """A host of ``vcpu_pin_set``: every pCPU for either kind of vCPU."""
    return Host(
        tuple(
            cell._replace(shared=cell.dedicated) for cell in host(text).cells
        )
    )


MIXED = Request(
    (GuestCell(frozenset({2, 3}), frozenset({0, 1})),), CpuPolicy.MIXED
)

DRAWN = {
    "a guest on a core of its own beside another guest's": (
        host("cell:1 core:4 pu:2", used={0, 1}),
        guest(2, thread_policy=ThreadPolicy.REQUIRE),
        """\
host cell 0 <- guest cell 0
  pCPU   0  1   2  3   4  5   6  7
       [## ##][v0 v1][ .  .][ .  .]

  v0 v1 ..  the guest's vCPUs
  ##        other guests'
  .         free""",
    ),
    "isolate keeps the siblings idle": (
        legacy("cell:1 core:3 pu:2"),
        guest(1, thread_policy=ThreadPolicy.ISOLATE, emulator_isolated=True),
        """\
host cell 0 <- guest cell 0
  pCPU   0  1   2  3   4  5
       [v0 --][em --][ .  .]

  v0 v1 ..  the guest's vCPUs
  em        kept for its emulator threads
  --        stays idle: its core belongs to the guest
  .         free""",
    ),
    "guest cells that change places": (
        host("cell:2 core:3", used={0, 1}),
        guest(2, 1),
        """\
host cell 0 <- guest cell 1
  pCPU   0   1   2
       [##][##][v2]
host cell 1 <- guest cell 0
  pCPU   3   4   5
       [v0][v1][ .]

  v0 v1 ..  the guest's vCPUs
  ##        other guests'
  .         free""",
    ),
    "floating vCPUs": (
        shared("cell:1 core:5", {0, 1}),
        MIXED,
        """\
host cell 0 <- guest cell 0, its vCPUs 0-1 float over ~
  pCPU   0   1   2   3   4
       [ ~][ ~][v2][v3][ .]

  v0 v1 ..  the guest's vCPUs
  .         free
  ~         shared by floating vCPUs""",
    ),
    "a large host says little of untouched cells": (
        host("cell:2 core:12 pu:2", used={0}),
        guest(2),
        """\
host cell 0: 23 of 24 pCPUs free
host cell 1 <- guest cell 0
  pCPU  24 25  26 27  28 29  30 31  32 33  34 35  36 37  38 39  40 41  42 43
       [v0 v1][ .  .][ .  .][ .  .][ .  .][ .  .][ .  .][ .  .][ .  .][ .  .]
  pCPU  44 45  46 47
       [ .  .][ .  .]

  v0 v1 ..  the guest's vCPUs
  .         free
  Host cells without a part of the guest are counted, not drawn.""",
    ),
}


@pytest.mark.parametrize("on, request_, drawing", DRAWN.values(), ids=DRAWN)
def test_a_guest_on_a_host(on, request_, drawing):
    placement = fit(on, request_)
    assert picture(on, placement) == drawing


def test_a_host_by_itself():
    on = host("cell:1 core:2 pu:2", used={3})
    on = on._replace(cells=(on.cells[0]._replace(dedicated={2, 3}),))
    assert (
        picture(on)
        == """\
host cell 0
  pCPU   0  1   2  3
       [ x  x][ . ##]

  ##        other guests'
  .         free
  x         not for guests"""
    )


def test_a_host_cell_without_pcpus():
    on = host("cell:2 core:1")
    empty = on.cells[0]._replace(dedicated=set(), siblings=[])
    assert picture(on._replace(cells=(empty,))).startswith("host cell 0\n")
