"""A cloud in which some hosts run plain Nova."""

import dataclasses

import pytest
from nova import objects
from nova.scheduler import host_manager

from pinning_filter.core.request import CpuPolicy, GuestCell, Request
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler import stock_claims
from pinning_filter.scheduler.filter import PinningFilter
from tests.property import twins
from tests.unit.scheduler.test_filter import (
    HostState,
    dedicated,
    device,
    passing,
    pool,
    spec,
)

OURS = nova_stats.write("1.0", {})


def host(text, used="", stats=None):
    found = HostState(text, used)
    found.stats = stats or {}
    return found


def with_physnets(found):
    """Host cell 1 is near network a, host cell 3 near b."""
    for cell, physnets in ((1, {"a"}), (3, {"b"})):
        found.numa_topology.cells[
            cell
        ].network_metadata = objects.NetworkMetadata(
            physnets=physnets, tunneled=False
        )
    return found


def on_a_and_b(request):
    return spec(
        request,
        network_metadata=objects.NetworkMetadata(
            physnets={"a", "b"}, tunneled=False
        ),
    )


def nova_gives_a_pcpu_twice(stats=None):
    """1, 2, 0 and 1 pCPUs are free."""
    return host("cell:4 core:2", "0,4-6", stats), spec(dedicated(1, 1, 2))


def nova_refuses(stats=None):
    """0, 2 and 1 pCPUs are free."""
    return host("cell:3 core:2", "0-1,4", stats), spec(dedicated(1, 2))


def nova_misses_the_networks(stats=None):
    found = with_physnets(host("cell:4 core:4", stats=stats))
    return found, on_a_and_b(dedicated(2, 2))


WRONG = pytest.mark.parametrize(
    "case",
    [nova_gives_a_pcpu_twice, nova_refuses, nova_misses_the_networks],
    ids=lambda case: case.__name__.replace("_", " "),
)


@WRONG
def test_a_host_that_runs_our_engine_passes(case):
    found, request = case(OURS)
    assert passing([found], request) == ["good"]


@WRONG
def test_the_same_host_with_plain_nova_is_refused(case):
    found, request = case()
    assert passing([found], request) == []
    assert found.allocation_candidates == []


def reason(found, request, caplog):
    caplog.set_level("DEBUG", "pinning_filter")
    assert passing([found], request) == []
    return caplog.text


def test_the_reason_says_what_is_wrong(caplog):
    text = reason(*nova_gives_a_pcpu_twice(), caplog)
    assert (
        "the host runs plain Nova, whose own claim for several guest cells "
        "is wrong (guest cell "
    ) in text


def test_the_reason_says_that_nova_would_refuse(caplog):
    assert "claim for several guest cells is a refusal" in reason(
        *nova_refuses(), caplog
    )


def test_where_nova_s_answer_is_right_the_host_passes():
    assert passing([host("cell:2 core:4 pu:2")], spec(dedicated(4, 4)))


def test_that_is_so_for_as_many_cells_as_there_are():
    found = host("cell:8 core:2")
    assert passing([found], spec(dedicated(*[2] * 8))) == ["good"]


def test_a_claim_after_an_aborted_one_must_be_right_as_well(caplog):
    # 2 and 1 pCPUs are free. That 2 vCPUs do not fit on the second host cell
    # Nova forgets once the guest cells have lost their ids.
    found = host("cell:2 core:2", "2")
    text = reason(found, spec(dedicated(1, 2)), caplog)
    assert "dedicated vCPUs 1-2 have no pCPU) after an aborted one" in text
    found = host("cell:2 core:2", "2", OURS)
    assert passing([found], spec(dedicated(1, 2))) == ["good"]


def test_a_refusal_after_an_aborted_claim_does_no_harm():
    # 1 and 2 pCPUs are free; Nova would refuse what it takes at first.
    found = host("cell:2 core:2", "0")
    assert passing([found], spec(dedicated(2, 1))) == ["good"]


def never(*args, **kwargs):
    raise AssertionError("asked")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(dedicated(4), id="one guest cell"),
        pytest.param(dedicated(9, 9), id="a guest that we refuse"),
    ],
)
def test_nova_is_not_asked_about(request_, monkeypatch):
    monkeypatch.setattr(nova_fit, "stock_fit", never)
    passing([host("cell:2 core:4 pu:2")], spec(request_))


def test_nova_is_not_asked_about_hosts_of_ours(monkeypatch):
    monkeypatch.setattr(nova_fit, "stock_fit", never)
    found = host("cell:2 core:4 pu:2", stats=OURS)
    assert passing([found], spec(dedicated(4, 4))) == ["good"]


