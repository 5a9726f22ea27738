"""Server groups, as Nova's filters have them."""

import pytest

from pinning_filter.fleet.servers import Group, GroupPolicy

HOMES = {"a": "one", "b": "two", "c": "two", "stranger": "three"}


def group(policy, most=1):
    return Group("g", GroupPolicy(policy), frozenset("abcd"), most)


@pytest.mark.parametrize(
    ("policy", "most", "allowed"),
    [
        pytest.param(
            "affinity", 1, {"one", "two"}, id="where one of it is, its own too"
        ),
        pytest.param(
            "anti-affinity", 1, {"one", "three"}, id="where no other of it is"
        ),
        pytest.param(
            "anti-affinity", 2, {"one", "three"}, id="two are no more than two"
        ),
        pytest.param(
            "anti-affinity", 3, {"one", "two", "three"}, id="up to three"
        ),
        pytest.param(
            "soft-affinity", 1, {"one", "two", "three"}, id="a preference"
        ),
        pytest.param(
            "soft-anti-affinity", 1, {"one", "two", "three"}, id="another"
        ),
    ],
)
def test_where_a_member_may_go(policy, most, allowed):
    asked = group(policy, most)
    others = asked.others("a", HOMES)
    assert others == {"two": 2}
    hosts = ("one", "two", "three")
    assert {h for h in hosts if asked.allows(h, "one", others)} == allowed
