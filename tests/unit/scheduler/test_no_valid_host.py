"""The reason of Nova's exception, in ``select_destinations`` itself."""

import time
from concurrent.futures import ThreadPoolExecutor

import oslo_messaging
import pytest
from nova import conf, exception
from nova.scheduler import filters, manager

from pinning_filter import opts
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.fleet.offers import Inventory, Offer, Resources
from pinning_filter.nova import placement_request
from pinning_filter.scheduler import no_valid_host, placement_offers
from pinning_filter.scheduler.no_valid_host import Filtered
from tests.unit.scheduler.computes import ask, compute, request, scheduler

TWO = "No host can take 2 pinned vCPUs in one NUMA cell: "


class OddFilter(filters.BaseHostFilter):
    """Refuses hosts whose name ends in an odd digit."""

    RUN_ON_REBUILD = False

    def host_passes(self, host_state, filter_properties):
        return int(host_state.host[-1]) % 2 == 0


class NothingFilter(filters.BaseHostFilter):
    """Refuses every host."""

    RUN_ON_REBUILD = False

    def host_passes(self, host_state, filter_properties):
        return False


class EveryFilter(filters.BaseHostFilter):
    """Refuses no host."""

    RUN_ON_REBUILD = False

    def host_passes(self, host_state, filter_properties):
        return True


def other(kind):
    return f"{__name__}.{kind.__name__}"


def refused(running, spec, count=1):
    """The message of the exception that the conductor gets."""
    with pytest.raises(oslo_messaging.ExpectedException) as caught:
        ask(running, spec, count)
    kind, error, _ = caught.value.exc_info
    assert kind is exception.NoValidHost
    return str(error).removeprefix("No valid host was found. ")


@pytest.fixture
def nodes():
    """Of four hosts the second and the third are full."""
    full = set(range(16))
    return [
        compute("host0", used=full),
        compute("host1"),
        compute("host2", used=full),
        compute("host3"),
    ]


def test_other_filters_are_named_with_what_they_removed(nodes, monkeypatch):
    running = scheduler(nodes, monkeypatch, other(OddFilter))
    assert refused(running, request(2)) == (
        f"{TWO}2 free pCPUs are needed in one NUMA cell, the best of 2 hosts "
        "has 0; OddFilter refuses 2 of 4 hosts."
    )


def test_another_filter_alone(nodes, monkeypatch):
    running = scheduler(nodes, monkeypatch, other(NothingFilter))
    assert refused(running, request(2)) == (
        f"{TWO}NothingFilter refuses 4 hosts."
    )


def test_several_servers_are_told_as_one_is(nodes, monkeypatch):
    running = scheduler(nodes, monkeypatch)
    found = refused(running, request(17), 3)
    assert found == (
        "No host can take 17 pinned vCPUs in one NUMA cell: 17 dedicated "
        "pCPUs are needed in one NUMA cell, the best of 4 hosts has 8 even "
        "when empty."
    )
    assert refused(running, request(17)) == found


def test_of_several_hosts_that_were_filled_before_count_too(
    nodes, monkeypatch
):
    running = scheduler(nodes, monkeypatch)
    assert len(ask(running, request(8), 4)) == 4
    before = list(running.placement_client.claimed)
    assert refused(running, request(8), 5) == (
        "No host can take 8 pinned vCPUs in one NUMA cell: 8 free pCPUs are "
        "needed in one NUMA cell, the best of 4 hosts has 0."
    )
    assert running.placement_client.claimed == before


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        (
            [Offer({"PCPU": Inventory(4, used=4)}, frozenset())],
            f"{TWO}2 PCPU are needed on one host, 1 host has 0 free.",
        ),
        ([], "There are not enough hosts available."),
    ],
    ids=["its books say why", "it does not answer"],
)
def test_hosts_that_others_took_in_the_meantime(
    nodes, monkeypatch, offered, text
):
    """All filters are passed, and the Placement API takes no claim."""
    running = scheduler(nodes[1::2], monkeypatch, other(EveryFilter))
    monkeypatch.setattr(
        running.placement_client, "claim_resources", lambda *args, **_: False
    )
    monkeypatch.setattr(placement_offers, "of", lambda *args: offered)
    monkeypatch.setattr(
        placement_request,
        "alternatives",
        lambda spec: [Resources({"PCPU": 2})],
    )
    assert refused(running, request(2)) == text