def test_nova_is_stopped_when_it_goes_through_all_ways(monkeypatch, caplog):
    # Of 40320 ways to place 8 guest cells Nova would try most: the last two
    # host cells have one free pCPU less.
    monkeypatch.setattr(stock_claims, "_MOST_TRIES", 10)
    found = host("cell:8 core:2", "0,2")
    request = spec(dedicated(*[2] * 6, 1, 1))
    assert "is not found in 10 tries" in reason(found, request, caplog)


def test_nova_s_own_failure_is_a_reason(monkeypatch, caplog):
    def fails(*args, **kwargs):
        raise KeyError("secret")

    monkeypatch.setattr(nova_fit, "stock_fit", fails)
    text = reason(*nova_gives_a_pcpu_twice(), caplog)
    assert "guest cells fails (KeyError)" in text


def test_nova_is_not_asked_where_its_first_try_fits(monkeypatch):
    monkeypatch.setattr(nova_fit, "stock_fit", None)
    found = host("cell:2 core:4")
    assert passing([found], spec(dedicated(2, 2))) == ["good"]


def test_a_host_cell_without_cores_on_which_nova_raises(caplog):
    found = host("cell:2 core:4")
    cell = found.numa_topology.cells[1]
    cell.cpuset, cell.pcpuset, cell.siblings = {4, 5, 6, 7}, set(), []
    request = Request(
        (
            GuestCell(dedicated=frozenset({0, 1}), memory_kib=1 << 19),
            GuestCell(shared=frozenset({2}), memory_kib=1 << 19),
        ),
        CpuPolicy.MIXED,
    )
    assert "fails (ValueError)" in reason(found, spec(request), caplog)


def test_the_request_stays_as_it_was():
    found, request = nova_gives_a_pcpu_twice()
    before = request.numa_topology.obj_to_primitive()
    passing([found], request)
    assert request.numa_topology.obj_to_primitive() == before


def one_near_device(stats):
    """One pCPU free in host cell 1; one device there and one elsewhere."""
    found = host("cell:2 core:4", "0-3", stats)
    found.pci_stats.pools = [pool(1, "near"), pool(None, "far")]
    first, second = device("preferred"), device("required")
    return found, spec(
        dedicated(2),
        pci_requests=objects.InstancePCIRequests(requests=[first, second]),
    )


def without_providers(found):
    for each in found.pci_stats.pools:
        del each["rp_uuid"]
    found.allocation_candidates = [{"mappings": {"": ["root"]}}]
    return found


@pytest.mark.parametrize(
    ("stats", "passed"), [(OURS, ["good"]), ({}, [])], ids=["ours", "Nova"]
)
def test_devices_are_served_in_another_order_on_our_hosts_only(stats, passed):
    # Nova would give the only near device to the one who merely prefers it.
    found, request = one_near_device(stats)
    assert passing([without_providers(found)], request) == passed


def test_two_servers_of_one_request_are_counted_as_nova_will_claim():
    # Plain Nova takes host cells in another order than we would.
    found = host("cell:4 core:3")
    request = dedicated(1, 0)
    request = dataclasses.replace(request, emulator_isolated=True)
    topology = twins.instance(request)
    claimed = nova_fit.stock_fit(
        found.numa_topology, topology.obj_clone(), None
    )
    with nova_stats.fitting_to({}):
        counted = nova_fit.numa_fit_instance_to_host(
            found.numa_topology, topology, None
        )
    ours = nova_fit.numa_fit_instance_to_host(
        found.numa_topology, topology, None
    )
    assert twins.claims(counted) == twins.claims(claimed)
    assert twins.claims(counted) != twins.claims(ours)


def test_what_is_counted_on_a_host_knows_what_the_host_says(monkeypatch):
    told = []

    def spying(self, spec_obj):
        told.append(nova_stats.current())

    monkeypatch.setattr(
        host_manager.HostState, "_locked_consume_from_request", spying
    )
    stock_claims.install()
    stock_claims.install()
    state = host_manager.HostState("host", "node", "cell")
    state.stats = OURS
    state.consume_from_request(spec(dedicated(1)))
    state.stats = None
    state.consume_from_request(spec(dedicated(1)))
    assert [said and said.version for said in told] == ["1.0", None]
    assert nova_stats.current() is None


def test_an_l3_aligned_host_is_fitted_as_it_will_claim(caplog):
    caches = {0: [{0, 1, 2, 3}, {4, 5, 6, 7}]}
    found = host("cell:1 core:8", "0", nova_stats.write("1.0", caches))
    caplog.set_level("DEBUG", "pinning_filter")
    assert PinningFilter().host_passes(found, spec(dedicated(2)))
    assert "host cell 0 0->4 1->5" in caplog.text
