"""The disks of the emulated compute nodes: Debian's, and this clone's lab.

The first disk is made once and kept: a Debian of the same release as this
machine's, with libvirt and QEMU. The second holds the lab as it is now (its
Python environment, its configuration) and is mounted where the clone is on
this machine, so that every path is the same on both. All nodes have the same
disks, and a folder of configuration each.
"""

import shutil
import subprocess
import uuid
from pathlib import Path

from lab import config, install, layout, node_layout, steps

FOLDER = layout.RUN / "node"
ROOT_DISK = FOLDER / "root.ext4"
LAB_DISK = FOLDER / "lab.ext4"
KERNEL = FOLDER / "vmlinuz"
INITRD = FOLDER / "initrd.img"
KEY = node_layout.KEY

#: What this machine needs to make the disks.
TOOLS = ("mmdebstrap", "e2fsprogs", "openssh-client")
PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "kmod", "python3",
    "iproute2", "procps", "openssh-server", "libvirt-daemon",
    "libvirt-daemon-driver-qemu", "libvirt-clients", "qemu-system-x86",
    "qemu-utils", "seabios", "ipxe-qemu",
)
#: Nobody reads these there.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
#: The kernel's modules until the root file system is there.
EARLY = ("virtio_pci", "virtio_blk", "ext4")

#: The first process; the kernel's command line says where the lab belongs.
INIT = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
lab=$(sed 's/.*lab=\\([^ ]*\\).*/\\1/' /proc/cmdline)
mkdir -p "$lab" && mount /dev/vdb "$lab"
export PYTHONPATH="$lab"
exec /usr/bin/python3 -m lab.node_init
"""


def etc(name: str) -> Path:
    """A node's configuration; it copies it to where every compute has it."""
    return FOLDER / name


def configure() -> None:
    """Write the configuration of every node."""
    for node in node_layout.NODES:
        folder = etc(node.name)
        config.render_node(folder, node)
        if not identity(node).exists():
            identity(node).write_text(f"{uuid.uuid4()}\n")


def identity(node: node_layout.Node) -> Path:
    """The id of its compute node, which stays the same."""
    return etc(node.name) / "compute_id"


def build() -> bool:
    """Make both disks, where they are not as they should be.

    True if one was made. A machine that runs keeps those it began with.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    install.debian_packages(TOOLS)
    if not KEY.exists():
        steps.run("node key", ["ssh-keygen", "-q", "-t", "ed25519",
                               "-N", "", "-f", KEY])
    key = steps.digest(
        release(), *PACKAGES, *LEFT_OUT, *EARLY, INIT, KEY)
    made = steps.once("node's Debian", key, make_root_disk)
    stamps = [layout.DONE / install.ENVIRONMENT, layout.DONE / install.PROJECT]
    made |= steps.once("node's lab", steps.digest(*stamps, *lab_files()),
                       make_lab_disk)
    return made


def lab_files() -> list[Path]:
    """The lab's own files that go to the node."""
    return sorted([
        *layout.HERE.glob("*.py"),
        *(path for node in node_layout.NODES
          for path in etc(node.name).iterdir()),
    ])


def make_root_disk() -> None:
    """mmdebstrap into a folder, then the folder into a file system."""
    name = "node's Debian"
    root = FOLDER / "root"
    shutil.rmtree(root, ignore_errors=True)
    init = FOLDER / "init"
    init.write_text(INIT)
    initramfs = "etc/initramfs-tools"
    modules = "\\n".join(EARLY)
    steps.run(name, [
        "mmdebstrap", "--mode=root", "--variant=minbase",
        f"--include={','.join((*PACKAGES, *install.known(install.DRIVERS)))}",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        f'--essential-hook=mkdir -p "$1/{initramfs}/conf.d"; '
        f'echo MODULES=list > "$1/{initramfs}/conf.d/lab"; '
        f'printf "{modules}\\n" > "$1/{initramfs}/modules"',
        '--customize-hook=chroot "$1" useradd --system libvirt-qemu || true',
        '--customize-hook=mkdir -p -m 700 "$1/root/.ssh"',
        f"--customize-hook=upload {KEY}.pub /root/.ssh/authorized_keys",
        f"--customize-hook=upload {init} /lab-init",
        '--customize-hook=chmod 755 "$1/lab-init"',
        release(), root,
    ])
    for pattern, target in (("vmlinuz-*", KERNEL), ("initrd.img-*", INITRD)):
        shutil.copy(max((root / "boot").glob(pattern)), target)
    make_disk(name, root, ROOT_DISK)


def release() -> str:
    """The code name of this machine's Debian."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise layout.LabError("/etc/os-release names no release of Debian")


def make_lab_disk() -> None:
    """The Python environment, this package and the node's configuration."""
    name = "node's lab"
    stage = FOLDER / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    here = stage / layout.HERE.name
    run = here / layout.RUN.name
    folder = run / FOLDER.name
    folder.mkdir(parents=True)
    for source in layout.HERE.glob("*.py"):
        shutil.copy(source, here)
    shutil.copy(KEY, folder)
    for node in node_layout.NODES:
        shutil.copytree(etc(node.name), folder / node.name)
    # Links, not copies: the file system gets the files from there.
    steps.run(name, ["cp", "-al", layout.VENV, run / layout.VENV.name])
    make_disk(name, stage, LAB_DISK)


def make_disk(name: str, folder: Path, disk: Path) -> None:
    """A file system with the folder's contents; the folder goes."""
    used = subprocess.run(
        ["du", "-s", "--block-size=1M", folder],
        capture_output=True, text=True, check=True,
    ).stdout.split()[0]
    disk.unlink(missing_ok=True)
    steps.run(name, ["mke2fs", "-q", "-t", "ext4", "-d", folder, disk,
                     f"{int(used) * 5 // 4 + 1024}M"])
    shutil.rmtree(folder)
