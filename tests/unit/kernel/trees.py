"""Kernel files of a made-up machine, written below a folder."""

from pinning_filter.core import cpuset
from pinning_filter.kernel.files import Roots

#: What ``/proc/PID/numa_maps`` says of memory bound to a cell, and of other.
BOUND = "7f10 bind:{cell} anon={n} N{cell}={n} kernelpagesize_kB=4"
LARGE = "7f20 bind:{cell} file=/dev/hugepages/x huge N{cell}={n} " \
    "kernelpagesize_kB=2048"
FREE = "7f30 default anon={n} N{cell}={n} kernelpagesize_kB=4"


def write(folder, files):
    """Each file, by its path below the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def machine(folder, cells=("0-3", "4-7"), **said):
    """Two host cells, 1 GiB each, of which 256 MiB are to be had."""
    every = cpuset.parse(",".join(cells))
    cpus = {
        "online": ",".join(cells), "present": ",".join(cells),
        "isolated": "", "nohz_full": "(null)",
    } | said
    write(folder / "sys/devices/system/cpu",
          {name: f"{text}\n" for name, text in cpus.items()})
    mask = sum(1 << pcpu for pcpu in every)
    write(folder / "proc", {"irq/default_smp_affinity": f"{mask:x}\n"})
    for number, pcpus in enumerate(cells):
        write(
            folder / f"sys/devices/system/node/node{number}",
            {
                "cpulist": f"{pcpus}\n",
                "meminfo": "\n".join(
                    f"Node {number} {name}: {kib} kB"
                    for name, kib in (
                        ("MemTotal", 1 << 20), ("MemFree", 128 << 10),
                        ("Active(file)", 64 << 10),
                        ("Inactive(file)", 64 << 10), ("SReclaimable", 0),
                    )
                ),
                "hugepages/hugepages-2048kB/nr_hugepages": "8\n",
                "hugepages/hugepages-2048kB/free_hugepages": "5\n",
            },
        )
    return roots(folder)


def roots(folder):
    """Where :func:`machine` and :func:`process` write."""
    return Roots(folder / "proc", folder / "sys", folder / "cgroup")


def process(folder, pid, uuid, threads, numa_maps=None):
    """A process of QEMU's.

    :param threads: the name of each thread with its pCPUs, the main one
        first.
    """
    files = {"cmdline": f"/usr/bin/qemu\0-name\0guest=x\0-uuid\0{uuid}\0-S\0"}
    for number, (name, pcpus) in enumerate(threads):
        files[f"task/{pid + number}/comm"] = f"{name}\n"
        files[f"task/{pid + number}/status"] = (
            f"Name:\t{name}\nCpus_allowed:\tff\n"
            f"Cpus_allowed_list:\t{pcpus}\nMems_allowed_list:\t0-1\n"
        )
    if numa_maps is not None:
        files["numa_maps"] = "\n".join(numa_maps)
    write(folder / f"proc/{pid}", files)
