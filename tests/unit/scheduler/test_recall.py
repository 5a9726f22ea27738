"""What was answered about a host holds until anything changes."""

import pytest
from nova import conf, objects

from pinning_filter.core.refusal import Refusal
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import releases
from pinning_filter.scheduler import filter as filter_module
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.question import Question
from tests.unit.scheduler.test_filter import (
    HostState,
    cell_of,
    dedicated,
    pool,
    spec,
)

PACK = "packing_host_numa_cells_allocation_strategy"


@pytest.fixture(autouse=True)
def _stock_afterwards():
    yield
    nova_fit.uninstall()
    conf.CONF.clear_override(PACK, "compute")


@pytest.fixture
def fits(monkeypatch):
    """A list that gets longer with each fit."""
    asked = []
    fit = filter_module.fit

    def counting(*args):
        asked.append(args)
        return fit(*args)

    monkeypatch.setattr(filter_module, "fit", counting)
    return asked


def answer(host, request, the_filter):
    """Host cells and pCPUs, or why not."""
    found = the_filter._verdict(host, Question.of(request))
    if isinstance(found, Refusal):
        return found.text
    return [
        (cell.host_cell.id, sorted(cell.pinning.values()))
        for cell in found.cells
    ]


def test_who_asks_the_same_again_gets_the_same_without_a_fit(fits):
    host = HostState()
    for _ in range(3):
        found = answer(host, spec(dedicated(2)), PinningFilter())
        assert found == [(0, [0, 1])]
        assert host.limits["numa_topology"].cpu_allocation_ratio == 16.0
    assert len(fits) == 1


def test_a_refusal_holds_as_well_and_leaves_no_candidate(fits):
    host = HostState(used="0-15")
    for _ in range(3):
        host.allocation_candidates = [{"mappings": {}}]
        assert "needs 2" in answer(host, spec(dedicated(2)), PinningFilter())
        assert host.allocation_candidates == []
    assert len(fits) == 1


def pinned_in_place(host):
    cell_of(host).pinned_cpus.update({0, 1})


def pinned_anew(host):
    cell_of(host).pinned_cpus = {0, 1}


def another_topology(host):
    host.numa_topology = HostState(used="0-1").numa_topology


def the_other_cell_is_emptier(host):
    cell_of(host).memory_usage = 1


def pages_in_use(host):
    for page in cell_of(host).mempages:
        page.used = page.total


def fullest_first(host):
    cell_of(host, 1).memory_usage = 1
    conf.CONF.set_override(PACK, True, "compute")


def a_device_in_the_first_cell(host):
    host.pci_stats.pools = [pool(0, "nic")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (pinned_in_place, [(1, [8, 9])]),
        (pinned_anew, [(1, [8, 9])]),
        (another_topology, [(1, [8, 9])]),
        (the_other_cell_is_emptier, [(1, [8, 9])]),
        (pages_in_use, [(1, [8, 9])]),
        (fullest_first, [(1, [8, 9])]),
        (a_device_in_the_first_cell, [(1, [8, 9])]),
    ],
    ids=lambda value: getattr(value, "__name__", "").replace("_", " "),
)
def test_a_change_is_seen(change, expected, monkeypatch):
    # Else a stock host's devices make no difference, as before Nova 34.
    monkeypatch.setattr(releases, "claims_count_devices", lambda: True)
    host, the_filter = HostState(), PinningFilter()
    assert answer(host, spec(dedicated(2)), the_filter) == [(0, [0, 1])]
    change(host)
    assert answer(host, spec(dedicated(2)), the_filter) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (dedicated(3), [(0, [0, 1, 2])]),
        (dedicated(2, 2), [(0, [0, 1]), (1, [8, 9])]),
        (dedicated(2, memory_mib=1 << 30), "of memory"),
        (dedicated(2, policy="isolate"), "thread policy isolate"),
    ],
    ids=["more vCPUs", "more cells", "more memory", "another policy"],
)
def test_who_asks_for_something_else_gets_another_answer(request_, expected):
    host, the_filter = HostState(), PinningFilter()
    answer(host, spec(dedicated(2)), the_filter)
    found = answer(host, spec(request_), the_filter)
    assert expected in found if isinstance(expected, str) else (
        found == expected
    )


def near(**networks):
    return objects.NetworkMetadata(
        **{"physnets": set(), "tunneled": False, **networks}
    )


def host_near_networks():
    """Host cell 0 is near where tunnels end, host cell 1 near "data"."""
    host = HostState()
    cell_of(host, 0).network_metadata = near(tunneled=True)
    cell_of(host, 1).network_metadata = near(physnets={"data"})
    return host


def test_guests_with_networks_are_remembered_each_with_its_own(fits):
    host, the_filter = host_near_networks(), PinningFilter()
    for _ in range(2):
        for networks, expected in (
            (near(), [(0, [0, 1])]),
            (near(physnets={"data"}), [(1, [8, 9])]),
            (near(tunneled=True), [(0, [0, 1])]),
        ):
            asked = spec(dedicated(2), network_metadata=networks)
            assert answer(host, asked, the_filter) == expected
            limits = host.limits["numa_topology"]
            assert limits.network_metadata is networks
    assert len(fits) == 3


def test_a_host_is_compared_with_what_is_known_of_it_once(monkeypatch):
    looked = []
    says = nova_host._contents
    monkeypatch.setattr(
        nova_host, "_contents", lambda cell: looked.append(cell) or says(cell)
    )
    host = host_near_networks()
    asked = spec(dedicated(2), network_metadata=near(physnets={"data"}))
    answer(host, asked, PinningFilter())
    assert looked == host.numa_topology.cells


def test_the_ratios_are_those_of_now(fits):
    host, the_filter = HostState(), PinningFilter()
    answer(host, spec(dedicated(2)), the_filter)
    host.ram_allocation_ratio = 2.0
    answer(host, spec(dedicated(2)), the_filter)
    assert host.limits["numa_topology"].ram_allocation_ratio == 2.0
    assert len(fits) == 2


def test_hosts_do_not_mix_up_their_answers():
    the_filter, request = PinningFilter(), spec(dedicated(2))
    first, second = HostState(), HostState(used="0-3")
    assert answer(first, request, the_filter) == [(0, [0, 1])]
    assert answer(second, request, the_filter) == [(1, [8, 9])]
    assert answer(first, request, the_filter) == [(0, [0, 1])]


def test_a_copy_of_a_topology_knows_nothing_of_the_first():
    host, the_filter = HostState(), PinningFilter()
    answer(host, spec(dedicated(2)), the_filter)
    copy = HostState()
    copy.numa_topology = host.numa_topology.obj_clone()
    copy.numa_topology.cells[0].pinned_cpus = {0, 1}
    assert answer(copy, spec(dedicated(2)), the_filter) == [(1, [8, 9])]
    assert answer(host, spec(dedicated(2)), the_filter) == [(0, [0, 1])]


def test_many_questions_do_not_grow_without_end():
    host, the_filter = HostState("cell:1 core:64"), PinningFilter()
    for vcpus in range(1, 50):
        answer(host, spec(dedicated(vcpus)), the_filter)
    known = nova_host.cached(host.numa_topology)
    assert 0 < len(known.answers) <= 32