def test_it_can_be_turned_off(nodes, monkeypatch):
    opts.register(conf.CONF)
    running = scheduler(nodes, monkeypatch, other(NothingFilter))
    conf.CONF.set_override("explain_in_fault", False, opts.GROUP.name)
    try:
        assert refused(running, request(2)) == (
            "There are not enough hosts available."
        )
    finally:
        conf.CONF.clear_override("explain_in_fault", opts.GROUP.name)


def test_a_defect_of_ours_leaves_nova_s_words(nodes, monkeypatch):
    running = scheduler(nodes, monkeypatch, other(NothingFilter))
    monkeypatch.setattr(no_valid_host, "sentence", None)
    assert refused(running, request(2)) == (
        "There are not enough hosts available."
    )


def test_requests_that_succeed_ask_the_placement_api_nothing(
    nodes, monkeypatch
):
    running = scheduler(nodes, monkeypatch)
    monkeypatch.setattr(no_valid_host, "_unoffered", None)
    monkeypatch.setattr(no_valid_host, "sentence", None)
    assert ask(running, request(2))


def test_refusals_at_the_same_time_all_have_their_reason(
    nodes, monkeypatch
):
    running = scheduler(nodes, monkeypatch)
    full = Offer({"PCPU": Inventory(4, used=4)}, frozenset())
    asking = []

    def slowly(client, spec):
        asking.append(spec)
        assert len(asking) == 1
        time.sleep(0.05)
        asking.remove(spec)
        yield full

    monkeypatch.setattr(placement_offers, "of", slowly)
    monkeypatch.setattr(
        placement_request,
        "alternatives",
        lambda spec: [Resources({"PCPU": 2})],
    )
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda _: no_valid_host._unoffered(running, request(2)), range(4)
        )
        found = [[each.headline.code for each in refusals]
                 for refusals in found]
    assert found == [[Code.RESOURCE]] * 4


def test_it_is_gone_when_it_is_taken_out(nodes, monkeypatch):
    select = manager.SchedulerManager.select_destinations
    handler = filters.HostFilterHandler.get_filtered_objects
    running = scheduler(nodes, monkeypatch, other(NothingFilter))
    assert manager.SchedulerManager.select_destinations is not select
    no_valid_host.install()
    no_valid_host.uninstall()
    no_valid_host.uninstall()
    assert manager.SchedulerManager.select_destinations is select
    assert filters.HostFilterHandler.get_filtered_objects is handler
    assert refused(running, request(2)) == (
        "There are not enough hosts available."
    )


@pytest.mark.parametrize(
    ("given", "removed"),
    [
        ([], {}),
        ([("A", 3)], {"A": 3}),
        ([("A", 3), ("B", 3), ("C", 1)], {"B": 2, "C": 1}),
    ],
)
def test_what_each_filter_removed(given, removed):
    assert Filtered(given).removed() == removed


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Filtered([("A", 3)]), Code.OTHER_FILTER),
        (Filtered([("A", 3)], left=3), Code.CANDIDATES),
        (
            Filtered(
                [("A", 3)],
                left=3,
                unoffered=[Refusal((Fact(Code.RESOURCE, 2, 0, "PCPU"),))],
            ),
            Code.RESOURCE,
        ),
    ],
    ids=["another filter", "others were quicker", "as the books say"],
)
def test_what_was_missing_in_a_word(found, code):
    assert no_valid_host.code(found) is code


def test_who_is_left_was_not_removed():
    assert Filtered([("A", 3), ("B", 2)], left=1).removed() == {
        "A": 1, "B": 1,
    }
