"""How answers are written, and where they cannot be."""

import dataclasses

import pytest

from pinning_filter.cloud.snapshot import Snapshot
from tests.unit.cli import clouds


@pytest.mark.parametrize(
    "command",
    [
        ("map",),
        ("capacity", "--flavor", "pinned.2"),
        ("explain", "--flavor", "pinned.2"),
    ],
)
@pytest.mark.parametrize("form", ["value", "csv"])
def test_what_is_not_there_is_nothing_in_text(
    pinning_filter, several, command, form
):
    answer = pinning_filter(*command, "--host", several, "-f", form)
    assert answer.out
    assert "None" not in answer.out


def test_rows_without_a_value_are_sorted_last(pinning_filter, several):
    answer = pinning_filter(
        *("map", "--host", several, "-f", "value", "-c", "vcpu"),
        *("--sort-column", "vcpu"),
    )
    assert answer.err == ""
    assert answer.out.split("\n")[:6] == ["0", "0", "1", "2", "3", ""]


@pytest.mark.parametrize(
    "command", [("map", "--html"), ("dump", "--file")]
)
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "Is a directory"),
        ("none/file", "No such file or directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(
    pinning_filter, several, tmp_path, command, name, complaint
):
    path = tmp_path / name
    answer = pinning_filter(command[0], "--host", several, command[1], path)
    assert answer == (
        2,
        "",
        f"pinning-filter: {command[1]} {path}: {complaint}\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("map",),
        ("dump",),
        ("capacity", "--vcpus", 1, "--ram", 1),
        ("explain", "--vcpus", 1, "--ram", 1),
        ("defrag", "--plan", "--vcpus", 1, "--ram", 1),
    ],
)
def test_a_cloud_without_compute_nodes(pinning_filter, tmp_path, command):
    path = clouds.write(Snapshot(()), tmp_path / "cloud.json")
    more = ("--property", "hw:cpu_policy=dedicated")
    if "--ram" not in command:
        more = ()
    answer = pinning_filter(*command, "--host", path, *more)
    assert answer.err == "pinning-filter: there are no compute nodes\n"


def test_names_of_several_lines_stay_whole_on_one(pinning_filter, tmp_path):
    name = "first\r\nsecond\u2028third"
    node = clouds.node(name, "cell:1 core:2", clouds.guest(1))
    (guest,) = node.guests
    guest = dataclasses.replace(guest, name=name, flavor="long " * 20)
    node = dataclasses.replace(node, guests=(guest,))
    path = clouds.write(Snapshot((node,)), tmp_path / "cloud.json")
    answer = pinning_filter("map", "--host", path)
    assert answer.out.splitlines() == [
        "first second third: 1 of 2 pCPUs free",
        "  cell 0  0 [A][.]",
        "   A  first second third: long long long long long long long lo..., "
        "prefer, pCPUs 0",
        "   .  free",
    ]


def test_a_dash_is_standard_output(pinning_filter, several):
    page = pinning_filter("map", "--host", several, "--html", "-")
    assert page.out.startswith("<!DOCTYPE html>")
    dump = pinning_filter("dump", "--host", several, "--file", "-")
    assert dump == pinning_filter("dump", "--host", several)
