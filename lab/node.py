"""The emulated compute nodes: machines of two cells with SMT, in QEMU (TCG).

Two cells x two cores x two threads, which the small machine that runs the lab
has not. Kernel, libvirtd, QEMU and nova-compute are real; each reaches this
machine's services as 10.0.2.2 through QEMU's user-mode network, and is itself
reached by ssh at a port of the loopback interface; the other node reaches it
there as well. What it writes is gone when it stops.

:mod:`lab.node_image` makes its disks, :mod:`lab.node_init` runs inside it.
"""

import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab import config, layout, node_image, node_layout, services, steps
from lab.node_layout import Node
from lab.process import Daemon, wait_for

#: Memory of each of the two cells.
CELL_MIB = 1536
#: With plain "max" Linux sees one thread a core.
CPU = "max,la57=off,vendor=GenuineIntel,family=6,model=85,stepping=4"
#: What Nova switched off, it leaves so.
ALL_ON = ("for cpu in /sys/devices/system/cpu/cpu*/online; do "
          "echo 1 > $cpu; done")
#: Seconds from power-on to nova-compute on a busy machine.
START_SECONDS = 1200


def daemon(node: Node = node_layout.FIRST) -> Daemon:
    """The QEMU process."""
    return Daemon(
        node.name,
        ["qemu-system-x86_64", *machine(), *disks(node), *devices(node)],
        # Where QEMU keeps what the machine writes to its disks.
        env={"TMPDIR": str(node_image.FOLDER)},
        ready=services.logged(node.name, node_layout.SERVES),
        ready_seconds=START_SECONDS,
    )


def channel(node: Node = node_layout.FIRST) -> Daemon:
    """One connection that all later ones share: each would cost seconds."""
    return Daemon(
        f"{node.name}-ssh", ssh("-M", "-N", node=node),
        ready=services.accepts_at(socket(node)), ready_seconds=300,
    )


def socket(node: Node) -> Path:
    """The socket of the shared connection."""
    return node_image.FOLDER / f"{node.name}.sock"


def machine() -> list[str]:
    """Processors, memory and NUMA cells."""
    cells = []
    for cell, cpus in enumerate(("0-3", "4-7")):
        cells += [
            "-object", f"memory-backend-ram,id=memory{cell},size={CELL_MIB}M",
            "-numa", f"node,nodeid={cell},cpus={cpus},memdev=memory{cell}",
        ]
    return [
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", CPU,
        "-smp", "8,sockets=2,cores=2,threads=2", "-m", str(2 * CELL_MIB),
        *cells,
    ]


def disks(node: Node) -> list[str]:
    """The kernel and both disks; writes to them are not kept."""
    pages = node_layout.HUGE_PAGES
    return [
        "-kernel", str(node_image.KERNEL), "-initrd", str(node_image.INITRD),
        "-append", "console=ttyS0 quiet root=/dev/vda rw net.ifnames=0 "
        f"init=/lab-init hugepages=0:{pages},1:{pages} "
        f"node={node.name} lab={layout.ROOT}",
        *(
            part for disk in (node_image.ROOT_DISK, node_image.LAB_DISK)
            for part in (
                "-drive", f"file={disk},format=raw,if=virtio,snapshot=on")
        ),
    ]


def devices(node: Node) -> list[str]:
    """The network, entropy, and the console as this process's output."""
    ports = {node.ssh_port: 22,
             **{port: port for port in node.migration_ports}}
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{here}-:{there}"
                        for here, there in ports.items())
    return [
        "-nodefaults", "-display", "none", "-serial", "stdio",
        "-netdev", f"user,id=net,{forwards}",
        "-device", "virtio-net-pci,netdev=net",
        "-device", "virtio-rng-pci",
    ]


def up(node: Node) -> None:
    """Make the disks, power on, wait until Nova schedules to it."""
    steps.say(f"{node.name}: 2 cells x 2 cores x 2 threads")
    node_image.configure()
    if node_image.build():
        for each in node_layout.NODES:
            daemon(each).stop()
    daemon(node).start()
    channel(node).start()
    steps.once(f"map {node.name}", node_image.identity(node).read_text(),
               services.map_hosts)


def show(
    nodes: Iterable[Node], parent: Path, dedicated: str, shared: str,
    power: bool = False,
) -> None:
    """Give nodes other sets of pCPUs until they stop; no servers are there.

    Their driver is the one that LAB_COMPUTE names now.

    :param parent: has a folder for each, with its files as it gets them
    :param power: whether Nova switches off dedicated pCPUs that nobody uses
    """
    awaited = {}
    for node in nodes:
        folder = parent / node.name
        config.render_node(folder, node, dedicated=dedicated, shared=shared,
                           power=power)
        serves = services.logged(node.name, node_layout.SERVES)
        if put(node, folder / "nova-compute.conf"):
            awaited[node.name] = serves
    for name, serves in awaited.items():
        if not wait_for(serves, START_SECONDS):
            raise layout.LabError(f"nova-compute of {name} did not come back")


def put(node: Node, file: Path) -> bool:
    """Give nova-compute this file and restart it; False if it has it."""
    there = shlex.quote(str(layout.ETC / file.name))
    text = file.read_bytes()
    has = subprocess.run([*ssh(node=node), f"cat {there}"],
                         capture_output=True, check=True).stdout
    if has == text:
        return False
    subprocess.run(
        [*ssh(node=node),
         f"cat > {there} && {ALL_ON} && pkill nova-compute"],
        input=text, check=True)
    return True


def ssh(*options: str, node: Node = node_layout.FIRST) -> list[str]:
    """The command line of ssh to the node; a command is added to it."""
    settings = {
        "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
        "ConnectTimeout": "120", "ControlPath": str(socket(node)),
        # The channel ends when the machine no longer answers.
        "ServerAliveInterval": "60", "ServerAliveCountMax": "5",
    }
    return [
        "ssh", "-q", "-F", "none", "-i", str(node_image.KEY),
        "-p", str(node.ssh_port),
        *(part for name, value in settings.items()
          for part in ("-o", f"{name}={value}")),
        *options, "root@127.0.0.1",
    ]


def shell(node: Node, *command: str) -> int:
    """Run a command on a compute node; its exit status."""
    if daemon(node).pid() is None:
        raise layout.LabError(
            f"{node.name} does not run: make lab-node, or lab-nodes")
    return subprocess.run(
        [*ssh(node=node), *command], check=False).returncode
