"""Topologies kept from one request to the next, in Nova's own scheduler."""

import concurrent.futures
import threading

import pytest
from nova import objects
from nova.scheduler import host_manager

from pinning_filter.scheduler import topology_cache
from pinning_filter.scheduler.topology_cache import Counts, TopologyCache
from tests.unit.scheduler.computes import (
    ask,
    compute,
    request,
    scheduler,
    state,
)


def parse(text):
    return [text]


def test_the_same_text_of_a_host_is_parsed_once():
    cache = TopologyCache(9)
    first = cache.get("a", "text", parse)
    assert cache.get("a", "".join(["te", "xt"]), parse) is first
    assert cache.counts == Counts(parsed=1, kept=1)


def test_another_text_of_a_host_replaces_it():
    cache = TopologyCache(9)
    first = cache.get("a", "text", parse)
    assert cache.get("a", "other", parse) == ["other"]
    assert cache.get("a", "text", parse) is not first


def test_hosts_never_share_an_object():
    cache = TopologyCache(9)
    assert cache.get("a", "text", parse) is not cache.get("b", "text", parse)


def test_of_too_many_hosts_those_asked_for_last_are_kept():
    cache = TopologyCache(2)
    first = cache.get("a", "text", parse)
    second = cache.get("b", "text", parse)
    assert cache.get("a", "text", parse) is first
    cache.get("c", "text", parse)
    assert cache.get("a", "text", parse) is first
    assert cache.get("b", "text", parse) is not second


def test_a_text_that_cannot_be_parsed_leaves_nothing():
    cache = TopologyCache(2)
    with pytest.raises(ValueError, match="junk"):
        cache.get("a", "junk", lambda text: int(text))
    assert cache.get("a", "junk", parse) == ["junk"]


@pytest.fixture
def hosts():
    return [compute(f"host{number}") for number in range(6)]


def counts():
    cache = topology_cache.installed()
    return cache and cache.counts


def test_host_states_of_every_request_share_what_did_not_change():
    topology_cache.install(100)
    node = compute("a")
    first, again = state(node), state(node)
    assert again.numa_topology is first.numa_topology
    node.numa_topology = compute("a", used={0}).numa_topology
    assert state(node).numa_topology is not first.numa_topology
    assert counts() == Counts(parsed=2, kept=1)


def test_whoever_else_parses_a_topology_has_an_object_of_their_own():
    topology_cache.install(100)
    node = compute("a")
    kept = state(node).numa_topology
    own = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
    assert own is not kept
    assert counts() == Counts(parsed=1, kept=0)


def test_a_compute_node_without_numa_cells_is_none():
    topology_cache.install(100)
    node = compute("a")
    node.numa_topology = None
    assert state(node).numa_topology is None


def test_consuming_leaves_what_is_kept_as_it_was(hosts, monkeypatch):
    running = scheduler(hosts, monkeypatch)
    before = [node.numa_topology for node in hosts]
    for _ in range(3):
        assert len(ask(running, request(4), 6)) == 6
    kept = [state(node).numa_topology for node in hosts]
    assert counts().parsed == len(hosts)
    assert [
        objects.NUMATopology.obj_from_db_obj(text).obj_to_primitive()
        for text in before
    ] == [each.obj_to_primitive() for each in kept]


def test_requests_find_what_those_before_found(hosts, monkeypatch):
    """Counted in ``select_destinations``: no host but those changed is read
    anew."""
    running = scheduler(hosts, monkeypatch)
    ask(running, request(4))
    assert counts() == Counts(parsed=6, kept=0)
    ask(running, request(4))
    assert counts() == Counts(parsed=6, kept=6)
    hosts[0].numa_topology = compute("x", used={0, 1}).numa_topology
    ask(running, request(4))
    assert counts() == Counts(parsed=7, kept=11)


def test_it_can_be_turned_off_and_taken_out():
    topology_cache.install(0)
    assert topology_cache.installed() is None
    update = host_manager.HostState._update_from_compute_node
    parser = vars(objects.NUMATopology).get("obj_from_db_obj")
    topology_cache.install(5)
    assert host_manager.HostState._update_from_compute_node is not update
    topology_cache.uninstall()
    topology_cache.uninstall()
    assert host_manager.HostState._update_from_compute_node is update
    assert vars(objects.NUMATopology).get("obj_from_db_obj") is parser


def test_no_answer_differs(monkeypatch):
    asked = [request(4), request(2, 2), request(6, policy="require")]

    def answers(kept):
        topology_cache.uninstall()
        hosts = [compute(f"host{number}") for number in range(6)]
        running = scheduler(hosts, monkeypatch)
        if not kept:
            topology_cache.uninstall()
        for number, each in enumerate(asked * 4):
            yield ask(running, each, 1 + number % 3)
            hosts[number % 6].numa_topology = compute(
                "x", used=set(range(number))
            ).numa_topology

    found = list(answers(kept=True))
    assert found == list(answers(kept=False))
    assert len({tuple(each) for each in found}) > 3


def test_threads_at_once_are_answered_as_one_after_the_other(
    hosts, monkeypatch
):
    """Eight, each for three servers that are counted on the hosts."""
    running = scheduler(hosts, monkeypatch)
    asked = [
        request(*sizes, policy=policy)
        for sizes in ((4,), (2, 2), (1,), (6,))
        for policy in ("prefer", "require")
    ]
    expected = [ask(running, each, 3) for each in asked]
    topology_cache.uninstall()
    topology_cache.install(100)
    together = threading.Barrier(8)

    def one(each):
        together.wait(30)
        return [ask(running, each, 3) for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, asked))
    assert found == [[answer] * 5 for answer in expected]
    assert counts().kept > counts().parsed
    assert len(running.placement_client.claimed) == 3 * 8 * 6
