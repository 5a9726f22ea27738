"""``explain``, ``capacity``, ``map`` and ``dump``, on clouds from files."""

import csv
import dataclasses
import io
import json
import re
import sys

import pytest

from pinning_filter.cloud import dumpfile
from pinning_filter.cloud.snapshot import Flavor, Node, Snapshot
from pinning_filter.core import synthetic
from pinning_filter.core.errors import InputError, Invalid
from pinning_filter.core.host import Pages
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet.offers import Inventory
from tests.unit.cli import clouds

PINNED = ("--property", "hw:cpu_policy=dedicated")
REQUIRE = (*PINNED, "--property", "hw:cpu_thread_policy=require")


def asked(vcpus, *more):
    return ("--vcpus", vcpus, "--ram", 1024, *more)


def rows(answer):
    return json.loads(answer.out)


def reasons(answer, host):
    return [
        (row["verdict"], row["code"], row["host_cell"], row["text"])
        for row in rows(answer)
        if row["host"] == host
    ]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("empty", [("fits", None, 0, "takes pCPUs 0-1")]),
        (
            "full",
            [
                (
                    "placement",
                    "resource",
                    None,
                    "needs 2 PCPU, 0 of 4 are free",
                ),
                ("filter", "pcpus", 0, "needs 2 free pCPUs, has 0"),
            ],
        ),
        (
            "no-smt",
            [
                (
                    "placement",
                    "trait_missing",
                    None,
                    "has no trait HW_CPU_HYPERTHREADING: thread policy "
                    "require needs SMT",
                ),
                (
                    "filter",
                    "no_smt",
                    None,
                    "thread policy require needs SMT, there is none",
                ),
            ],
        ),
        (
            "no-topology",
            [
                (
                    "filter",
                    "no_topology",
                    None,
                    "the host reports no NUMA topology",
                )
            ],
        ),
        (
            "odd",
            [
                (
                    "filter",
                    "unreadable",
                    None,
                    "the host reports something unreadable: its pcpuset is "
                    "missing",
                )
            ],
        ),
        (
            "off",
            [
                (
                    "service",
                    "closed",
                    None,
                    "the compute service is disabled",
                ),
                (
                    "aggregate",
                    "aggregate",
                    None,
                    "its aggregates have cpu slow, the flavor wants fast",
                ),
                (
                    "filter",
                    "no_smt",
                    None,
                    "thread policy require needs SMT, there is none",
                ),
            ],
        ),
    ],
)
def test_explain_says_all_that_speaks_against_a_host(
    pinning_filter, several, host, expected
):
    spec = "aggregate_instance_extra_specs:cpu=fast"
    answer = pinning_filter(
        "explain", "--host", several, "--host", host,
        *asked(2, *REQUIRE, *(("--property", spec) if host == "off" else ())),
        "-f", "json",
    )
    assert reasons(answer, host) == expected
    assert answer.status == (0 if host == "empty" else 3)


def test_explain_says_what_would_help(pinning_filter, several):
    answer = pinning_filter(
        "explain", "--host", several, *asked(4, *REQUIRE), "-f", "json"
    )
    assert {
        row["host"]: row["remedies"] for row in rows(answer) if row["remedies"]
    } == {
        "full": [
            "fits when 4 more pCPUs are free in host cell 0, such as 0-3"
        ],
        "no-smt": [
            "fits with thread policy prefer when 1 more pCPU is free in host "
            "cell 0, such as 0"
        ],
    }


ISOLATE = (*PINNED, "--property", "hw:cpu_thread_policy=isolate")


def one(pinning_filter, tmp_path, node, *question):
    """The rows about the only host of a cloud."""
    path = clouds.write(Snapshot((node,)), tmp_path / "one.json")
    return rows(
        pinning_filter("explain", "--host", path, *question, "-f", "json")
    )


