"""What libvirt, the kernel and Nova's own tables say of a server.

``host`` is the compute host where to look, by its name in Nova.
"""

import json
import shlex
import subprocess
from typing import Any

import pymysql
from lxml import etree

from lab import layout, node, node_layout, process

CELL_DB = "nova"
#: Seconds that Nova may take to end what it was asked for.
PATIENCE = 180


def on(host: str, command: str) -> str:
    """What a shell command says on a compute host."""
    shell = (["sh", "-c"] if host == layout.HOST
             else node.ssh(node=node_layout.named(host)))
    return subprocess.run(
        [*shell, command],
        capture_output=True, text=True, check=True,
    ).stdout


def virsh(*arguments: str, host: str = layout.HOST) -> str:
    """Ask the lab's libvirtd."""
    return on(host, virsh_command(host, *arguments))


def virsh_command(host: str, *arguments: str) -> str:
    """What a shell on a compute host is told, to ask its libvirtd."""
    where = ["-c", layout.LIBVIRT_URI] if host == layout.HOST else []
    return shlex.join(["virsh", *where, *arguments])


def domains(host: str = layout.HOST) -> list[str]:
    """libvirt's names of all domains, running or not."""
    return virsh("list", "--all", "--name", host=host).split()


def domain_xml(domain: str, host: str = layout.HOST) -> str:
    """``virsh dumpxml`` of a running domain."""
    return virsh("dumpxml", domain, host=host)


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


def pid_file(domain: str, host: str = layout.HOST) -> str:
    """Where libvirt keeps the process id of a running domain."""
    run = layout.LIBVIRT / "run" if host == layout.HOST else "/run/libvirt"
    return f"{run}/qemu/{domain}.pid"


def qemu_pid(domain: str, host: str = layout.HOST) -> int:
    """The process of a running domain."""
    return int(on(host, f"cat {pid_file(domain, host)}"))


def affinities(domain: str, host: str = layout.HOST) -> dict[str, str]:
    """The same keys as :func:`pins`, from the kernel's own threads."""
    pid = qemu_pid(domain, host)
    shown = on(host, f"cd /proc/{pid}/task && "
               "grep -HE '^(Name|Cpus_allowed_list):' */status; true")
    tasks: dict[str, list[str]] = {}
    for line in shown.splitlines():
        path, _, value = line.split(":", 2)
        tasks.setdefault(path.split("/")[0], []).append(value.strip())
    found = {}
    for task, (name, allowed) in tasks.items():
        if name.startswith("CPU "):
            found[f"vcpu {name[4:].split('/')[0]}"] = allowed
        elif name.startswith("IO iothread"):
            found[f"iothread {name.removeprefix('IO iothread')}"] = allowed
        elif task == str(pid):
            found["emulator"] = allowed
    return found


def numa_maps(domain: str, host: str) -> list[str]:
    """The kernel's account of the guest's memory, a line a mapping."""
    pid = qemu_pid(domain, host)
    return on(host, f"cat /proc/{pid}/numa_maps").splitlines()


def memory_policies(domain: str, host: str = layout.HOST) -> list[str]:
    """The kernel's binding policies of the guest's memory."""
    return sorted({
        line.split()[1] for line in numa_maps(domain, host)
        if line.split()[1].startswith("bind")
    })


def huge_memory(domain: str, host: str = layout.HOST) -> bool:
    """Whether the kernel gave the guest pages of 2 MiB."""
    return any(
        "kernelpagesize_kB=2048" in line and "hugepages" in line
        for line in numa_maps(domain, host)
    )


def nova_rows(query: str) -> list[tuple[Any, ...]]:
    """Rows of the cell's database, or what a statement changes there."""
    connection = pymysql.connect(
        unix_socket=str(layout.MYSQL_SOCKET), user="root", database=CELL_DB,
        autocommit=True)
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
    if rows[0][0] is None:
        return set()
    cells = json.loads(rows[0][0])["nova_object.data"]["cells"]
    return {
        pcpu for cell in cells
        for pcpu in cell["nova_object.data"]["pinned_cpus"]
    }


def ended_migration(server: str) -> str | None:
    """How the server's move ended; waits until it did."""
    query = (
        f"SELECT status FROM migrations WHERE instance_uuid = '{server}'")
    ended = {"error", "finished", "confirmed", "reverted", "completed",
             "failed", "cancelled"}
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


def defined(host: str = layout.HOST) -> dict[str, dict[int, int]]:
    """Server id -> vCPU -> pCPU, as libvirt has it; pinned vCPUs only."""
    found = {}
    for domain in domains(host):
        xml = domain_xml(domain, host)
        server = etree.fromstring(xml.encode()).findtext("uuid")
        found[server] = {
            int(name.split()[1]): int(cpus)
            for name, cpus in pins(xml).items()
            if name.startswith("vcpu ") and cpus.isdigit()
        }
    return found


def enabled_hosts() -> set[str]:
    """The compute hosts that the scheduler may choose."""
    return {row[0] for row in nova_rows(
        "SELECT host FROM services WHERE deleted = 0 AND disabled = 0 "
        "AND `binary` = 'nova-compute'")}


def reported(host: str = layout.HOST) -> object:
    """When the host's nova-compute was last heard of."""
    return nova_rows(
        "SELECT last_seen_up FROM services WHERE deleted = 0 "
        f"AND host = '{host}' AND `binary` = 'nova-compute'")[0][0]


def forced_down() -> set[str]:
    """The compute hosts that somebody called down."""
    return {row[0] for row in nova_rows(
        "SELECT host FROM services WHERE deleted = 0 AND forced_down = 1 "
        "AND `binary` = 'nova-compute'")}


def known_hosts() -> set[str]:
    """The compute hosts that Nova knows, running or not."""
    return {row[0] for row in nova_rows(
        "SELECT host FROM services WHERE deleted = 0 "
        "AND `binary` = 'nova-compute'")}


def host_pages(size_kib: int) -> int:
    """The pages of a size that libvirt counts on this machine."""
    root = etree.fromstring(virsh("capabilities").encode())
    return sum(
        int(pages.text)
        for pages in root.iterfind("host/topology/cells/cell/pages")
        if int(pages.get("size")) == size_kib
    )


def free_pages(host: str) -> dict[int, int]:
    """Host cell -> its free pages of 2 MiB, by the kernel."""
    shown = on(host, "grep -H . /sys/devices/system/node/node*/hugepages/"
               "hugepages-2048kB/free_hugepages")
    found = {}
    for line in shown.splitlines():
        path, _, pages = line.partition(":")
        found[int(path.split("/")[5].removeprefix("node"))] = int(pages)
    return found
