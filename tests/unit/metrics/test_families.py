"""What figures are called."""

import collections
import pathlib
import re

import pytest

from pinning_filter.audit import books
from pinning_filter.audit.findings import Code, Finding
from pinning_filter.cloud.snapshot import Node, Provider
from pinning_filter.metrics import families, per_host, reading, refusals, text
from pinning_filter.metrics.per_host import Kind
from tests.unit.cli.clouds import HOSTILE, guest, node
from tests.unit.metrics.clouds import FLAVORS, counted, series

PAGE = (
    pathlib.Path(__file__).parents[3] / "doc" / "source" / "metrics.rst"
)


def of_cloud(*nodes, **kwargs):
    return series(text.of(families.of_cloud(counted(*nodes, **kwargs))))


def of_hosts(*nodes, kinds=tuple(Kind), **kwargs):
    found = counted(*nodes, **kwargs)
    return series(text.of(per_host.of_hosts(found.hosts, kinds)))


TWO = (
    node("a", "cell:2(memory=4GiB) core:4", guest(3), guest(2)),
    node("b", "cell:1(memory=4GiB) core:2 pu:2", guest(2), closed="of old"),
)


def test_hosts_and_why_they_are_closed():
    found = of_cloud(*TWO, Node("c", None))
    assert found["pinning_filter_hosts_open"] == {(): 1}
    closed = found["pinning_filter_hosts_closed"]
    assert {key: number for key, number in closed.items() if number} == {
        ("other",): 1, ("no_topology",): 1,
    }
    assert len(closed) == 8


def test_capacity_of_all_hosts_together():
    found = of_cloud(*TWO)
    assert found["pinning_filter_pcpus"] == {
        ("free",): 5, ("pinned",): 7, ("idle",): 0, ("shared",): 0,
        ("offline",): 0, ("unaccounted",): 0,
    }
    assert found["pinning_filter_memory_bytes"] == {
        ("used",): 3 << 30, ("free",): 9 << 30,
    }
    assert found["pinning_filter_pages_bytes"] == {
        ("4KiB", "used"): 3 << 30, ("4KiB", "free"): 9 << 30,
        ("4KiB", "reserved"): 0,
    }
    assert found["pinning_filter_stranded_pcpus"] == {(): 1}


def test_room_for_flavors():
    found = of_cloud(*TWO)
    assert found["pinning_filter_flavor_fits"] == {
        ("pinned.2",): 1, ("pinned.4",): 0,
    }
    assert found["pinning_filter_flavor_fits_empty"] == {
        ("pinned.2",): 6, ("pinned.4",): 3,
    }
    assert found["pinning_filter_flavor_fits_lost"] == {
        ("pinned.2",): 0, ("pinned.4",): 0,
    }


def test_losses():
    found = of_cloud(node("c", "cell:1 core:2", guest(2)), TWO[0])
    assert found["pinning_filter_hosts_by_loss"] == {
        ("true",): 1, ("false",): 1,
    }
    assert found["pinning_filter_survivable_losses"] == {(): 0}


def finding(code):
    return Finding(code, "a", "", "", "")


def test_findings_are_counted_by_code():
    twice = [finding(Code.PCPU_HELD_TWICE)] * 2
    found = of_cloud(*TWO, findings=twice)["pinning_filter_audit_findings"]
    assert found["pcpu-held-twice", "critical"] == 2
    assert sum(found.values()) == 2


def test_what_was_not_compared_is_not_0():
    asked = Provider({}, frozenset(), {})
    name = "pinning_filter_audit_findings"
    without = of_cloud(*TWO)[name]
    whole = of_cloud(node("a", "cell:1 core:1", provider=asked))[name]
    assert {code for code, _ in whole.keys() - without.keys()} == {
        "allocation-missing", "allocation-differs", "allocation-of-nobody",
        "inventory-differs",
    }


