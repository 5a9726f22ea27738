"""What a compute node says of itself, written and read."""

import sys

import pytest

from pinning_filter.core.strategy import Strategy
from pinning_filter.core.synthetic import host
from pinning_filter.nova import stats as nova_stats

CACHES = {0: [{0, 1, 8, 9}, {2, 3, 10, 11}], 1: [{4, 5, 12, 13}]}


def test_a_host_that_says_nothing_runs_plain_nova():
    plain = {"uptime": "1 day", "failed_builds": "0"}
    for stats in (None, {}, plain, "junk", 1, [None]):
        told = nova_stats.read(stats)
        assert (told.ours, told.aligns, told.nears) == (False, False, False)


def test_the_strings_are_short_and_readable():
    assert nova_stats.write("1.2", CACHES) == {
        "pinning_filter": "1.2",
        "pinning_filter_prefers": "nova",
        "pinning_filter_aligns": "last_level_cache",
        "pinning_filter_caches": "0:0-1,8-9 2-3,10-11;1:4-5,12-13",
    }


def test_so_are_those_of_a_host_that_knows_its_distances():
    far = {1: {1: 10, 0: 21}, 0: {0: 10, 1: 21}}
    stats = nova_stats.write("1.2", {}, far)
    assert stats == {
        "pinning_filter": "1.2",
        "pinning_filter_aligns": "",
        "pinning_filter_distances": "0:0=10 1=21;1:0=21 1=10",
        "pinning_filter_prefers": "nova",
    }
    told = nova_stats.read(stats)
    assert told.nears
    assert told.distances == far


def test_a_source_tree_that_is_not_installed_has_a_version(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    assert nova_stats.version.__wrapped__() == "unknown"


def test_what_is_written_is_read():
    told = nova_stats.read(nova_stats.write("1.2", CACHES))
    assert told.version == "1.2"
    assert {cell: list(banks) for cell, banks in told.caches.items()} == CACHES


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        (Strategy(), "nova"),
        (Strategy(pack=True), "nova, packing"),
        (Strategy(apart=True), "spread"),
        (Strategy(pack=True, apart=True), "spread, packing"),
        (Strategy(tight=True), "tight"),
        (Strategy(pack=True, tight=True), "tight"),
    ],
)
@pytest.mark.parametrize("caches", [{}, CACHES])
def test_what_claims_prefer_is_told(strategy, word, caches):
    told = nova_stats.read(nova_stats.write("1.2", caches, strategy=strategy))
    assert (told.prefers, told.aligns) == (word, bool(caches))


@pytest.mark.parametrize("text", ["junk", "0:1-x", "x:0-1", "0:9-1", ";"])
def test_caches_that_make_no_sense_are_not_known(text, caplog):
    stats = {"pinning_filter": "1", "pinning_filter_caches": text}
    told = nova_stats.read(stats)
    assert (told.ours, told.aligns) == (True, False)
    assert "caches" in caplog.text


@pytest.mark.parametrize("text", ["junk", "0:1", "0:1=x", "x:0=10", ";"])
def test_distances_that_make_no_sense_are_not_known(text, caplog):
    stats = nova_stats.write("1", CACHES)
    told = nova_stats.read({**stats, "pinning_filter_distances": text})
    assert (told.ours, told.aligns, told.nears) == (True, True, False)
    assert "distances" in caplog.text


def test_two_hosts_that_differ_in_distances_are_told_apart():
    near, far = (
        nova_stats.fingerprint(nova_stats.write("1", {}, {0: {1: value}}))
        for value in (12, 32)
    )
    assert near != far


def test_a_host_gets_the_distances_of_its_own_cells():
    stats = nova_stats.write("1.2", {}, {1: {0: 21, 1: 10}})
    told = nova_stats.read(stats)
    cells = told.with_layout(host("cell:2 core:4")).cells
    assert [cell.distances for cell in cells] == [{}, {0: 21, 1: 10}]


def test_a_host_gets_the_caches_of_its_own_cells():
    told = nova_stats.read(nova_stats.write("1.2", {1: [{4, 5}, {6, 7}]}))
    cells = told.with_layout(host("cell:2 core:4")).cells
    assert [list(cell.caches) for cell in cells] == [[], [{4, 5}, {6, 7}]]


def test_a_host_that_does_not_align_is_left_alone():
    plain = host("cell:2 l3:2 core:4")
    assert nova_stats.NodeStats("1").with_layout(plain) is plain


def test_what_is_said_is_known_within_and_forgotten_after():
    with nova_stats.fitting_to({"pinning_filter": "1"}):
        with nova_stats.fitting_to({}):
            assert nova_stats.current() == nova_stats.NO_STATS
        assert nova_stats.current().version == "1"
    assert nova_stats.current() is None
