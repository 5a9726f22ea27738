"""``PinningWeigher``: what the scheduler hands over, and what it gets back."""

import pytest
from nova import conf, objects
from nova.scheduler import weights

from pinning_filter.core.request import CpuPolicy, GuestCell, Request
from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import answers, weigher
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher
from tests.unit.scheduler.test_filter import HostState, dedicated, spec

objects.register_all()


@pytest.fixture(autouse=True)
def _stock_afterwards():
    PinningWeigher()  # as a scheduler has one before it filters
    yield
    nova_fit.uninstall()
    for name in ("pinning_weight_multiplier", "failover_room"):
        conf.CONF.clear_override(name, "pinning_filter")


class Aggregate:
    def __init__(self, **metadata):
        self.metadata = metadata


def state(text="cell:2 core:4 pu:2", used="", name="host", **metadata):
    made = HostState(text, used, name)
    made.aggregates = [Aggregate(**metadata)] if metadata else []
    return made


def order(hosts, spec_obj, weighers=None):
    handler = weights.HostWeightHandler()
    found = handler.get_weighed_objects(
        weighers or [PinningWeigher()], hosts, spec_obj
    )
    return [(each.obj.host, each.weight) for each in found]


def names(hosts, spec_obj):
    return [name for name, _ in order(hosts, spec_obj)]


FULL, EMPTY, HALF = "0-5,8-15", "", "0-7"


def three_hosts():
    return [
        state(used=EMPTY, name="empty"),
        state(used=FULL, name="nearly full"),
        state(used=HALF, name="half"),
    ]


@pytest.mark.parametrize("filtered", [True, False], ids=["after", "alone"])
def test_hosts_that_stay_most_usable_come_first(filtered):
    hosts, asked = three_hosts(), spec(dedicated(2))
    if filtered:
        hosts = list(PinningFilter().filter_all(hosts, asked))
    assert order(hosts, asked)[0] == ("nearly full", 10000.0)
    assert names(hosts, asked) == ["nearly full", "half", "empty"]


def test_after_the_filter_the_engine_is_not_asked_again(monkeypatch):
    hosts, asked = three_hosts(), spec(dedicated(2))
    hosts = list(PinningFilter().filter_all(hosts, asked))
    monkeypatch.delattr(weigher, "_asked")
    assert names(hosts, asked)[0] == "nearly full"


@pytest.mark.parametrize("networks", [False, True], ids=["none", "networks"])
def test_the_same_answer_is_judged_once(monkeypatch, networks):
    hosts, fields = three_hosts(), {}
    if networks:
        near = objects.NetworkMetadata(physnets={"data"}, tunneled=False)
        fields["network_metadata"] = near
        for host in hosts:
            for cell in host.numa_topology.cells:
                cell.network_metadata = near
    for turn in range(2):
        asked = spec(dedicated(2), **fields)
        passed = list(PinningFilter().filter_all(hosts, asked))
        assert names(passed, asked) == ["nearly full", "half", "empty"], turn
        monkeypatch.delattr(weigher.score, "choice", raising=False)


def test_a_host_whose_usage_changed_is_judged_anew():
    hosts = three_hosts()
    for used, expected in (
        (EMPTY, ["nearly full", "half", "empty"]),
        ("0-6,8-14", ["empty", "nearly full", "half"]),
        (EMPTY, ["nearly full", "half", "empty"]),
    ):
        hosts[0].numa_topology = HostState(used=used).numa_topology
        asked = spec(dedicated(1))
        passed = list(PinningFilter().filter_all(hosts, asked))
        assert names(passed, asked) == expected


def test_a_request_that_cannot_be_read_is_not_weighed(caplog):
    asked = spec(dedicated(2))
    asked.numa_topology = objects.InstanceNUMATopology(
        cells=[objects.InstanceNUMACell(id=0)]
    )
    assert {weight for _, weight in order(three_hosts(), asked)} == {0.0}
    assert "could not be weighed" in caplog.text


def test_an_answer_for_another_usage_does_not_count():
    hosts, asked = three_hosts(), spec(dedicated(2))
    hosts = list(PinningFilter().filter_all(hosts, asked))
    for host in hosts:
        host.numa_topology = HostState(used=HALF).numa_topology
    assert {weight for _, weight in order(hosts, asked)} == {0.0}