def test_isolate_on_a_full_host_with_smt_is_refused_for_its_smt(
    pinning_filter, tmp_path
):
    node = clouds.node(
        "smt", "cell:1 core:2 pu:2", clouds.guest(4),
        provider=clouds.provider(4, 4),
    )
    found = one(pinning_filter, tmp_path, node, *asked(2, *ISOLATE))
    assert [(row["code"], row["needed"], row["free"]) for row in found] == [
        ("trait_forbidden", None, None), ("smt", 2, 0), ("resource", 2, 0),
    ]
    assert found[1]["unit"] == "cores without SMT"
    assert found[0]["remedies"] == [
        "fits with thread policy prefer when 2 more pCPUs are free in host "
        "cell 0, such as 0-1"
    ]


def test_a_page_size_that_is_not_there_is_told_with_numbers(
    pinning_filter, tmp_path
):
    node = clouds.node("small", "cell:1 core:4")
    (row,) = one(
        pinning_filter, tmp_path, node,
        *asked(2, *PINNED, "--property", "hw:mem_page_size=2MB"),
    )
    assert [row[key] for key in ("code", "needed", "free", "unit")] == [
        "page_size", 1048576, 0, "KiB",
    ]
    assert row["text"] == (
        "needs 1 GiB in memory pages of 2 MiB, has only pages of 4 KiB"
    )
    assert row["remedies"] == ["fits with memory pages of any size"]


@pytest.mark.parametrize(
    ("free_mib", "remedies"),
    [
        (
            1024,
            ["fits when 2 more pCPUs are free in host cell 0, such as 0-1"],
        ),
        (512, []),
    ],
    ids=["it has the memory", "it has not"],
)
def test_a_remedy_is_enough_for_the_placement_api_too(
    pinning_filter, tmp_path, free_mib, remedies
):
    provider = clouds.provider(4, 4)
    provider.inventories["MEMORY_MB"] = Inventory(
        65536, used=65536 - free_mib
    )
    node = clouds.node(
        "full", "cell:1 core:4", clouds.guest(4), provider=provider
    )
    found = one(pinning_filter, tmp_path, node, *asked(2, *PINNED))
    assert found[0]["remedies"] == remedies


def test_what_a_host_never_has_comes_before_what_is_in_use(
    pinning_filter, tmp_path
):
    node = clouds.node("small", "cell:1 core:2", provider=clouds.provider(2))
    node.provider.inventories["MEMORY_MB"] = Inventory(2048, used=2048)
    found = one(pinning_filter, tmp_path, node, *asked(4, *PINNED))
    assert [row["text"] for row in found if row["verdict"] == "placement"] == [
        "needs 4 PCPU, has 2 in all",
        "needs 1024 MEMORY_MB, 0 of 2048 are free",
    ]


