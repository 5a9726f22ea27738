"""Which moves wait for which."""

import pytest

from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet.hosts import CloudHost
from pinning_filter.fleet.layout import Move
from pinning_filter.fleet.servers import Group, GroupPolicy
from pinning_filter.fleet.steps import steps
from tests.unit.fleet.clouds import running

FOUR = "cell:1 core:4"
TWICE_TWO = "cell:2 core:2"


def planned(
    hosts: list[CloudHost], *wanted: tuple[str, str]
) -> tuple[dict[str, CloudHost], list[Move]]:
    """Moves of servers, by id, to hosts, each placed as the engine does."""
    before = {host.name: host for host in hosts}
    then = dict(before)
    moves = []
    for name, target in wanted:
        source = then[name[0]]
        (server,) = (each for each in source.servers if each.id == name)
        answer = then[target].answer(server)
        assert not isinstance(answer, Refusal)
        then[source.name] = source.without(server)
        then[target] = then[target].adding(server, answer)
        moves.append(Move(server, source.name, target, answer))
    return before, moves


def told(hosts: list[CloudHost], *wanted: tuple[str, str]) -> list[object]:
    before, moves = planned(hosts, *wanted)
    return [
        (step.move.server.id, step.stage, step.waits_for)
        for step in steps(moves, before)
    ]


@pytest.mark.parametrize(
    ("hosts", "wanted", "expected"),
    [
        pytest.param(
            [running("a", FOUR, 2, 2), running("b", FOUR), running("c", FOUR)],
            [("a0", "b"), ("a1", "c")],
            [("a0", 1, ()), ("a1", 1, ())],
            id="to different hosts at once",
        ),
        pytest.param(
            [running("a", FOUR, 2, 2), running("b", FOUR)],
            [("a0", "b"), ("a1", "b")],
            [("a0", 1, ()), ("a1", 1, ())],
            id="to one host at once, if the order does not matter",
        ),
        pytest.param(
            [running("a", FOUR, 3), running("b", FOUR, 2), running("c", FOUR)],
            [("b0", "c"), ("a0", "b")],
            [("b0", 1, ()), ("a0", 2, (1,))],
            id="who needs room waits for who leaves",
        ),
        pytest.param(
            [
                running("a", FOUR, 3),
                running("b", FOUR, 2),
                running("c", FOUR, 2),
                running("d", FOUR, 1),
            ],
            [("c0", "d"), ("b0", "c"), ("a0", "b")],
            [("c0", 1, ()), ("b0", 2, (1,)), ("a0", 3, (2,))],
            id="a chain; who waits is told of the last link alone",
        ),
        pytest.param(
            # Two of one take a cell each, and then two fit nowhere.
            [running("a", FOUR, 2, 1, 1), running("b", TWICE_TWO)],
            [("a0", "b"), ("a1", "b"), ("a2", "b")],
            [("a0", 1, ()), ("a1", 1, ()), ("a2", 2, (1, 2))],
            id="in turn where another order would not do",
        ),
        pytest.param([running("a", FOUR)], [], [], id="nothing moves"),
    ],
)
def test_who_waits_for_whom(
    hosts: list[CloudHost],
    wanted: list[tuple[str, str]],
    expected: list[object],
) -> None:
    assert told(hosts, *wanted) == expected


def test_members_of_a_group_come_one_by_one() -> None:
    hosts = [running("a", FOUR, 1, 1), running("b", FOUR)]
    group = Group("g", GroupPolicy.ANTI_AFFINITY, frozenset({"a0", "a1"}), 2)
    before, moves = planned(hosts, ("a0", "b"), ("a1", "b"))
    grouped = [
        Move(
            type(move.server)(
                move.server.id,
                move.server.request,  # type: ignore[attr-defined]
                move.server.placement,  # type: ignore[attr-defined]
                group=group,
            ),
            move.source,
            move.target,
            move.placement,
        )
        for move in moves
    ]
    assert [step.waits_for for step in steps(grouped, before)] == [(), (1,)]


def test_cold_where_live_cannot_be() -> None:
    hosts = [running("a", FOUR, 1, fixed="it is stopped"), running("b", FOUR)]
    before, moves = planned(hosts, ("a0", "b"))
    (step,) = steps(moves, before)
    assert not step.live
    assert step.why_cold == "it is stopped"
