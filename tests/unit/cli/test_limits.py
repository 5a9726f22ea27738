"""What asks for more than any machine has is refused before it is read."""

import pytest

from pinning_filter.cloud.snapshot import Flavor, Snapshot
from tests.unit.cli import clouds

#: More than any machine has, and so much that it would take minutes.
ENDLESS = "0-99999999"
DEDICATED = ("--property", "hw:cpu_policy=dedicated")


def ask(*more, vcpus=2, ram=1024):
    host = ("--host", "cell:2 core:4")
    return ("fit", *host, "--vcpus", vcpus, "--ram", ram, *more)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--property", f"hw:numa_cpus.0={ENDLESS}"),
        ("--property", f"hw:cpu_dedicated_mask={ENDLESS}"),
        ("--property", f"hw:cpu_dedicated_mask=^{ENDLESS}"),
        ("--property", f"hw:cpu_realtime_mask={ENDLESS}"),
        ("--property", "hw:numa_cpus.0=0-65536"),
        ("--property", "hw:numa_cpus.0=0 - +9_9999_999"),
        ("--property", "hw:numa_cpus.0=0-٩٩٩٩٩٩٩٩"),
        ("--property", "hw:numa_cpus.0=" + ",".join(["0-65535"] * 9)),
        ("--image-property", f"hw_numa_cpus.1={ENDLESS}"),
        ("--image-property", f"hw_cpu_realtime_mask=^{ENDLESS}"),
    ],
)
def test_endless_lists_of_vcpus_are_refused(pinning_filter, option, value):
    answer = pinning_filter(*ask(option, value))
    assert (answer.status, answer.out) == (2, "")
    key = value.partition("=")[0]
    assert answer.err.startswith(f"pinning-filter: {option} {key}: '")
    assert answer.err.endswith(
        " is too large; a list of vCPUs names those from 0 to 65535, and few "
        "of them twice\n"
    )
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--property", "hw:numa_nodes"),
        ("--image-property", "hw_numa_nodes"),
    ],
)
def test_endless_guest_cells_are_refused(pinning_filter, option, key):
    answer = pinning_filter(*ask(option, f"{key}=65536", vcpus=65536))
    assert answer == (
        2,
        "",
        f"pinning-filter: {option} {key}: '65536' guest NUMA cells, at most "
        "128 can be\n",
    )


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("0-x", "Invalid range expression"),
        ("1-0", "Invalid range expression"),
        ("9" * 5000, "Invalid inclusion expression"),
    ],
)
def test_lists_that_are_none_are_left_to_nova(
    pinning_filter, value, complaint
):
    answer = pinning_filter(
        *ask("--image-property", f"hw_numa_cpus.0={value}")
    )
    assert answer.status == 2
    assert complaint in answer.err


@pytest.mark.parametrize(
    ("command", "option", "value", "most"),
    [
        ("fit", "--vcpus", "65537", 65536),
        ("fit", "--vcpus", "999999999", 65536),
        ("fit", "--vcpus", "٣", 65536),
        ("fit", "--vcpus", "1_0", 65536),
        ("fit", "--vcpus", "9" * 5000, 65536),
        ("fit", "--ram", "0", 2147483647),
        ("fit", "--ram", "-1", 2147483647),
        ("fit", "--ram", "1.5", 2147483647),
        ("fit", "--ram", "2147483648", 2147483647),
        ("explain", "--vcpus", "65537", 65536),
        ("capacity", "--ram", "2147483648", 2147483647),
        ("defrag", "--count", "2147483648", 2147483647),
        ("map", "--timeout", "0", 2147483647),
    ],
)
def test_numbers_say_how_large_they_may_be(
    pinning_filter, command, option, value, most
):
    answer = pinning_filter(command, "--host", "cell:1 core:1", option, value)
    assert (answer.status, answer.out) == (2, "")
    cut = "'..." if len(value) > 80 else "'"
    assert (
        f"argument {option}: '{value[:80]}{cut} is not a whole number from 1 "
        f"to {most}\n" in answer.err
    )


def test_the_largest_guest_gets_an_answer(pinning_filter):
    answer = pinning_filter(*ask(*DEDICATED, vcpus=65536, ram=2147483647))
    assert answer.status == 3
    assert "needs 65536 dedicated pCPUs, has 4 in all" in answer.out


@pytest.mark.parametrize(
    ("vcpus", "specs", "complaint"),
    [
        (
            999999999,
            clouds.DEDICATED,
            "flavor 'large': 999999999 vCPUs, at most 65536 can be",
        ),
        (
            2,
            {"hw:numa_cpus.0": ENDLESS},
            "flavor 'large': hw:numa_cpus.0: '0-99999999' is too large; a "
            "list of vCPUs names those from 0 to 65535, and few of them twice",
        ),
        (
            2,
            {"hw:numa_nodes": "129"},
            "flavor 'large': hw:numa_nodes: '129' guest NUMA cells, at "
            "most 128 can be",
        ),
    ],
)
def test_a_cloud_s_flavors_are_looked_at(
    pinning_filter, tmp_path, vcpus, specs, complaint
):
    cloud = Snapshot(
        (clouds.node("cmp", "cell:1 core:4"),),
        (Flavor("large", vcpus, 1024, 0, specs),),
    )
    path = clouds.write(cloud, tmp_path / "cloud.json")
    for more in (), ("--flavor", "large"):
        answer = pinning_filter("capacity", "--host", path, *more)
        assert answer == (2, "", f"pinning-filter: {complaint}\n")
