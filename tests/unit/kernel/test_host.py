"""What the kernel's files say of a machine, and files that are not there."""

import pytest

from pinning_filter.kernel import files, host
from tests.unit.kernel import trees


def test_a_machine(tmp_path):
    roots = trees.machine(
        tmp_path, online="0-6", isolated="2-3,6-7", nohz_full="2-3"
    )
    trees.write(tmp_path / "cgroup",
                {"machine.slice/cpuset.cpus.effective": "1-7\n"})
    found = host.read(roots)
    assert found.online == {0, 1, 2, 3, 4, 5, 6}
    assert found.offline == {7}
    assert found.isolated == {2, 3, 6, 7}
    assert found.nohz_full == {2, 3}
    assert found.irqs == set(range(8))
    assert found.guests == {1, 2, 3, 4, 5, 6, 7}
    assert list(found.cells) == [0, 1]
    assert found.cells[1] == host.Cell(
        pcpus=frozenset({4, 5, 6, 7}),
        total_kib=1 << 20,
        available_kib=256 << 10,
        large={2048: host.LargePages(total=8, free=5)},
    )


@pytest.mark.parametrize(
    "name",
    ["machine.slice/cpuset.cpus.effective",
     "cpuset/machine.slice/cpuset.effective_cpus",
     "cpuset/machine/cpuset.effective_cpus"],
)
def test_the_guests_cgroup_of_both_versions(tmp_path, name):
    trees.write(tmp_path / "cgroup", {name: "0-1\n"})
    assert host.read(trees.roots(tmp_path)).guests == {0, 1}


def test_nothing_is_known_where_nothing_is_to_be_read(tmp_path):
    found = host.read(trees.roots(tmp_path))
    assert found == host.Kernel(None, None, None, None, None, None, {})
    assert found.offline == set()


@pytest.mark.parametrize(
    ("said", "pcpus"),
    [("3", {0, 1}), ("c0000000,00000001", {0, 62, 63}), ("", None),
     ("x", None)],
)
def test_masks(said, pcpus):
    assert files.mask(said) == pcpus


def test_this_machine():
    found = host.read()
    assert found.online and found.online <= found.present