@pytest.mark.parametrize(
    ("specs", "text"),
    [
        ({"hw:cpu_policy": "dedicated"}, "takes pCPUs 2-3"),
        (
            {
                "hw:cpu_policy": "dedicated",
                "hw:emulator_threads_policy": "isolate",
            },
            "takes pCPUs 2-3, emulator threads on pCPU 4",
        ),
        (
            {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0"},
            "takes pCPU 2, 1 vCPU floats over pCPUs 0-1",
        ),
        ({"hw:numa_nodes": "1"}, "2 vCPUs float over pCPUs 0-1"),
    ],
)
def test_what_a_guest_would_take(pinning_filter, tmp_path, specs, text):
    host = synthetic.host("cell:1 core:6")
    (cell,) = host.cells
    shared = cell._replace(
        shared={0, 1}, dedicated={2, 3, 4, 5}, free={2, 3, 4, 5}
    )
    node = Node("mixed", host._replace(cells=[shared]))
    properties = [
        argument
        for key, value in specs.items()
        for argument in ("--property", f"{key}={value}")
    ]
    path = clouds.write(Snapshot((node,)), tmp_path / "one.json")
    answer = pinning_filter(
        "explain", "--host", path, *asked(2, *properties), "-f", "json"
    )
    assert [row["text"] for row in rows(answer)] == [text]


def test_people_see_where_a_guest_would_be(pinning_filter, several):
    """In few words, and no column that says nothing."""
    answer = pinning_filter(
        "explain", "--host", several, "--host", "empty", *asked(2, *PINNED)
    )
    assert answer.out.splitlines()[2:6] == [
        "+-------+---------+-----------+-----------------+",
        "| host  | verdict | host cell | text            |",
        "+-------+---------+-----------+-----------------+",
        "| empty | fits    |         0 | takes pCPUs 0-1 |",
    ]


def test_filters_that_a_file_cannot_ask_are_in_one_line(
    pinning_filter, tmp_path
):
    cloud = dataclasses.replace(
        clouds.several(),
        filters=("ComputeFilter", "ServerGroupAffinityFilter",
                 "ImagePropertiesFilter", "PinningFilter"),
    )
    path = clouds.write(cloud, tmp_path / "cloud.json")
    answer = pinning_filter("explain", "--host", path, *asked(2, *PINNED))
    assert (
        "Not asked: ServerGroupAffinityFilter, ImagePropertiesFilter (the "
        "cloud is read from a file)."
    ) in answer.out.splitlines()


def test_explain_for_people_begins_with_a_sentence(pinning_filter, several):
    answer = pinning_filter(
        "explain", "--host", several, *asked(12, *PINNED)
    )
    assert answer.out.splitlines()[:2] == [
        "The cloud is that of 2026-11-20T12:00:00+00:00.",
        "No host can take 12 pinned vCPUs in one NUMA cell: 12 dedicated "
        "pCPUs are needed in one NUMA cell, the best of 2 hosts has 8 even "
        "when empty; 1 of 4 hosts reports no NUMA topology; 1 of 4 hosts "
        "cannot be read.",
    ]


def test_explain_says_who_else_it_was(pinning_filter, several):
    answer = pinning_filter(
        "explain", "--host", several, "--host", "off", *asked(2, *PINNED)
    )
    assert answer.status == 3
    assert answer.out.splitlines()[1:4] == [
        "No host can take 2 pinned vCPUs in one NUMA cell: ComputeFilter "
        "refuses 1 host.",
        "PinningFilter alone would pass 1 host.",
        "Turned away elsewhere: 1 host by the state of the service.",
    ]


def test_explain_takes_a_flavor_or_a_guest_of_the_cloud(
    pinning_filter, several
):
    by_flavor = pinning_filter(
        "explain", "--host", several, "--flavor", "pinned.2", "-f", "json"
    )
    by_hand = pinning_filter(
        "explain", "--host", several, *asked(2, *PINNED), "-f", "json"
    )
    assert rows(by_flavor) == rows(by_hand)
    again = pinning_filter(
        "explain", "--host", several, "full-0", "-f", "json"
    )
    assert reasons(again, "empty") == [
        ("fits", None, 0, "takes pCPUs 0-3")
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give one of SERVER, --flavor, or --vcpus and --ram"),
        (("--vcpus", "2"), "--vcpus and --ram go together"),
        (
            ("--flavor", "pinned.2", "--vcpus", "2", "--ram", "1"),
            "not --flavor and --vcpus and --ram",
        ),
        (("--flavor", "none"), "there are pinned.2, pinned.4, plain"),
        (("nobody",), "the file has no guest 'nobody'"),
        (("full-0", "--property", "a=b"), "SERVER has its own flavor"),
        (
            (*asked(2, *PINNED), "--image", "debian"),
            "a file holds no images",
        ),
        (
            (*asked(2, *PINNED), "--host", "nobody"),
            "no compute node and no file has the name nobody; compute nodes: "
            "empty, full, no-smt, no-topology, odd, ...",
        ),
        (
            asked(2, "--property", "hw:cpu_policy=dedicatd"),
            "hw:cpu_policy=dedicatd",
        ),
    ],
)
def test_explain_names_what_is_wrong(
    pinning_filter, several, arguments, complaint
):
    answer = pinning_filter("explain", "--host", several, *arguments)
    assert answer.status == 2
    assert complaint in answer.err
    assert answer.out == ""