def test_answers_belong_to_one_request():
    hosts, asked = three_hosts(), spec(dedicated(2))
    list(PinningFilter().filter_all(hosts, asked))
    assert len(answers.of_request(asked)) == 3
    assert answers.of_request(spec(dedicated(2))) == {}


def floating():
    cell = GuestCell(shared=frozenset({0, 1}))
    return Request((cell,), CpuPolicy.SHARED)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(None, id="no NUMA topology"),
        pytest.param(floating(), id="floating vCPUs"),
    ],
)
def test_guests_without_dedicated_vcpus_are_not_weighed(request_, monkeypatch):
    monkeypatch.delattr(weigher, "_weights")
    found = order(three_hosts(), spec(request_))
    assert {weight for _, weight in found} == {0.0}


@pytest.mark.parametrize(
    ("multiplier", "expected"),
    [
        pytest.param(2.5, ("nearly full", 2.5), id="smaller"),
        pytest.param(-1.0, ("empty", 0.0), id="turned round"),
    ],
)
def test_the_option_multiplies(multiplier, expected):
    conf.CONF.set_override(
        "pinning_weight_multiplier", multiplier, "pinning_filter"
    )
    assert order(three_hosts(), spec(dedicated(2)))[0] == expected


def test_nothing_is_weighed_with_a_multiplier_of_zero(monkeypatch):
    monkeypatch.delattr(weigher, "_weights")
    conf.CONF.set_override("pinning_weight_multiplier", 0, "pinning_filter")
    found = order(three_hosts(), spec(dedicated(2)))
    assert {weight for _, weight in found} == {0.0}


def test_an_aggregate_has_a_multiplier_of_its_own():
    hosts = three_hosts()
    hosts[1] = state(used=FULL, name="low", pinning_weight_multiplier="0.5")
    assert dict(order(hosts, spec(dedicated(2))))["low"] == 0.5


def test_a_host_that_cannot_be_read_is_as_bad_as_the_worst():
    hosts = [*three_hosts(), state(text="", name="unreadable")]
    found = dict(order(hosts, spec(dedicated(2))))
    assert found["unreadable"] == found["empty"] == 0.0


def test_a_host_that_does_not_fit_is_as_bad_as_the_worst():
    hosts = [*three_hosts(), state(used="0-15", name="full")]
    found = dict(order(hosts, spec(dedicated(2))))
    assert found["full"] == found["empty"] == 0.0


def test_devices_are_left_to_those_who_ask_for_them():
    hosts = [state(name="with"), state(name="without")]
    hosts[0].pci_stats.pools = [
        {"product_id": "1", "vendor_id": "8086", "numa_node": 0, "count": 4},
        {
            "product_id": "1",
            "vendor_id": "8086",
            "numa_node": None,
            "count": 4,
        },
    ]
    for host in hosts:
        cells = host.numa_topology.cells
        cells[1].pinned_cpus = set(cells[1].pcpuset)
    assert names(hosts, spec(dedicated(2))) == ["without", "with"]


def test_devices_that_are_gone_are_not_remembered():
    hosts = [state(used="8-15", name="a"), state(used="8-15", name="b")]
    pool = {"product_id": "1", "vendor_id": "8086", "numa_node": 0}
    for number, expected in ((0, ["b", "a"]), (1, ["a", "b"])):
        for host in hosts:
            host.pci_stats.pools = []
        hosts[number].pci_stats.pools = [{**pool, "count": 4}]
        asked = spec(dedicated(2))
        passed = list(PinningFilter().filter_all(hosts, asked))
        assert names(passed, asked) == expected


def unlike_hosts():
    """More pCPUs in use on the large one than the others have free."""
    return [
        state("cell:4 core:4 pu:2", "0-29", "large"),
        state("cell:2 core:4 pu:2", "0-1", "small"),
        state("cell:2 core:4 pu:2", "0-1", "other"),
    ]


def test_room_for_the_guests_of_a_host_that_fails_is_kept_if_asked_for():
    hosts = unlike_hosts()
    for keeps, expected in ((False, "large"), (True, "small")):
        # With the same hosts: what was judged before is of no use then.
        conf.CONF.set_override("failover_room", keeps, "pinning_filter")
        asked = spec(dedicated(2))
        passed = list(PinningFilter().filter_all(hosts, asked))
        assert names(passed, asked)[0] == expected


def test_a_host_without_such_room_is_weighed_all_the_same():
    conf.CONF.set_override("failover_room", True, "pinning_filter")
    assert names([state(name="only")], spec(dedicated(2))) == ["only"]
