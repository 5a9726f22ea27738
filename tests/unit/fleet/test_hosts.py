"""Hosts with names, and the guests on them."""

import pytest

from pinning_filter.core import synthetic
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest, InvalidCloud

TWO = Request((GuestCell(dedicated=frozenset({0, 1})),))


def guest(name: str, host: Host) -> Guest:
    placement = fit(host, TWO)
    assert isinstance(placement, Placement)
    return Guest(name, TWO, placement)


def test_a_guest_comes_and_goes() -> None:
    before = CloudHost("a", synthetic.host("cell:1 core:2 pu:2"))
    coming = guest("1", before.host)
    after = before.adding(coming, coming.placement)
    assert after.guests == (coming,)
    assert after.host.cells[0].free == {2, 3}
    assert after.without(after.guests[0]) == before


def test_hosts_are_in_the_order_of_their_names() -> None:
    host = synthetic.host("cell:1 core:2 pu:2")
    cloud = Cloud((CloudHost("b", host), CloudHost("a", host)))
    assert [host.name for host in cloud.hosts] == ["a", "b"]


def test_every_name_that_repeats_is_told() -> None:
    host = synthetic.host("cell:1 core:2 pu:2")
    guests = (guest("1", host), guest("2", host))
    with pytest.raises(InvalidCloud) as caught:
        Cloud((CloudHost("a", host, guests), CloudHost("a", host, guests)))
    assert caught.value.problems == (
        "hosts ['a'] repeat",
        "guests ['1', '2'] repeat",
    )