def test_explain_places_as_each_host_will(pinning_filter, tmp_path):
    line = "cell:1(memory=8GiB) core:2 pu:2"
    nodes = [
        clouds.node("nova", line, clouds.guest(1)),
        clouds.node(
            "tight", line, clouds.guest(1), strategy=Strategy(tight=True)
        ),
    ]
    path = clouds.write(Snapshot(tuple(nodes)), tmp_path / "cloud.json")
    answer = pinning_filter(
        "explain", "--host", path, "--vcpus", 1, "--ram", 512,
        "--property", "hw:cpu_policy=dedicated", "-f", "json",
    )
    pinning = {row["host"]: row["pinning"] for row in json.loads(answer.out)}
    assert pinning == {"nova": {"0": 2}, "tight": {"0": 1}}


@pytest.mark.parametrize("command", ["explain", "defrag --plan"])
@pytest.mark.parametrize(
    ("cells", "plain", "told"),
    [
        pytest.param(2, True, True, id="several cells on plain Nova"),
        pytest.param(2, False, False, id="several cells on ours"),
        pytest.param(1, True, False, id="one cell on plain Nova"),
    ],
)
def test_what_plain_nova_would_say_is_told_to_be_left_out(
    pinning_filter, tmp_path, command, cells, plain, told
):
    node = clouds.node("cmp1", "cell:2(memory=8GiB) core:2", plain_nova=plain)
    path = clouds.write(Snapshot((node,)), tmp_path / "cloud.json")
    answer = pinning_filter(
        *command.split(), "--host", path, *asked(2, *PINNED),
        "--property", f"hw:numa_nodes={cells}",
    )
    assert answer.status == 0
    assert ("1 host runs nova-compute without our driver" in answer.out) == (
        told
    )


def test_capacity_counts_each_host_and_all(pinning_filter, several):
    answer = pinning_filter(
        "capacity", "--host", several, "--flavor", "pinned.2",
        "--flavor", "pinned.4", "-f", "json",
    )
    assert answer.status == 0
    found = {
        (row["host"], row["flavor"]): (
            row["fits_now"], row["fits_empty"], row["lost"],
            row["free_pcpus"], row["pcpus"],
        )
        for row in rows(answer)
    }
    assert found == {
        ("empty", "pinned.2"): (8, 8, 0, 16, 16),
        ("empty", "pinned.4"): (4, 4, 0, 16, 16),
        ("full", "pinned.2"): (0, 2, 0, 0, 4),
        ("full", "pinned.4"): (0, 1, 0, 0, 4),
        ("no-smt", "pinned.2"): (1, 2, 0, 3, 4),
        ("no-smt", "pinned.4"): (0, 1, 0, 3, 4),
        ("no-topology", "pinned.2"): (0, 0, 0, 0, 0),
        ("no-topology", "pinned.4"): (0, 0, 0, 0, 0),
        ("odd", "pinned.2"): (0, 0, 0, 0, 0),
        ("odd", "pinned.4"): (0, 0, 0, 0, 0),
        ("off", "pinned.2"): (0, 2, 0, 4, 4),
        ("off", "pinned.4"): (0, 1, 0, 4, 4),
        (None, "pinned.2"): (9, 14, 0, 23, 28),
        (None, "pinned.4"): (4, 7, 0, 23, 28),
    }
    stranded = {
        row["host"]: row["stranded_pcpus"] for row in rows(answer)
    }
    assert stranded["no-smt"] == {"0": 1}
    assert stranded["empty"] == {"0": 0, "1": 0}


def test_capacity_is_exact_for_programs(pinning_filter, tmp_path):
    node = clouds.node("host", "cell:1(memory=3GiB) core:1", clouds.guest(1))
    file = clouds.write(Snapshot((node,)), tmp_path / "cloud.json")
    answer = pinning_filter("capacity", "--host", file, "-f", "csv")
    (row, _) = csv.DictReader(io.StringIO(answer.out))
    (cell,) = node.host.cells
    assert row["stranded_memory_kib"] == f"0:{cell.memory_free_kib}"
    table = pinning_filter("capacity", "--host", file).out
    assert "GiB" in table


