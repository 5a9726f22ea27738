"""The first process of an emulated compute node: starts it, reaps, waits.

Runs inside the QEMU machine of :mod:`lab.node` and nowhere else, as process
1. It has no service manager: what this lab needs is a network, libvirtd,
sshd and nova-compute. What it prints is the machine's console, which is
a log of the host's.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab import config, layout, node_image, node_layout, services, steps

#: Where libvirt itself looks for it.
QEMU_CONF = Path("/etc/libvirt/qemu.conf")
COMPUTE_LOG = layout.LOGS / "nova-compute.log"
#: Seconds between two looks at nova-compute's log.
TICK = 2


def run(*command: str | Path) -> None:
    """One command, which must succeed."""
    subprocess.run([str(part) for part in command], check=True)


def mount(kind: str, target: Path) -> None:
    """One of the kernel's own file systems."""
    target.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", kind, kind, target)


def own_name() -> str:
    """Which of the nodes this is: the kernel's command line says so."""
    words = Path("/proc/cmdline").read_text().split()
    return next(word for word in words
                if word.startswith("node=")).removeprefix("node=")


def prepare(name: str) -> None:
    """File systems, huge pages, the network, the node's configuration."""
    mount("tmpfs", Path("/run"))
    mount("tmpfs", Path("/dev/shm"))
    mount("devpts", Path("/dev/pts"))
    mount("cgroup2", Path("/sys/fs/cgroup"))
    mount("hugetlbfs", layout.LIBVIRT / "hugepages")
    for folder in ("/run/sshd", layout.LOGS, layout.RUN / "home",
                   layout.RUN / "nova" / "instances", layout.RUN / "lock"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost {name}\n")
    run("hostname", name)
    shutil.copytree(node_image.etc(name), layout.ETC, dirs_exist_ok=True)
    run("modprobe", "-a", "virtio_net", "virtio_rng")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{node_layout.ADDRESS}/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")


def start(name: str, *command: str | Path) -> subprocess.Popen[bytes]:
    """A service, its output in a log of its own."""
    print(f"node: starting {name}", flush=True)
    with (layout.LOGS / f"{name}.log").open("a") as out:
        return subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL,
            stdout=out, stderr=out, env=steps.environment(), cwd="/",
            start_new_session=True,
        )


def compute_command() -> Path:
    """nova-compute with the driver that its configuration names."""
    text = (layout.ETC / "nova-compute.conf").read_text()
    stock = f"= {config.DRIVERS['stock']}\n" in text
    return layout.BIN / ("nova-compute" if stock else "nova-compute-pinning")


def start_compute() -> subprocess.Popen[bytes]:
    """nova-compute."""
    return start(
        "nova-compute", compute_command(),
        "--config-file", layout.ETC / "nova.conf",
        "--config-file", layout.ETC / "nova-compute.conf",
    )


def main() -> None:
    """Start everything, tell of nova-compute, reap and restart for ever."""
    prepare(own_name())
    start("sshd", "/usr/sbin/sshd", "-D", "-e", "-o", "UsePAM=no",
          "-o", "UseDNS=no")
    shutil.copy(layout.ETC / "qemu.conf", QEMU_CONF)
    start("libvirtd", "libvirtd", "--config", layout.ETC / "libvirtd.conf")
    os.environ.pop("PYTHONPATH")
    while True:
        serves = services.logged("nova-compute", services.JOINED)
        compute = start_compute()
        told = False
        while not reaped(compute.pid):
            if not told and serves():
                print(node_layout.SERVES, flush=True)
                told = True
            time.sleep(TICK)
        print(f"node: nova-compute ended\n{steps.tail(COMPUTE_LOG)}",
              flush=True)


def reaped(pid: int) -> bool:
    """Reap whoever ended; whether ``pid`` did."""
    found = False
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not ended:
            return found
        found = found or ended == pid


if __name__ == "__main__":
    main()
