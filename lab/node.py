"""The second compute node: a machine of two cells with SMT, in QEMU (TCG).

Two cells x two cores x two threads, which the small machine that runs the lab
has not. Its kernel, libvirtd, QEMU and nova-compute are real; it reaches this
machine's services as 10.0.2.2 through QEMU's user-mode network, and is itself
reached by ssh at a port of the loopback interface. What it writes is gone
when it stops.

:mod:`lab.node_image` makes its disks, :mod:`lab.node_init` runs inside it.
"""

import subprocess
import uuid

from lab import config, layout, node_image, node_layout, services, steps
from lab.process import Daemon

#: Memory of each of the two cells.
CELL_MIB = 1536
#: With plain "max" Linux sees one thread a core.
CPU = "max,la57=off,vendor=GenuineIntel,family=6,model=85,stepping=4"
#: The socket of the shared connection.
CHANNEL = node_image.FOLDER / "channel"
#: Seconds from power-on to nova-compute on a busy machine.
START_SECONDS = 1200


def daemon() -> Daemon:
    """The QEMU process."""
    return Daemon(
        "node",
        ["qemu-system-x86_64", *machine(), *disks(), *devices()],
        # Where QEMU keeps what the machine writes to its disks.
        env={"TMPDIR": str(node_image.FOLDER)},
        ready=services.logged("node", node_layout.SERVES),
        ready_seconds=START_SECONDS,
    )


def channel() -> Daemon:
    """One connection that all later ones share: each would cost seconds."""
    return Daemon(
        "node-ssh", ssh("-M", "-N"), ready=services.accepts_at(CHANNEL),
        ready_seconds=300,
    )


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


def disks() -> list[str]:
    """The kernel and both disks; writes to them are not kept."""
    pages = node_layout.HUGE_PAGES
    return [
        "-kernel", str(node_image.KERNEL), "-initrd", str(node_image.INITRD),
        "-append", "console=ttyS0 quiet root=/dev/vda rw net.ifnames=0 "
        f"init=/lab-init hugepages=0:{pages},1:{pages} lab={layout.ROOT}",
        *(
            part for disk in (node_image.ROOT_DISK, node_image.LAB_DISK)
            for part in (
                "-drive", f"file={disk},format=raw,if=virtio,snapshot=on")
        ),
    ]


def devices() -> list[str]:
    """The network, entropy, and the console as this process's output."""
    ssh = f"tcp:127.0.0.1:{layout.PORTS['node-ssh']}-:22"
    return [
        "-nodefaults", "-display", "none", "-serial", "stdio",
        "-netdev", f"user,id=net,hostfwd={ssh}",
        "-device", "virtio-net-pci,netdev=net",
        "-device", "virtio-rng-pci",
    ]


def up() -> None:
    """Make the disks, power on, wait until Nova schedules to it."""
    steps.say("The second compute node: 2 cells x 2 cores x 2 threads")
    identity = node_image.ETC / "compute_id"
    identity.parent.mkdir(parents=True, exist_ok=True)
    if not identity.exists():
        identity.write_text(f"{uuid.uuid4()}\n")
    config.render_node(node_image.ETC)
    if node_image.build():
        daemon().stop()
    daemon().start()
    channel().start()
    steps.once("map node", identity.read_text(), services.map_hosts)


def ssh(*options: str) -> list[str]:
    """The command line of ssh to the node; a command is added to it."""
    settings = {
        "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
        "ConnectTimeout": "120", "ControlPath": str(CHANNEL),
        # The channel ends when the machine no longer answers.
        "ServerAliveInterval": "60", "ServerAliveCountMax": "5",
    }
    return [
        "ssh", "-q", "-F", "none", "-i", str(node_image.KEY),
        "-p", str(layout.PORTS["node-ssh"]),
        *(part for name, value in settings.items()
          for part in ("-o", f"{name}={value}")),
        *options, "root@127.0.0.1",
    ]


def shell(*command: str) -> int:
    """Run a command on the node; its exit status."""
    if daemon().pid() is None:
        raise layout.LabError("the node does not run: make lab-node")
    return subprocess.run([*ssh(), *command], check=False).returncode