def test_capacity_takes_the_flavors_that_guests_have(pinning_filter, several):
    answer = pinning_filter(
        "capacity", "--host", several, "--total", "-f", "json"
    )
    assert [row["flavor"] for row in rows(answer)] == ["pinned.1", "pinned.4"]


def test_capacity_draws_no_bar_into_a_pipe(pinning_filter, several):
    answer = pinning_filter("capacity", "--host", several)
    assert answer.err == ""
    assert "(all)" in answer.out


def test_capacity_draws_a_bar_on_a_terminal(
    pinning_filter, several, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    answer = pinning_filter("capacity", "--host", several)
    assert "Counting" in answer.err
    assert "Counting" not in answer.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--flavor", "plain"), "'plain' pins no vCPUs"),
        (("--flavor", "none"), "there is no flavor 'none'"),
        (asked(2), "such a guest pins no vCPUs"),
    ],
)
def test_capacity_names_what_is_wrong(
    pinning_filter, several, arguments, complaint
):
    answer = pinning_filter("capacity", "--host", several, *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert complaint in answer.err


def test_map_draws_hosts_in_plain_ascii(pinning_filter, tmp_path):
    small = clouds.node(
        "small", "cell:2 core:2 pu:2", clouds.guest(2), clouds.guest(1)
    )
    file = clouds.write(Snapshot((small,)), tmp_path / "cloud.json")
    answer = pinning_filter("map", "--host", file)
    assert answer.out == (
        "small: 5 of 8 pCPUs free\n"
        "  cell 0  0 [A A][. .]\n"
        "  cell 1  4 [B .][. .]\n"
        "   A  server 0 of small: pinned.2, prefer, pCPUs 0-1\n"
        "   B  server 1 of small: pinned.1, prefer, pCPUs 4\n"
        "   .  free\n"
    )


def test_letters_follow_the_pcpus(pinning_filter, tmp_path):
    node = clouds.node("one", "cell:1 core:3", *[clouds.guest(1)] * 3)
    node = dataclasses.replace(node, guests=node.guests[::-1])
    file = clouds.write(Snapshot((node,)), tmp_path / "cloud.json")
    assert "[A][B][C]" in pinning_filter("map", "--host", file).out


def test_map_has_a_row_for_each_pcpu(pinning_filter, several):
    answer = pinning_filter("map", "--host", several, "-f", "csv")
    found = list(csv.DictReader(io.StringIO(answer.out)))
    assert len(found) == 16 + 4 + 4 + 4
    taken = [row for row in found if row["state"] == "vcpu"]
    assert [(row["host"], row["pcpu"], row["vcpu"]) for row in taken] == [
        *[("full", str(number), str(number)) for number in range(4)],
        ("no-smt", "0", "0"),
    ]


@pytest.mark.parametrize("form", ["table", "csv", "map"])
def test_hostile_names_do_not_reach_the_terminal(
    pinning_filter, tmp_path, form
):
    odd = clouds.node("host", "cell:1 core:2", clouds.guest(1))
    (guest,) = odd.guests
    guest = dataclasses.replace(guest, name=clouds.HOSTILE)
    odd = dataclasses.replace(odd, guests=(guest,), name=clouds.HOSTILE)
    file = clouds.write(Snapshot((odd,)), tmp_path / "cloud.json")
    options = {
        "table": ("-f", "table", "-c", "name"), "csv": ("-f", "csv"),
        "map": (),
    }
    answer = pinning_filter("map", "--host", file, *options[form])
    assert "\x1b" not in answer.out
    assert "alert(1)" in answer.out


@pytest.mark.parametrize("closed", ["", "the compute service is disabled"])
@pytest.mark.parametrize("flavor", [(), ("--flavor", "pinned.4")])
def test_the_page_says_of_what_is_lost_what_capacity_says(
    pinning_filter, tmp_path, flavor, closed
):
    """Of the flavors that guests have, or of those that are named."""
    node = clouds.node(
        "halves", "cell:2 core:4", clouds.guest(2), clouds.guest(2),
        closed=closed,
    )
    flavors = (Flavor("pinned.4", 4, 1024, 1, clouds.DEDICATED),)
    path = clouds.write(Snapshot((node,), flavors), tmp_path / "cloud.json")
    page = tmp_path / "map.html"
    pinning_filter("map", "--host", path, "--html", page, *flavor)
    cloud = json.loads(
        re.search(r'id="cloud">(.*?)</script>', page.read_text())[1]
    )
    counted = pinning_filter(
        "capacity", "--host", path, *flavor, "-f", "json"
    )
    expected = [
        [row["flavor"], row["lost"], row["lost"] * 4]
        for row in rows(counted)
        if row["host"] and row["lost"]
    ]
    assert cloud["hosts"][0]["lost"] == expected
    assert bool(expected) is (bool(flavor) and not closed)
    assert cloud["flavors"] == [flavor[1] if flavor else "pinned.2"]


def test_a_map_of_a_cloud_without_pinned_flavors(pinning_filter, tmp_path):
    path = clouds.write(
        Snapshot((clouds.node("one", "cell:1 core:4"),)), tmp_path / "c.json"
    )
    page = tmp_path / "map.html"
    answer = pinning_filter("map", "--host", path, "--html", page)
    assert answer.status == 0
    assert '"flavors":[]' in page.read_text()


def test_a_map_on_the_terminal_counts_for_no_flavor(pinning_filter, several):
    answer = pinning_filter("map", "--host", several, "--flavor", "pinned.4")
    assert answer.status == 2
    assert "--flavor goes with --html" in answer.err


def test_the_page_holds_no_markup_of_a_name(pinning_filter, tmp_path):
    odd = clouds.node("host", "cell:1 core:2", clouds.guest(1))
    odd = dataclasses.replace(odd, name=clouds.HOSTILE)
    snapshot = Snapshot((odd,), unreachable={clouds.HOSTILE: "<b>"})
    file = clouds.write(snapshot, tmp_path / "cloud.json")
    page = tmp_path / "page.html"
    assert pinning_filter("map", "--host", file, "--html", page).status == 4
    text = page.read_text()
    assert "<script>alert" not in text
    assert "<img" not in text
    assert len(re.findall("<script", text)) == 2
    assert not re.findall(r"(src|href)=\"(?!data:,)", text)


def test_a_dump_reads_back_as_it_was_written(pinning_filter, several):
    answer = pinning_filter("dump", "--host", several)
    assert answer.status == 0
    assert json.loads(answer.out) == json.loads(several.read_text())
    read = dumpfile.read(json.loads(answer.out))
    assert dumpfile.write(read) == json.loads(answer.out)


def test_an_anonymous_dump_has_no_names(pinning_filter, several):
    named = json.loads(several.read_text())
    answer = pinning_filter("dump", "--host", several, "--anonymous")
    for name in ("full", "no-smt", "server", "cell1", "fast", "pinned.2"):
        assert f'"{name}' in json.dumps(named)
        assert f'"{name}' not in answer.out
    hosts = json.loads(answer.out)["hosts"]
    assert [host["numa"] for host in hosts] == [
        host["numa"] for host in named["hosts"]
    ]


def test_names_that_an_operator_made_up_become_numbers(
    pinning_filter, tmp_path
):
    node = clouds.node("host", "cell:1 core:4", clouds.guest(2))
    (cell,) = node.host.cells
    cell = cell._replace(physnets=frozenset({"secret-net"}))
    node = dataclasses.replace(
        node,
        host=node.host._replace(cells=(cell,)),
        provider=dataclasses.replace(
            clouds.provider(4), traits=frozenset({"CUSTOM_SECRET_RACK"})
        ),
        pci_pools=(
            {
                "vendor_id": "10de", "product_id": "1eb8", "numa_node": 0,
                "count": 1, "physical_network": "secret-net",
                "secret-tag": "secret-value", "dev_type": "type-PCI",
            },
        ),
    )
    specs = {
        "hw:cpu_policy": "dedicated",
        "trait:CUSTOM_SECRET_RACK": "required",
        "aggregate_instance_extra_specs:secret": "secret",
        "pci_passthrough:alias": "secret-gpu:1",
    }
    alias = {"name": "secret-gpu", "vendor_id": "10de", "product_id": "1eb8"}
    file = clouds.write(
        Snapshot(
            (node,),
            (Flavor("secret", 2, 512, 0, specs),),
            filters=("PinningFilter", "SecretFilter"),
            pci_aliases=(json.dumps(alias),),
        ),
        tmp_path / "cloud.json",
    )
    answer = pinning_filter("dump", "--host", file, "--anonymous")
    assert answer.status == 0
    assert "secret" not in answer.out.lower()
    # It answers as before.
    bare = tmp_path / "bare.json"
    bare.write_text(answer.out)
    said = pinning_filter(
        "explain", "--host", bare, "--flavor", "flavor-2", "-f", "json"
    )
    assert said.err == ""
    assert [row["verdict"] for row in rows(said)] == ["fits"]


def test_fit_takes_a_dump_of_one_host(pinning_filter, several, tmp_path):
    one = Snapshot((clouds.node("one", "cell:1 core:4", clouds.guest(1)),))
    file = clouds.write(one, tmp_path / "one.json")
    question = (*asked(2, *PINNED), "-f", "json")
    answer = pinning_filter("fit", "--host", file, *question)
    assert [row["pinning"] for row in rows(answer)] == [{"0": 1, "1": 2}]
    answer = pinning_filter("fit", "--host", several, *question)
    assert answer.status == 2
    assert "a dump of 4 hosts" in answer.err


def spoilt(change):
    data = dumpfile.write(clouds.several())
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(version=9), "version 9"),
        (lambda d: d["hosts"][0].pop("name"), "hosts[0]: missing: name"),
        (
            lambda d: d["hosts"][0].update(x=1),
            "hosts[0]: there is no key x, only name, cell, zone, closed,",
        ),
        (
            lambda d: d["hosts"][0]["numa"]["cells"][0].update(dedicated="x"),
            "cells[0].dedicated",
        ),
        (
            lambda d: d["hosts"].append(d["hosts"][0]),
            "hosts ['empty'] repeat",
        ),
        (
            lambda d: d["hosts"][0]["numa"]["cells"][0].update(
                memory_kib=10**400
            ),
            "memory_kib must be smaller than or equal to",
        ),
        (
            lambda d: d["hosts"][0]["numa"].update(cpu_ratio=float("inf")),
            "cpu_ratio must be smaller than or equal to",
        ),
        (
            lambda d: d["hosts"][1]["provider"]["inventories"]["PCPU"].update(
                total=10**400
            ),
            "total must be smaller than or equal to",
        ),
        (
            lambda d: d["hosts"][0].update(pci_pools=[{"count": "x"}]),
            "hosts[0].pci_pools[0].count must be integer",
        ),
        (
            lambda d: d["hosts"][0].update(
                pci_pools=[{"count": 1, "numa_node": []}]
            ),
            "hosts[0].pci_pools[0].numa_node must be integer or null",
        ),
        (
            lambda d: d.update(pci_aliases=["{}", "{x"]),
            "pci_aliases: '{x' is no JSON object",
        ),
        (
            lambda d: d.update(taken=3),
            "taken must be string",
        ),
    ],
)
def test_a_dump_that_is_none_is_named(change, complaint):
    with pytest.raises((InputError, Invalid)) as caught:
        dumpfile.read(spoilt(change))
    assert complaint in str(caught.value)


def test_pages_keep_what_is_used(tmp_path):
    node = clouds.node("host", "cell:1(memory=4GiB pages=2x1GiB) core:2")
    (cell,) = node.host.cells
    pages = [Pages(4, 1 << 19, 12.5), Pages(1 << 20, 2, 1, 1)]
    cell = cell._replace(pages=tuple(pages))
    node = dataclasses.replace(node, host=node.host._replace(cells=(cell,)))
    data = json.loads(json.dumps(dumpfile.write(Snapshot((node,)))))
    (read,) = dumpfile.read(data).nodes
    assert list(read.host.cells[0].pages) == pages
