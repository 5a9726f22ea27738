"""The second compute node: its machine, and how it is reached."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lab import config, host, layout, node, node_init, node_layout
from pinning_filter.core import cpuset

QEMU = shutil.which("qemu-system-x86_64")


def options(words: list[str], name: str) -> list[str]:
    return [value for word, value in itertools.pairwise(words)
            if word == name]


def test_two_cells_of_four_pcpus() -> None:
    words = node.machine()
    assert options(words, "-numa") == [
        "node,nodeid=0,cpus=0-3,memdev=memory0",
        "node,nodeid=1,cpus=4-7,memdev=memory1"]
    assert options(words, "-smp") == ["8,sockets=2,cores=2,threads=2"]
    assert options(words, "-m") == [str(2 * node.CELL_MIB)]


def test_every_pcpu_is_dedicated_or_shared() -> None:
    dedicated = cpuset.parse(node_layout.DEDICATED)
    shared = cpuset.parse(node_layout.SHARED)
    assert not dedicated & shared
    assert dedicated | shared == set(range(8))


def test_it_is_reached_over_loopback_alone() -> None:
    (network,) = options(node.devices(node_layout.FIRST), "-netdev")
    assert re.findall(r"hostfwd=(\w+:[\d.]+):(\d+)-:(\d+)", network) == [
        ("tcp:127.0.0.1", "10022", "22"),
        ("tcp:127.0.0.1", "19152", "19152"),
        ("tcp:127.0.0.1", "19153", "19153"),
        ("tcp:127.0.0.1", "19154", "19154"),
        ("tcp:127.0.0.1", "19155", "19155"),
    ]
    assert node.ssh("-M")[-2:] == ["-M", "root@127.0.0.1"]


def test_no_two_nodes_have_a_port_in_common() -> None:
    ports = [port for each in node_layout.NODES
             for port in (each.ssh_port, *each.migration_ports)]
    assert len(ports) == len(set(ports))


def test_each_sends_its_servers_to_the_other() -> None:
    told = [config.migration_lines(each).splitlines()[0]
            for each in node_layout.NODES]
    assert [re.findall(r"@%s:(\d+)/", line) for line in told] == [
        ["10023"], ["10022"]]


def test_nothing_that_it_writes_is_kept() -> None:
    drives = options(node.disks(node_layout.FIRST), "-drive")
    assert len(drives) == 2
    assert all("snapshot=on" in drive for drive in drives)


@pytest.mark.parametrize("choice, command", [
    ("pinning", "nova-compute-pinning"), ("stock", "nova-compute")])
def test_the_command_follows_the_driver(
    choice: str, command: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "RUN", tmp_path)
    monkeypatch.setattr(layout, "ETC", tmp_path / "etc")
    monkeypatch.setattr(host, "STATE", tmp_path / "host.json")
    monkeypatch.setenv("LAB_COMPUTE", choice)
    config.render_node(layout.ETC)
    assert node_init.compute_command().name == command


@pytest.mark.skipif(QEMU is None, reason="needs qemu-system-x86_64")
def test_qemu_takes_the_machine() -> None:
    """It powers on, stopped, and is told to quit."""
    done = subprocess.run(
        [QEMU, *node.machine(), "-S", "-nodefaults", "-display", "none",
         "-monitor", "stdio"],
        input="info numa\nquit\n", capture_output=True, text=True,
        timeout=120, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "node 0 cpus: 0 1 2 3" in done.stdout
    assert "node 1 cpus: 4 5 6 7" in done.stdout
