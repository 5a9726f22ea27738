"""``pinning-filter status``, on clouds from files."""

import dataclasses
import json

import pytest

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.status import checks
from tests.unit.audit.test_books import booked, two
from tests.unit.cli import clouds

FILTERS = ("ComputeFilter", "PinningFilter")
GOOD = Snapshot((booked(two()),), filters=FILTERS)
WIDE = clouds.Flavor("wide", 5, 1024, 1, clouds.DEDICATED)


@pytest.fixture
def ask(pinning_filter, tmp_path):
    def ask(snapshot, *args):
        path = clouds.write(snapshot, tmp_path / "cloud.json")
        return pinning_filter("status", "--host", path, *args)

    return ask


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({}, 0, id="all is well"),
        pytest.param({"unreachable": {"far": "gone"}}, 4,
                     id="a cell did not answer"),
        pytest.param({"flavors": (WIDE,)}, 3, id="a warning"),
        pytest.param({"filters": ("site.Own", "PinningFilter")}, 3,
                     id="a failure"),
        pytest.param({"flavors": (WIDE,), "unreachable": {"far": "gone"}}, 3,
                     id="a warning, and a cell did not answer"),
    ],
)
def test_exit_status(ask, change, status):
    assert ask(dataclasses.replace(GOOD, **change)).status == status


def test_people_read_a_table_and_below_it_what_to_do(ask):
    said = ask(dataclasses.replace(GOOD, flavors=(WIDE,))).out
    assert said.startswith("9 checks, 1 with warnings.\n")
    assert [line.split()[1:4:2] for line in said.splitlines()
            if line.startswith("| ")] == [
        ["check", "result"],
        *([name, "warning" if name == "flavors" else "ok"] for name in (
            "databases", "filters", "driver", "topology", "cpu-sets",
            "preferences", "flavors", "records", "audit"
        )),
    ]
    assert said.endswith("""
flavors: warning
  Flavor 'wide' fits no host, even without guests. No host can take 5 pinned
  vCPUs in one NUMA cell: 5 dedicated pCPUs are needed in one NUMA cell, 1 host
  has 4 even when empty.
  -> Add such a host or correct the flavor, or delete it.
""")


def test_all_is_well_in_a_line(ask):
    assert ask(GOOD).out.startswith("9 checks, all is well.\n")


def test_programs_read_a_row_for_each_finding_and_each_check(ask):
    filters = ("PinningFilter", "NUMATopologyFilter", "ComputeFilter")
    found = ask(dataclasses.replace(GOOD, filters=filters), "-f", "json")
    rows = json.loads(found.out)
    names = [check.name for check in checks.CHECKS]
    assert all(set(row) == {"check", "result", "text", "remedy"}
               for row in rows)
    assert [row["check"] for row in rows][:3] == [
        "databases", "filters", "filters"
    ]
    assert {row["check"] for row in rows} <= set(names)
    assert rows[0] == {"check": "databases", "result": "ok", "text": "",
                       "remedy": ""}


def test_names_cannot_write_on_the_terminal(ask):
    odd = dataclasses.replace(WIDE, name=clouds.HOSTILE)
    assert "\x1b" not in ask(dataclasses.replace(GOOD, flavors=(odd,))).out


def test_one_host_of_a_dump(ask):
    other = clouds.node("b", "cell:1 core:4")
    cloud = dataclasses.replace(GOOD, nodes=(*GOOD.nodes, other))
    assert ask(cloud, "--host", "b").status == 4  # no Placement API
    answer = ask(cloud, "--host", "c")
    assert (answer.status, answer.out) == (2, "")
    assert "no compute node and no file has the name c" in answer.err
