"""A libvirtd of a test's own, which sees and changes nothing of the machine's.

It runs in a mount namespace, in which libvirt's folders are the test's, an
empty file lies over ``/dev/kvm`` (so that QEMU emulates everywhere), and the
first two pCPUs are shown as two threads of one core, all as in the lab.
``main`` is what runs in there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from lab import libvirt_ns

_ROOT = pathlib.Path(__file__).parents[2]
_TOOLS = ("unshare", "libvirtd", "virsh", "qemu-system-x86_64")
_FOLDERS = ("run", "var/lib", "var/log", "var/cache", "etc")
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds until libvirtd must listen.
_PATIENCE = 60

_LIBVIRTD_CONF = """\
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
"""
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
"""


def lacking() -> str:
    """What this machine lacks for a private libvirtd; empty: nothing."""
    if os.geteuid() != 0:
        return "root"
    if len(os.sched_getaffinity(0) & {0, 1}) < 2:
        return "the pCPUs 0 and 1"
    tools = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if not tools and subprocess.call(["unshare", "--mount", "true"]):
        return "leave to mount"
    return ", ".join(tools)


class Virsh:
    """The daemon, by its own command line."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._socket = folder / "run" / "libvirt-sock"

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        uri = f"qemu+unix:///system?socket={self._socket}"
        return subprocess.run(
            ["virsh", "--quiet", "--connect", uri, *arguments],
            input=stdin,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def listens(self) -> bool:
        return self._socket.exists()

    def threads(self, domain: str) -> dict[str, str]:
        """``Cpus_allowed_list`` of each of QEMU's threads by its name."""
        pid = (self._folder / "run" / "qemu" / f"{domain}.pid").read_text()
        found = {}
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = dict(
                line.split(":\t", 1)
                for line in (task / "status").read_text().splitlines()
            )
            found[status["Name"]] = status["Cpus_allowed_list"]
        return found


@contextlib.contextmanager
def private(folder: pathlib.Path) -> Iterator[Virsh]:
    """A libvirtd whose files are in a folder; ends with what it started."""
    command = ["unshare", "--mount", sys.executable, "-m", __name__, folder]
    with open(folder / "libvirtd.log", "wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, cwd=_ROOT)
    virsh = Virsh(folder)
    try:
        limit = time.monotonic() + _PATIENCE
        while not virsh.listens():
            if daemon.poll() is not None or time.monotonic() > limit:
                raise RuntimeError((folder / "libvirtd.log").read_text())
            time.sleep(0.1)
        yield virsh
    finally:
        daemon.terminate()
        daemon.wait()


def main(folder: pathlib.Path) -> None:
    """Inside the namespace: cover, start libvirtd, reap until told to end."""
    for place in _FOLDERS:
        source = folder / pathlib.Path(place).name
        source.mkdir()
        target = pathlib.Path("/", place, "libvirt")
        target.mkdir(exist_ok=True)
        libvirt_ns.bind(source, target)
    etc = folder / "etc"
    (etc / "libvirtd.conf").write_text(_LIBVIRTD_CONF)
    (etc / "qemu.conf").write_text(_QEMU_CONF)
    kvm = pathlib.Path("/dev/kvm")
    _cover_file(folder / "kvm", "", kvm)
    if kvm.exists():
        # Writable but no KVM, libvirt would look at QEMU anew at each call.
        subprocess.run(["mount", "-o", "remount,bind,ro", kvm], check=True)
    libvirt_ns.show_accounts(folder)
    one_core = libvirt_ns.sibling_files(2, [0, 1])
    for number, (target, text) in enumerate(one_core):
        _cover_file(folder / f"sysfs-{number}", text, target)
    # QEMU's processes leave libvirtd, and would be left to the machine.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    subprocess.Popen(["libvirtd", "--pid-file", folder / "libvirtd.pid"])
    try:
        while True:
            os.waitpid(-1, 0)
    finally:
        for child in libvirt_ns.children():
            os.kill(child, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


def _cover_file(source: pathlib.Path, text: str, target: pathlib.Path) -> None:
    if target.exists():
        source.write_text(text)
        libvirt_ns.bind(source, target)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
