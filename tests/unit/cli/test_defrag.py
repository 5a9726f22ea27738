"""``pinning-filter defrag``, on clouds from files."""

import dataclasses
import json
import pathlib
import re
import shlex

import pytest

from pinning_filter.cloud.snapshot import Flavor, Snapshot
from tests.unit.cli import clouds

FOUR = "cell:1(memory=16GiB) core:4"
FLAVORS = (
    Flavor("pinned.4", 4, 1024, 1, clouds.DEDICATED),
    Flavor("plain", 4, 1024),
)


def scattered():
    """Two hosts with a guest each, where a guest of 4 vCPUs fits neither."""
    return Snapshot(
        (
            clouds.node("cmp1", FOUR, clouds.guest(2)),
            clouds.node("cmp2", FOUR, clouds.guest(1)),
        ),
        FLAVORS,
    )


@pytest.fixture
def cloud(tmp_path):
    return clouds.write(scattered(), tmp_path / "cloud.json")


COMMAND = (
    "openstack --os-compute-api-version 2.30 server migrate --live-migration "
    "--host cmp1 --wait cmp2-0"
)


def test_the_moves_are_printed_as_commands(pinning_filter, cloud):
    answer = pinning_filter(
        "defrag", "--plan", "--host", cloud, "--flavor", "pinned.4"
    )
    lines = answer.out.splitlines()
    assert lines[0] == (
        "There is room for 0 of 1 now, for 1 after 1 migration:"
    )
    assert lines[-1] == COMMAND
    assert (answer.status, answer.err) == (0, "")


def test_programs_read_the_moves(pinning_filter, cloud):
    answer = pinning_filter(
        "defrag", "--plan", "--host", cloud, "--flavor", "pinned.4",
        "-f", "json",
    )
    assert json.loads(answer.out) == [
        {
            "step": 1,
            "stage": 1,
            "waits_for": [],
            "server": "cmp2-0",
            "name": "server 0 of cmp2",
            "flavor": "pinned.1",
            "source": "cmp2",
            "target": "cmp1",
            "how": "live",
            "why": None,
            "helps": [],
            "command": COMMAND,
        }
    ]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        pytest.param(
            ("--flavor", "pinned.4", "--count", 2),
            "There is room for 0 of 2 now, for 1 after 1 migration, and no "
            "moves were found for more:",
            id="for some of them",
        ),
        pytest.param(
            ("--vcpus", 5, "--ram", 512, "--property",
             "hw:cpu_policy=dedicated"),
            "There is room for 0 of 1 now, and no moves were found that "
            "help, though 5 pCPUs are free in all and 5 needed.",
            id="for none",
        ),
        pytest.param(
            ("--vcpus", 6, "--ram", 512, "--property",
             "hw:cpu_policy=dedicated"),
            "There is room for 0 of 1 now, and no moves can help: 6 pCPUs "
            "are needed, 5 are free in all.",
            id="for none, provably",
        ),
    ],
)
def test_it_says_when_moves_do_not_make_room(
    pinning_filter, cloud, asked, text
):
    answer = pinning_filter("defrag", "--plan", "--host", cloud, *asked)
    assert answer.out.splitlines()[0] == text
    assert answer.status == 3


def test_it_says_when_there_is_room(pinning_filter, cloud):
    answer = pinning_filter(
        "defrag", "--plan", "--host", cloud, "--vcpus", 3, "--ram", 512,
        "--property", "hw:cpu_policy=dedicated",
    )
    assert answer.out.splitlines()[0] == (
        "There is room for 1 already: nothing to move."
    )
    assert answer.status == 0


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        pytest.param(
            ("--flavor", "plain"), "pins no vCPUs", id="a floating guest"
        ),
        pytest.param(
            ("--flavor", "none"), "there is no flavor 'none'", id="unknown"
        ),
        pytest.param((), "give either --flavor", id="nothing asked"),
        pytest.param(
            ("--flavor", "pinned.4", "--vcpus", 1, "--ram", 1),
            "give either --flavor",
            id="two guests asked",
        ),
        pytest.param(("--vcpus", 4), "go together", id="half a guest"),
    ],
)
def test_bad_input_is_named(pinning_filter, cloud, asked, text):
    answer = pinning_filter("defrag", "--plan", "--host", cloud, *asked)
    assert text in answer.err
    assert (answer.status, answer.out) == (2, "")


def test_it_says_when_a_file_does_not_tell_how_hosts_choose(
    pinning_filter, tmp_path
):
    nodes = [
        dataclasses.replace(node, strategy=None) for node in scattered().nodes
    ]
    path = clouds.write(Snapshot(tuple(nodes), FLAVORS), tmp_path / "old.json")
    data = json.loads(path.read_text())
    for host in data["hosts"]:
        assert host.pop("strategy") is None
    path.write_text(json.dumps(data))
    answer = pinning_filter(
        "defrag", "--plan", "--host", path, "--flavor", "pinned.4"
    )
    assert answer.out.splitlines()[:2] == [
        "Which NUMA cells and cores its hosts prefer is not in the file: it "
        "is taken from nova.conf here, the same for all.",
        "There is room for 0 of 1 now, for 1 after 1 migration:",
    ]


def test_it_does_nothing_but_plan(pinning_filter, cloud):
    answer = pinning_filter("defrag", "--host", cloud, "--flavor", "pinned.4")
    assert "--plan" in answer.err
    assert answer.status == 2


def test_servers_that_cannot_be_migrated_stay(pinning_filter, tmp_path):
    nodes = []
    for node in scattered().nodes:
        guests = tuple(
            dataclasses.replace(guest, fixed="it has PCI devices")
            for guest in node.guests
        )
        nodes.append(dataclasses.replace(node, guests=guests))
    path = clouds.write(Snapshot(tuple(nodes), FLAVORS), tmp_path / "c.json")
    answer = pinning_filter(
        "defrag", "--plan", "--host", path, "--flavor", "pinned.4"
    )
    assert answer.out.splitlines()[0] == (
        "There is room for 0 of 1 now, and no moves were found that help, "
        "though 5 pCPUs are free in all and 4 needed. Servers that cannot be "
        "migrated live: 2."
    )
    assert answer.status == 3


def test_names_are_safe_on_a_terminal_and_in_a_shell(pinning_filter, tmp_path):
    small = clouds.node("b; rm x\x1b[31m", FOUR, clouds.guest(2))
    other = clouds.node("cmp2", FOUR, clouds.guest(1))
    (guest,) = other.guests
    guest = dataclasses.replace(guest, name=clouds.HOSTILE)
    other = dataclasses.replace(other, guests=(guest,))
    path = clouds.write(Snapshot((small, other), FLAVORS), tmp_path / "c.json")
    answer = pinning_filter(
        "defrag", "--plan", "--host", path, "--flavor", "pinned.4"
    )
    assert "\x1b" not in answer.out
    assert answer.out.splitlines()[-1] == COMMAND.replace(
        "cmp1", "'b; rm x\\x1b[31m'"
    )


def test_the_documentation_shows_what_it_says(pinning_filter, monkeypatch):
    source = pathlib.Path(__file__).parents[3] / "doc" / "source"
    text = (source / "weigher.rst").read_text("utf-8")
    (shown,) = re.findall(
        r"^   \$ pinning-filter (defrag .*)\n((?:   .+\n)+)", text, re.M
    )
    monkeypatch.chdir(source / "examples")
    answer = pinning_filter(*shlex.split(shown[0]))
    lines = [line.strip() for line in shown[1].splitlines()]
    assert answer.out.splitlines() == lines
