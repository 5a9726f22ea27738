"""Findings that two looks in a row have."""

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.metrics.drift import Drift
from tests.unit.audit.test_books import booked, repinned, two

GOOD = Snapshot((booked(two()),))
BAD = Snapshot((booked(repinned(two(), 1, {0: 1, 1: 3})),))


def numbers(*snapshots, live=True):
    drift = Drift(live)
    looks = [drift.look(each) for each in snapshots]
    return [None if found is None else len(found) for found in looks]


def test_where_nothing_is_found_one_look_is_enough():
    assert numbers(GOOD) == [0]


def test_what_is_found_takes_a_second_look():
    assert numbers(BAD, BAD) == [None, 2]


def test_what_the_second_look_does_not_have_was_under_way():
    assert numbers(BAD, GOOD) == [None, 0]


def test_what_the_first_look_did_not_have_is_not_told_yet():
    assert numbers(GOOD, BAD, BAD, GOOD) == [0, 0, 2, 0]


def test_a_dump_is_as_it_is():
    assert numbers(BAD, live=False) == [2]
