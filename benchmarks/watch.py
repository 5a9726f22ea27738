"""What does it cost a compute node to look at itself, once a minute?

As many processes as guests, each with the UUID on its command line and
threads named as QEMU's, so that what is read of ``/proc`` is real; domain XML
as libvirt writes it of Nova's guests (devices and all, 8 KB), from a
connection that has it at hand. What is timed is ``Watch.look``, which the
driver calls in each report: reading the XML of each domain, live and as it is
defined, finding its process, reading the affinity of each thread, comparing,
and what goes into ``stats``. The median of the looks after the first. Not in
it: libvirtd's own work, which is another process, and the transport (a
fraction of a millisecond a domain).

    python benchmarks/watch.py
    python benchmarks/watch.py --guests 120 --vcpus 16
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import nova.conf

from pinning_filter.compute import watch
from pinning_filter.nova import config
from pinning_filter.nova import stats as nova_stats

#: Milliseconds of CPU time that a look may take.
BAR = 50.0
#: A process with threads that are named and pinned as QEMU's, that sleeps.
_PROCESS = """
import ctypes, os, sys, threading
name = ctypes.CDLL(None).prctl
def sleep(text):
    name(15, text.encode(), 0, 0, 0)
    ready.wait()
    threading.Event().wait()
threading.stack_size(65536)
ready = threading.Barrier(int(sys.argv[3]) + 7)
names = [f"CPU {n}/KVM" for n in range(int(sys.argv[3]))]
names += ["IO iothread1", "IO mon_iothread", "vnc_worker"]
names += ["worker"] * 3
for each in names:
    threading.Thread(target=sleep, args=(each,), daemon=True).start()
ready.wait()
print("ready", flush=True)
sys.stdin.read()
"""
_DEVICE = """
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/var/lib/nova/instances/x/disk' index='1'/>
      <backingStore/><target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x04'
        function='0x0'/>
    </disk>"""


def domain_xml(number: str, vcpus: int, pcpus: str) -> str:
    """A pinned guest as ``virsh dumpxml`` prints it."""
    pins = "".join(
        f"<vcpupin vcpu='{vcpu}' cpuset='{pcpus}'/>" for vcpu in range(vcpus)
    )
    return f"""<domain type='kvm' id='1'>
  <name>instance-{number[:8]}</name><uuid>{number}</uuid>
  <metadata><nova:instance
    xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
    <nova:name>server</nova:name></nova:instance></metadata>
  <memory unit='KiB'>8388608</memory>
  <vcpu placement='static'>{vcpus}</vcpu><iothreads>1</iothreads>
  <cputune>{pins}<emulatorpin cpuset='{pcpus}'/>
    <iothreadpin iothread='1' cpuset='{pcpus}'/></cputune>
  <numatune><memory mode='strict' nodeset='0'/>
    <memnode cellid='0' mode='strict' nodeset='0'/></numatune>
  <devices>{_DEVICE * 16}</devices>
</domain>"""


class Domain:
    """As libvirt-python's."""

    def __init__(self, xml: str) -> None:
        self._xml = xml

    def name(self) -> str:
        return "x"

    def isPersistent(self) -> bool:
        return True

    def XMLDesc(self, flags: int) -> str:
        return self._xml


class Connection:
    """As libvirt-python's."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self._domains = domains

    def listAllDomains(self, flags: int) -> Sequence[Domain]:
        return self._domains


@contextlib.contextmanager
def guests(count: int, vcpus: int) -> Iterator[list[str]]:
    """UUIDs of this many processes, which end afterwards."""
    uuids = [str(uuid.UUID(int=number + 1)) for number in range(count)]
    running = []
    try:
        for number in uuids:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-S", "-E", "-c", _PROCESS, "-uuid",
                     number, str(vcpus)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
        for each in running:
            assert each.stdout and each.stdout.readline() == b"ready\n"
        yield uuids
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


def measure(count: int, vcpus: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of CPU time of a look."""
    pcpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    config.ensure_configured()
    nova.conf.CONF.set_override("cpu_shared_set", pcpus, "compute")
    with guests(count, vcpus) as uuids:
        domains = [
            Domain(domain_xml(number, vcpus, pcpus)) for number in uuids
        ]
        mine = watch.Watch(lambda: Connection(domains))
        mine.known = set(uuids)
        turns = []
        for _ in itertools.repeat(None, rounds + 1):
            start = time.process_time()
            stats = mine.look("host")
            turns.append((time.process_time() - start) * 1e3)
        seen = mine.observe("host")
        if seen.unseen or not nova_stats.read_findings(stats):
            raise SystemExit(f"{seen.unseen} guests were not seen")
    return {
        "guests": count,
        "vcpus": vcpus,
        "first_ms": turns[0],
        "look_ms": statistics.median(turns[1:]),
        "threads": sum(
            len(each.threads.vcpus) + len(each.threads.iothreads) + 1
            for each in seen.domains
            if each.threads
        ),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--guests", type=int, default=60)
    parser.add_argument("--vcpus", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results = measure(options.guests, options.vcpus, options.rounds)
    missed = results["look_ms"] > BAR
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print(
            f"{results['guests']} guests of {results['vcpus']} vCPUs, "
            f"{results['threads']} threads: {results['look_ms']:.1f} ms of "
            f"CPU time a look (the first: {results['first_ms']:.1f} ms), bar "
            f"{BAR:.0f} ms{', missed' if missed else ''}"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
