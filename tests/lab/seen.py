"""What libvirt, the kernel and Nova's own tables say of a server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pymysql
from lxml import etree

from lab import layout, process

CELL_DB = "nova"
#: Seconds that Nova may take to end what it was asked for.
PATIENCE = 180


def virsh(*arguments: str) -> str:
    """Ask the lab's libvirtd."""
    return subprocess.run(
        ["virsh", "-c", layout.LIBVIRT_URI, *arguments],
        capture_output=True, text=True, check=True,
    ).stdout


def domain_xml(domain: str) -> str:
    """``virsh dumpxml`` of a running domain."""
    return virsh("dumpxml", domain)


def pins(xml: str) -> dict[str, str]:
    """vCPU, "emulator" or "iothread N" -> its cpuset, as the XML has it."""
    tune = etree.fromstring(xml.encode()).find("cputune")
    found = {}
    for element in tune if tune is not None else ():
        if element.tag == "vcpupin":
            found[f"vcpu {element.get('vcpu')}"] = element.get("cpuset")
        elif element.tag == "emulatorpin":
            found["emulator"] = element.get("cpuset")
        elif element.tag == "iothreadpin":
            found[f"iothread {element.get('iothread')}"] = element.get(
                "cpuset")
    return found


def topology(xml: str) -> tuple[int, int, int]:
    """(sockets, cores, threads) that the guest sees."""
    element = etree.fromstring(xml.encode()).find("cpu/topology")
    return tuple(
        int(element.get(name)) for name in ("sockets", "cores", "threads"))


def memory_binding(xml: str) -> dict[str, tuple[str, str]]:
    """"memory" or "guest cell N" -> (mode, host cells)."""
    tune = etree.fromstring(xml.encode()).find("numatune")
    found = {}
    for element in tune if tune is not None else ():
        name = (
            f"guest cell {element.get('cellid')}"
            if element.tag == "memnode" else "memory"
        )
        found[name] = (element.get("mode"), element.get("nodeset"))
    return found


def guest_cells(xml: str) -> list[tuple[str, str]]:
    """The vCPUs and the memory in KiB of each guest cell."""
    found = etree.fromstring(xml.encode()).iterfind("cpu/numa/cell")
    return [(cell.get("cpus"), cell.get("memory")) for cell in found]


def page_size_kib(xml: str) -> int | None:
    """The huge page size that the guest's memory is asked to have."""
    page = etree.fromstring(xml.encode()).find("memoryBacking/hugepages/page")
    return None if page is None else int(page.get("size"))


def qemu_pid(domain: str) -> int:
    """The process of a running domain."""
    pid_file = layout.LIBVIRT / "run" / "qemu" / f"{domain}.pid"
    return int(pid_file.read_text())


def affinities(domain: str) -> dict[str, str]:
    """The same keys as :func:`pins`, from the kernel's own threads."""
    found = {}
    pid = qemu_pid(domain)
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        allowed = next(
            line.split(":")[1].strip()
            for line in (task / "status").read_text().splitlines()
            if line.startswith("Cpus_allowed_list")
        )
        if name.startswith("CPU "):
            found[f"vcpu {name[4:].split('/')[0]}"] = allowed
        elif name.startswith("IO iothread"):
            found[f"iothread {name.removeprefix('IO iothread')}"] = allowed
        elif task.name == str(pid):
            found["emulator"] = allowed
    return found


def memory_policies(domain: str) -> list[str]:
    """The kernel's binding policies of the guest's memory."""
    maps = Path(f"/proc/{qemu_pid(domain)}/numa_maps").read_text()
    return sorted({
        line.split()[1] for line in maps.splitlines()
        if line.split()[1].startswith("bind")
    })


def huge_memory(domain: str) -> bool:
    """Whether the kernel gave the guest pages of 2 MiB."""
    maps = Path(f"/proc/{qemu_pid(domain)}/numa_maps").read_text()
    return any(
        "kernelpagesize_kB=2048" in line and "hugepages" in line
        for line in maps.splitlines()
    )


def nova_rows(query: str) -> list[tuple[Any, ...]]:
    """Rows of the cell's database."""
    connection = pymysql.connect(
        unix_socket=str(layout.MYSQL_SOCKET), user="root", database=CELL_DB)
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def node_uuid(host: str = layout.HOST) -> str:
    """The compute node's id, which Placement shares."""
    rows = nova_rows(
        f"SELECT uuid FROM compute_nodes WHERE deleted = 0 AND host = '{host}'"
    )
    return str(rows[0][0])


def host_pinned(host: str = layout.HOST) -> set[int]:
    """The pCPUs that Nova's table holds to be pinned on a host."""
    rows = nova_rows(
        "SELECT numa_topology FROM compute_nodes "
        f"WHERE deleted = 0 AND host = '{host}'"
    )
    cells = json.loads(rows[0][0])["nova_object.data"]["cells"]
    return {
        pcpu for cell in cells
        for pcpu in cell["nova_object.data"]["pinned_cpus"]
    }


def ended_migration(server: str) -> str | None:
    """How the server's move ended; waits until it did."""
    query = (
        f"SELECT status FROM migrations WHERE instance_uuid = '{server}'")
    ended = {"error", "finished", "confirmed", "reverted"}
    process.wait_for(
        lambda: any(row[0] in ended for row in nova_rows(query)), PATIENCE)
    rows = nova_rows(query)
    return rows[-1][0] if rows else None


def claimed(host: str = layout.HOST) -> dict[str, dict[int, int]]:
    """Server id -> vCPU -> pCPU, as Nova's table has it."""
    rows = nova_rows(
        "SELECT i.uuid, e.numa_topology FROM instances i "
        "JOIN instance_extra e ON e.instance_uuid = i.uuid "
        f"WHERE i.deleted = 0 AND i.host = '{host}'"
    )
    found = {}
    for server, text in rows:
        cells = (
            json.loads(text)["nova_object.data"]["cells"] if text else [])
        found[server] = {
            int(vcpu): pcpu for cell in cells
            for vcpu, pcpu in (
                cell["nova_object.data"]["cpu_pinning_raw"] or {}).items()
        }
    return found


def defined() -> dict[str, dict[int, int]]:
    """Server id -> vCPU -> pCPU, as libvirt has it; pinned vCPUs only."""
    found = {}
    for domain in virsh("list", "--all", "--name").split():
        xml = virsh("dumpxml", domain)
        server = etree.fromstring(xml.encode()).findtext("uuid")
        found[server] = {
            int(name.split()[1]): int(cpus)
            for name, cpus in pins(xml).items()
            if name.startswith("vcpu ") and cpus.isdigit()
        }
    return found


def host_pages(size_kib: int) -> int:
    """The pages of a size that libvirt counts on this machine."""
    root = etree.fromstring(virsh("capabilities").encode())
    return sum(
        int(pages.text)
        for pages in root.iterfind("host/topology/cells/cell/pages")
        if int(pages.get("size")) == size_kib
    )
