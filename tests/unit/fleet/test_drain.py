"""Emptying a host, beside trying every plan."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet.drain import Drain, drain
from pinning_filter.fleet.hosts import Cloud, CloudHost
from pinning_filter.fleet.layout import Allowed, anywhere
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, GroupPolicy, Server
from tests.unit.fleet.clouds import mixed_cloud, running
from tests.unit.fleet.every_plan import fewest_more, group_lets

FOUR = "cell:1 core:4"


def emptied(
    *hosts: CloudHost, allowed: Allowed = anywhere, name: str = "a"
) -> Drain:
    return drain(Cloud(hosts), name, allowed)


def moves(plan: Drain) -> list[tuple[str, str]]:
    return [(each.move.server.id, each.move.target) for each in plan.steps]


def grouped(host: CloudHost, group: Group) -> CloudHost:
    """The host with its servers in the group, those that are members."""
    return dataclasses.replace(
        host,
        guests=tuple(
            dataclasses.replace(each, group=group)
            if each.id in group.members
            else each
            for each in host.guests
        ),
    )


def floating(
    host: CloudHost, vcpus: int, *servers: Server, mib: int = 4096
) -> CloudHost:
    """The host with inventories, and servers without a NUMA topology."""
    host = dataclasses.replace(
        host,
        inventories={
            "VCPU": Inventory(vcpus), "MEMORY_MB": Inventory(mib),
        },
    )
    for server in servers:
        host = host.adding(server, None)
    return host


def floats(id: str, vcpus: int = 1, **fields: object) -> Server:
    amounts = {"VCPU": vcpus, "MEMORY_MB": 1024}
    return Server(id, amounts=amounts, **fields)  # type: ignore[arg-type]


def test_floating_servers_go_where_the_placement_api_has_room() -> None:
    plan = emptied(
        floating(running("a", FOUR), 4, floats("x", 2), floats("y", 2)),
        floating(running("b", FOUR), 3, mib=9000),
        floating(running("c", "cell:1 core:1"), 2),
    )
    assert moves(plan) == [("x", "c"), ("y", "b")]
    assert not plan.stuck


def test_a_floating_server_without_a_place_is_told_what_is_missing() -> None:
    plan = emptied(
        floating(running("a", FOUR), 4, floats("x", 2)),
        floating(running("b", FOUR), 1),
    )
    (stuck,) = plan.stuck
    assert stuck.impossible
    assert stuck.why == (
        "No host can take a server without a NUMA topology: 2 VCPU are needed "
        "on one host, 1 host has 1 even when empty."
    )


@pytest.mark.parametrize(
    ("policy", "expected", "stuck", "impossible"),
    [
        ("anti-affinity", [("a0", "c")], [], False),
        ("affinity", [("a0", "b")], [], False),
        ("soft-anti-affinity", [("a0", "c")], [], False),
        ("soft-affinity", [("a0", "b")], [], False),
    ],
)
def test_a_server_group_decides_where_its_members_go(
    policy: str,
    expected: list[tuple[str, str]],
    stuck: list[str],
    impossible: bool,
) -> None:
    # Without a group the fuller of "b" and "c", by name, is taken.
    group = Group("g", GroupPolicy(policy), frozenset({"a0", "b0"}))
    plan = emptied(
        *(
            grouped(running(name, FOUR, 1), group)
            for name in "abc"
        )
    )
    assert moves(plan) == expected


def test_a_hard_affinity_group_on_the_host_alone_cannot_leave_it() -> None:
    group = Group("g", GroupPolicy.AFFINITY, frozenset({"a0", "a1"}))
    full = grouped(running("a", FOUR, 1, 1), group)
    plan = emptied(full, running("b", FOUR))
    assert moves(plan) == []
    first, second = plan.stuck
    assert first.impossible and second.impossible
    assert first.why == (
        "No host can take 1 pinned vCPU in one NUMA cell: "
        "ServerGroupAffinityFilter refuses 1 host."
    )
    assert first.helps == (
        "It fits on b, were it not for its server group of policy affinity.",
    )


def test_who_stays_is_told_why_and_the_rest_goes() -> None:
    host = running("a", FOUR, 2, 1)
    first, second = host.guests
    host = dataclasses.replace(
        host,
        guests=(
            dataclasses.replace(first, stays="it is resized", fixed="it is x"),
            second,
        ),
    )
    plan = emptied(host, running("b", FOUR))
    assert moves(plan) == [("a1", "b")]
    (stuck,) = plan.stuck
    assert (stuck.server.id, stuck.why, stuck.impossible) == (
        "a0", "It cannot be migrated: it is resized.", True,
    )


def test_others_make_way_and_no_more_than_must() -> None:
    plan = emptied(
        running("a", FOUR, 3), running("b", FOUR, 2), running("c", FOUR, 2)
    )
    assert moves(plan) == [("b0", "c"), ("a0", "b")]
    assert plan.others == 1
    assert [step.waits_for for step in plan.steps] == [(), (1,)]


@pytest.mark.parametrize(
    ("others", "helps"),
    [
        pytest.param(
            [running("b", FOUR, closed="it is off"), running("c", FOUR, 3)],
            (
                "It fits on b, which takes no servers now: it is off.",
                "On c it fits when 1 more pCPU is free in host cell 0, such "
                "as 0.",
            ),
            id="a closed host, and what is to be freed",
        ),
        pytest.param(
            [running("b", FOUR), running("c", FOUR, 4)],
            (
                "It fits on b, which its availability zone, aggregates or "
                "traits rule out.",
                "On c it fits when 2 more pCPUs are free in host cell 0, such "
                "as 0-1.",
            ),
            id="a host that it may not go to",
        ),
    ],
)
def test_what_would_help(
    others: list[CloudHost], helps: tuple[str, ...]
) -> None:
    plan = emptied(
        running("a", FOUR, 2),
        *others,
        allowed=lambda server: {host.name for host in others[::-1][:1]}
        | {host.name for host in others if host.closed},
    )
    (stuck,) = plan.stuck
    assert stuck.helps == helps


def test_too_few_pcpus_in_all_are_told() -> None:
    plan = emptied(running("a", FOUR, 3), running("b", FOUR, 2))
    assert plan.impossible == (
        "its servers take 3 pCPUs, and 2 are free on all hosts that take "
        "servers"
    )


def holds(cloud: Cloud, plan: Drain) -> bool:
    """Carried out step by step, each fits when it comes; nobody is left."""
    hosts = {each.name: each for each in cloud.hosts}
    for step in plan.steps:
        move = step.move
        (server,) = (
            each
            for each in hosts[move.source].servers
            if each.id == move.server.id
        )
        if not group_lets(hosts, server, move.target):
            return False
        answer = hosts[move.target].answer(server)
        if answer != move.placement:
            return False
        hosts[move.source] = hosts[move.source].without(server)
        hosts[move.target] = hosts[move.target].adding(server, answer)
    left = {each.id for each in hosts[plan.host].servers}
    return left == {each.server.id for each in plan.stuck}


def fits_in_any_order(cloud: Cloud, plan: Drain, rng: random.Random) -> bool:
    """Carried out by what waits for what alone, in orders by chance."""
    for _ in range(4):
        hosts = {each.name: each for each in cloud.hosts}
        left = list(plan.steps)
        while left:
            ready = [
                each
                for each in left
                if not {other.number for other in left} & set(each.waits_for)
            ]
            step = rng.choice(ready)
            left.remove(step)
            move = step.move
            (server,) = (
                each
                for each in hosts[move.source].servers
                if each.id == move.server.id
            )
            answer = hosts[move.target].answer(server)
            if isinstance(answer, Refusal) or not group_lets(
                hosts, server, move.target
            ):
                return False
            hosts[move.source] = hosts[move.source].without(server)
            hosts[move.target] = hosts[move.target].adding(server, answer)
    return True


def test_beside_every_plan() -> None:
    """At most 1.1 times the fewest moves, and 99 of 100 plans found."""
    rng = random.Random(3)
    missed = possible = planned = best = with_others = 0
    for names in itertools.islice(itertools.cycle(("abc", "abcd")), 150):
        cloud = mixed_cloud(rng, names)
        plan = drain(cloud, "a")
        assert holds(cloud, plan)
        assert fits_in_any_order(cloud, plan, rng)
        fewest = fewest_more(cloud, "a", 2 if len(names) == 3 else 1)
        if fewest is None:
            continue
        possible += 1
        with_others += fewest > 0
        missed += bool(plan.stuck)
        if not plan.stuck:
            planned += len(plan.steps)
            best += len(cloud.hosts[0].servers) + fewest
        else:
            assert not plan.impossible
            assert not any(each.impossible for each in plan.stuck)
    assert possible > 90
    assert with_others > 4
    assert missed <= possible / 100
    assert planned <= 1.1 * best
