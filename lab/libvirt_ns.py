"""The private libvirtd: runs inside ``unshare --mount``, keeps its children.

Started by :mod:`lab.services`, never by hand. Nothing that it mounts is seen
outside its own mount namespace, and at its end no domain is left.

- libvirt's folders are the lab's own, so domains and networks that this
  machine already has are neither seen nor touched;
- an empty file lies over ``/dev/kvm``: QEMU always emulates (TCG), and
  libvirt does not probe an unusable device again at each call;
- the accounts that libvirt asks for by name are there, without the package
  that makes them (and starts libvirt);
- files over sysfs show the CPUs as thread siblings, or as none
  (:class:`lab.host.Host`);
- as a subreaper it inherits the QEMU processes that libvirtd detaches, and
  reaps them at once.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab import host, layout

PR_SET_CHILD_SUBREAPER = 36
SYSFS_CPU = Path("/sys/devices/system/cpu")
HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
#: Seconds that libvirtd, then the domains, get to end.
PATIENCE = 5

#: The lab's folder (below LIBVIRT) -> what it covers.
FOLDERS = {
    "run": Path("/run/libvirt"),
    "lib": Path("/var/lib/libvirt"),
    "log": Path("/var/log/libvirt"),
    "cache": Path("/var/cache/libvirt"),
    "etc": Path("/etc/libvirt"),
}

#: Debian's own numbers for these; libvirt wants the names to exist, and uses
#: root (qemu.conf).
ACCOUNTS = {
    "passwd": ("libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin",),
    "group": ("libvirt-qemu:x:64055:", "kvm:x:64054:"),
}


def bind(source: Path, target: Path) -> None:
    """Mount ``source`` over ``target`` in this mount namespace."""
    subprocess.run(["mount", "--bind", source, target], check=True)


def mask(cpus: set[int], like: str) -> str:
    """A kernel CPU mask of the width that ``like`` has.

    >>> mask({0, 33}, "00000000,00000001")
    '00000002,00000001'
    """
    digits = len(like.replace(",", ""))
    text = f"{sum(1 << cpu for cpu in cpus):0{digits}x}"
    start = len(text) % 8 or 8
    groups = [text[:start]]
    groups += [text[at:at + 8] for at in range(start, len(text), 8)]
    return ",".join(groups)


def sibling_files(
    threads_per_core: int, cpus: list[int]
) -> Iterator[tuple[Path, str]]:
    """The sysfs files, and their new contents, that show such cores."""
    for index, cpu in enumerate(cpus):
        core = index // threads_per_core
        first = core * threads_per_core
        siblings = set(cpus[first:first + threads_per_core])
        listed = ",".join(str(sibling) for sibling in sorted(siblings))
        folder = SYSFS_CPU / f"cpu{cpu}" / "topology"
        like = (folder / "thread_siblings").read_text().strip()
        for name in ("thread_siblings", "core_cpus"):
            yield folder / name, mask(siblings, like)
            yield folder / f"{name}_list", listed
        yield folder / "core_id", str(core)


def show_threads(threads_per_core: int) -> None:
    """Make sysfs show cores of so many threads (0: leave it as it is)."""
    if not threads_per_core:
        return
    folder = layout.LIBVIRT / "sysfs"
    folder.mkdir(exist_ok=True)
    cpus = sorted(os.sched_getaffinity(0))
    for number, (target, text) in enumerate(
        sibling_files(threads_per_core, cpus)
    ):
        if not target.exists():
            continue
        source = folder / str(number)
        source.write_text(f"{text}\n")
        bind(source, target)


def with_accounts(text: str, wanted: tuple[str, ...]) -> str:
    """A passwd or group file with those accounts that it lacks.

    >>> with_accounts("root:x:0:", ("kvm:x:64054:", "root:x:1:"))
    'root:x:0:\\nkvm:x:64054:\\n'
    """
    lines = text.splitlines()
    there = {line.partition(":")[0] for line in lines}
    lines += [each for each in wanted if each.partition(":")[0] not in there]
    return "".join(f"{line}\n" for line in lines)


def show_accounts(folder: Path) -> None:
    """Make libvirt's accounts exist in this mount namespace.

    :param folder: where the files go that lie over the machine's.
    """
    for name, wanted in ACCOUNTS.items():
        target = Path("/etc") / name
        source = folder / name
        source.write_text(with_accounts(target.read_text(), wanted))
        bind(source, target)


def prepare() -> None:
    """Mount everything; the mount points were made by the starter."""
    for name, target in FOLDERS.items():
        source = layout.LIBVIRT / name
        source.mkdir(parents=True, exist_ok=True)
        bind(source, target)
    kvm = Path("/dev/kvm")
    if kvm.exists():
        cover = layout.LIBVIRT / "no-kvm"
        cover.touch(mode=0o600)
        bind(cover, kvm)
    show_accounts(layout.LIBVIRT)
    show_threads(host.load().threads_per_core)
    huge = layout.LIBVIRT / "hugepages"
    huge.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "hugetlbfs", "none", huge], check=True)


def reserve_pages(number: int) -> None:
    """Ask the kernel for so many more (or fewer) pages of 2 MiB."""
    if number:
        HUGE_PAGES.write_text(str(int(HUGE_PAGES.read_text()) + number))


def children() -> list[int]:
    """The processes that are ours to end: our direct children."""
    me = os.getpid()
    listed = Path(f"/proc/{me}/task/{me}/children")
    return [int(pid) for pid in listed.read_text().split()]


def end(pids: list[int]) -> None:
    """SIGTERM, reap for a while, SIGKILL what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:
                return
            if not set(pids) & set(children()):
                return
            time.sleep(0.1)


def wait_until_tidied() -> None:
    """Wait a little until libvirtd has forgotten its ended domains."""
    limit = time.monotonic() + PATIENCE
    running = layout.LIBVIRT / "run" / "qemu"
    while any(running.glob("*.xml")) and time.monotonic() < limit:
        time.sleep(0.1)


def main() -> int:
    """Mount, start libvirtd, reap until told to end or libvirtd ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    prepare()
    pages = host.load().huge_pages
    reserve_pages(pages)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    libvirtd = subprocess.Popen(
        ["libvirtd", "--config", str(layout.ETC / "libvirtd.conf"),
         "--pid-file", str(layout.LIBVIRT / "libvirtd.pid")]
    )
    try:
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == libvirtd.pid:
                libvirtd.returncode = os.waitstatus_to_exitcode(status)
                return libvirtd.returncode or 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # The domains first, so that libvirtd tidies their cgroups away.
        end([pid for pid in children() if pid != libvirtd.pid])
        wait_until_tidied()
        end(children())
        reserve_pages(-pages)


if __name__ == "__main__":
    sys.exit(main())
