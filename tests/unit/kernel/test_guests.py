"""Which process is whose, and what of it the kernel tells."""

import pytest

from pinning_filter.kernel import guests
from tests.unit.kernel import trees

UUID = "11111111-2222-4333-8444-555555555555"
OTHER = UUID.replace("1", "2")
THREADS = [
    ("qemu-system-x86", "4-5"), ("CPU 0/KVM", "4"), ("CPU 1/KVM", "5"),
    ("IO iothread1", "4-5"), ("IO mon_iothread", "4-5"), ("worker", "0-7"),
]


@pytest.fixture
def roots(tmp_path):
    trees.write(tmp_path / "proc", {"self/cmdline": "", "1/cmdline": "init"})
    return trees.roots(tmp_path)


def test_a_process_is_known_by_its_command_line(tmp_path, roots):
    trees.process(tmp_path, 40, UUID, THREADS)
    trees.process(tmp_path, 50, OTHER, THREADS)
    assert guests.processes([UUID, "none"], roots) == {UUID: 40}


def test_what_was_found_before_is_looked_at_first(tmp_path, roots):
    trees.process(tmp_path, 40, UUID, THREADS)
    trees.process(tmp_path, 50, UUID, THREADS)
    assert guests.processes([UUID], roots, {UUID: 50}) == {UUID: 50}


def test_a_number_that_was_given_to_another_process(tmp_path, roots):
    trees.process(tmp_path, 40, UUID, THREADS)
    trees.process(tmp_path, 50, OTHER, THREADS)
    assert guests.processes([UUID], roots, {UUID: 50}) == {UUID: 40}


@pytest.mark.parametrize("accelerator", ["KVM", "TCG"])
def test_threads(tmp_path, roots, accelerator):
    named = [(name.replace("KVM", accelerator), pcpus)
             for name, pcpus in THREADS]
    trees.process(tmp_path, 40, UUID, named)
    assert guests.threads(40, roots) == guests.Threads(
        vcpus={0: frozenset({4}), 1: frozenset({5})},
        emulator=frozenset({4, 5}),
        iothreads={1: frozenset({4, 5})},
    )


def test_a_process_that_has_ended(roots):
    assert guests.threads(40, roots) is None
    assert guests.memory(40, roots) is None


def memory(tmp_path, roots, *lines):
    trees.process(tmp_path, 40, UUID, THREADS, lines)
    return guests.memory(40, roots)


def test_memory_that_is_bound_counts_alone(tmp_path, roots):
    found = memory(
        tmp_path, roots,
        trees.FREE.format(cell=0, n=999),
        trees.BOUND.format(cell=1, n=256),
        "7f10 bind:1 anon=300 N0=100 N1=200 kernelpagesize_kB=4",
        trees.LARGE.format(cell=1, n=3),
        "7f90 bind:1 stack",
    )
    assert found == guests.Memory(
        bound=True,
        cells_kib={0: 400, 1: 1024 + 800 + 6144},
        pages_kib={4: 1024 + 1200, 2048: 6144},
    )


def test_memory_that_is_not_bound_counts_all(tmp_path, roots):
    found = memory(
        tmp_path, roots,
        trees.FREE.format(cell=0, n=10), trees.FREE.format(cell=1, n=5),
    )
    assert found == guests.Memory(False, {0: 40, 1: 20}, {4: 60})
