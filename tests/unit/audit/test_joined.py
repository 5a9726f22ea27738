"""What a compute node does, compared with what Nova's tables say."""

import dataclasses

import pytest

from pinning_filter.audit import joined
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import synthetic
from pinning_filter.fleet.hosts import Unplaced
from pinning_filter.kernel.host import LargePages
from tests.unit.audit.observed import (
    bound,
    domain,
    kernel,
    running,
    seen,
    settings,
)
from tests.unit.audit.test_books import codes_of, packed
from tests.unit.cli import clouds

HOST = synthetic.host("cell:2(memory=8GiB pages=5x2MiB) core:4")
SETS = settings("0-7", "")


def books(**fields):
    """A node with two guests, a-0 on pCPUs 0-1 and a-1 on 2-3."""
    node = packed(HOST, clouds.guest(2), clouds.guest(2))
    return dataclasses.replace(node, **fields)


def world(*domains, **fields):
    """What is seen where all is well: both guests run."""
    return seen(*(domains or (X, Y)), **{"settings": SETS} | fields)


X = bound("x", "0", "1", uuid="a-0")
Y = bound("y", "2", "3", uuid="a-1")


def found(node, observed, moving=()):
    """Findings, each as code, server, expected and seen."""
    return [
        (each.code.value, each.server, each.expected, each.seen)
        for each in joined.findings(node, observed, frozenset(moving))
    ]


def stopped(node, number):
    guests = list(node.guests)
    guests[number] = dataclasses.replace(guests[number], runs=False)
    return dataclasses.replace(node, guests=tuple(guests))


@pytest.mark.parametrize(
    ("node", "observed", "moving"),
    [
        (books(), world(), ()),
        (stopped(books(), 1), world(X), ()),
        (books(), world(X), ["a-1"]),
        (books(), world(X, bound("y", "5", "6", uuid="a-1")), ["a-1"]),
        (books(guests=books().guests[:1]), world(), ["a-1"]),
        (books(guests=books().guests[:1], held=books().guests[1:]),
         world(), ()),
        (books(guests=books().guests[:1],
               unplaced=(Unplaced("a-1", "", "", "broken"),)), world(), ()),
        (books(guests=books().guests[:1], others=1, others_ids=("a-1",)),
         world(), ()),
        (books(guests=books().guests[:1], others=1), world(), ()),
        (Node("a", None, others=1, others_ids=("a-2",)),
         world(running("x", None, uuid="a-2"), settings=settings("", None)),
         ()),
    ],
    ids=[
        "both run as they should",
        "one is stopped",
        "one was built since",
        "one was moved since",
        "one was deleted since",
        "one is leaving",
        "one's row cannot be read",
        "one has no NUMA topology",
        "a dump that does not name those without",
        "a host without NUMA topology",
    ],
)
def test_no_finding(node, observed, moving):
    assert found(node, observed, moving) == []


@pytest.mark.parametrize(
    ("node", "observed", "expected"),
    [
        (
            books(guests=books().guests[:1]), world(),
            ("domain-unknown", "a-1", "a server of Nova's",
             "domain y runs on pCPUs 2-3"),
        ),
        (
            books(), world(X),
            ("domain-missing", "a-1", "a running domain", "none"),
        ),
        (
            books(), world(X, bound("y", "2", "7", uuid="a-1")),
            ("domain-differs", "a-1", "vCPU 1 on pCPU 3",
             "vCPU 1 on pCPU 7"),
        ),
        (
            books(), world(X, bound("y", "2", "3", cell=1, uuid="a-1")),
            ("domain-differs", "a-1", "memory of host cells 0",
             "memory of host cells 1"),
        ),
        (
            books(), world(settings=settings("0-6", "")),
            ("settings-differ", "",
             "dedicated pCPUs 0-6, as in nova.conf there",
             "the compute node's record has 0-7"),
        ),
    ],
    ids=["a server that Nova has forgotten", "a claim without a domain",
         "a vCPU elsewhere", "memory elsewhere",
         "a set that was changed without a restart"],
)
def test_a_disagreement_is_named(node, observed, expected):
    assert found(node, observed) == [expected]


def test_a_pin_changed_live_is_told_once():
    changed = domain(bound("y", "2", "7", uuid="a-1"),
                     {"vcpus": Y.vcpus, "emulator": Y.emulator,
                      "iothreads": Y.iothreads})
    codes = [code for code, *_ in found(books(), world(X, changed))]
    assert codes == ["domain-differs"]


def test_emulator_threads_that_nova_keeps_pcpus_for():
    request = dataclasses.replace(clouds.guest(1), emulator_isolated=True)
    node = packed(HOST, request)
    assert node.guests[0].placement.reserved == {1}
    good = bound("x", "0", emulator="1", uuid="a-0")
    bad = bound("x", "0", emulator="0", uuid="a-0")
    assert found(node, world(good)) == []
    assert [each[2:] for each in found(node, world(bad))] == [
        ("emulator on pCPU 1", "emulator on pCPU 0")
    ]


@pytest.mark.parametrize(
    ("free", "used", "expected"),
    [(8, 0, []), (5, 3, []), (6, 3, []),
     (4, 3, [("5 free pages of 2048 KiB on host cell 0", "4 of 8")])],
    ids=["none is taken", "as many as Nova knows of", "fewer than those",
         "more than those"],
)
def test_large_pages(free, used, expected):
    host = HOST._replace(cells=[
        cell._replace(pages=tuple(
            pages._replace(total=8, used=used)
            if pages.size_kib == 2048 else pages
            for pages in cell.pages
        )) for cell in HOST.cells
    ])
    cells = {0: dataclasses.replace(
        kernel().cells[0], large={2048: LargePages(8, free)})}
    observed = seen(settings=SETS, kernel=kernel(cells=cells))
    node = Node("a", host)
    assert [each[2:] for each in found(node, observed)] == expected


def test_every_code_has_a_case_above():
    assert codes_of(joined) == {
        "domain-missing", "domain-differs", "settings-differ", "pages-taken",
        "pin-changed",
    }