def test_the_codes_are_those_that_the_audit_finds_in_books():
    source = pathlib.Path(books.__file__).read_text()
    found = {Code[name] for name in re.findall(r"Code\.(\w+)", source)}
    assert found == {*families.OF_BOOKS, *families.OF_ALLOCATIONS}


def test_before_the_second_look_nothing_is_said_of_findings():
    found = of_cloud(*TWO, findings=None)
    assert "pinning_filter_audit_findings" not in found


def test_cells():
    found = of_cloud(*TWO, unreachable={"cell2": "gone"})
    assert found["pinning_filter_cell_up"] == {
        ("cell1",): 1, ("cell2",): 0,
    }


@pytest.mark.parametrize("kind", Kind)
def test_of_each_host_only_what_is_asked_for(kind):
    alone = of_hosts(*TWO, kinds=[kind])
    others = of_hosts(*TWO, kinds=set(Kind) - {kind})
    assert alone and not alone.keys() & others.keys()
    assert alone | others == of_hosts(*TWO)


def test_series_of_hosts_add_up_to_those_of_the_cloud():
    cloud, hosts = of_cloud(*TWO), of_hosts(*TWO)
    for name in ("pcpus", "memory_bytes", "pages_bytes", "stranded_pcpus",
                 "stranded_memory_bytes", "flavor_fits", "flavor_fits_empty",
                 "flavor_fits_lost"):
        assert sum(cloud[f"pinning_filter_{name}"].values()) == sum(
            hosts[f"pinning_filter_host_{name}"].values()
        ), name


def test_hosts_have_a_hostname_and_numa_cells():
    found = text.of(per_host.of_hosts(counted(*TWO).hosts, [Kind.PCPUS]))
    assert (
        b'pinning_filter_host_pcpus{hostname="a",numa_cell="1",state="pinned"}'
        b" 2.0\n"
    ) in found


def test_a_host_that_is_closed_says_why():
    found = of_hosts(*TWO)
    assert found["pinning_filter_host_open"] == {("a",): 1, ("b",): 0}
    assert found["pinning_filter_host_closed"] == {("b", "other"): 1}


@pytest.mark.parametrize(
    "name", [HOSTILE, 'a"} 1\nevil 2', "back\\slash", "日本"]
)
def test_names_stay_within_their_labels(name):
    made = node(name, "cell:1 core:2")
    wanted = {name: guest(2)}
    assert of_cloud(made, wanted=wanted)["pinning_filter_flavor_fits"] == {
        (name,): 1
    }
    assert of_hosts(made)["pinning_filter_host_open"] == {(name,): 1}


def every_family(tmp_path):
    """Each family that there is."""
    found = counted(*TWO, wanted=FLAVORS)
    return [
        reading.build(),
        *families.of_cloud(found),
        *per_host.of_hosts(found.hosts, tuple(Kind)),
        *reading.of_data(0, 0),
        *reading.of_readings(collections.Counter(), None),
        *refusals.families(tmp_path),
    ]


def test_names_keep_to_conventions(tmp_path):
    for family in every_family(tmp_path):
        assert re.fullmatch(r"pinning_filter(_[a-z]+)+", family.name)
        assert family.type in ("gauge", "counter")
        # Counters get it when they are written.
        assert not family.name.endswith("_total")
        for word in ("kib", "mib", "percent", "ms"):
            assert word not in family.name.split("_")


def test_no_two_families_have_a_name(tmp_path):
    names = [family.name for family in every_family(tmp_path)]
    assert len(names) == len(set(names))


def test_every_family_is_told_on_its_page(tmp_path):
    told = set(re.findall(r"^``(pinning_filter\w+)``$", PAGE.read_text(),
                          re.MULTILINE))
    made = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in every_family(tmp_path)
    }
    assert told == made


@pytest.mark.parametrize(
    ("kib", "name"),
    [(4, "4KiB"), (64, "64KiB"), (2048, "2MiB"), (1 << 20, "1GiB")],
)
def test_page_sizes(kib, name):
    assert families.size_name(kib) == name
