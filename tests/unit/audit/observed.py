"""Observations of a made-up compute node of two cells, 0-3 and 4-7."""

import dataclasses

from pinning_filter.audit.observation import Domain, Observation, Settings
from pinning_filter.core import cpuset
from pinning_filter.kernel.guests import Threads
from pinning_filter.kernel.host import Cell, Kernel, LargePages
from pinning_filter.libvirt.running import Running

EVERY = frozenset(range(8))
CELLS = {
    0: Cell(frozenset(range(4)), 1 << 20, 256 << 10,
            {2048: LargePages(8, 5)}),
    1: Cell(frozenset(range(4, 8)), 1 << 20, 256 << 10, {}),
}


def settings(dedicated="1-3,5-7", shared="0,4", managed=False):
    return Settings(cpuset.parse(dedicated),
                    None if shared is None else cpuset.parse(shared), managed)


def kernel(**said):
    """The machine's, with other lists of pCPUs than usual."""
    lists = {
        "online": EVERY, "present": EVERY, "isolated": frozenset(),
        "nohz_full": frozenset(), "irqs": EVERY, "guests": None,
    }
    lists |= {
        name: cpuset.parse(text) for name, text in said.items()
        if name != "cells"
    }
    return Kernel(**lists, cells=said.get("cells", CELLS))


def pcpus(text):
    return None if text is None else cpuset.parse(text)


def running(name, *vcpus, emulator="", iothread="", **fields):
    """A domain with these pins, one for each vCPU; None: anywhere.

    Emulator and I/O thread are where all vCPUs are, as Nova has it.
    """
    pins = {number: pcpus(text) for number, text in enumerate(vcpus)}
    every = None
    if None not in pins.values():
        every = frozenset().union(*pins.values())
    emulator = pcpus(emulator) if emulator != "" else every
    values = {
        "uuid": f"uuid-{name}", "name": name, "by_nova": True,
        "server": f"server {name}", "vcpus": pins, "emulator": emulator,
        "iothreads": {1: pcpus(iothread) if iothread != "" else emulator},
        "memory_kib": 512 << 10, "nodes": None, "cell_nodes": {},
        "cell_memory_kib": {}, "page_sizes_kib": frozenset(),
    }
    return Running(**values | fields)


def bound(name, *vcpus, cell=0, **fields):
    """A domain whose memory is bound to a host cell."""
    return running(
        name, *vcpus, nodes=frozenset({cell}),
        cell_nodes={0: frozenset({cell})}, cell_memory_kib={0: 512 << 10},
        **fields,
    )


def domain(live, changed=None, threads=None, memory=None):
    """A domain that is as it was started, on threads as libvirt says.

    :param changed: what is otherwise in its definition.
    :param threads: kinds of threads that are otherwise in the kernel.
    """
    seen = Threads(
        {number: EVERY if each is None else each
         for number, each in live.vcpus.items()},
        EVERY if live.emulator is None else live.emulator,
        {number: EVERY if each is None else each
         for number, each in live.iothreads.items()},
    )
    return Domain(
        live,
        dataclasses.replace(live, **changed or {}),
        dataclasses.replace(seen, **threads or {}),
        memory,
    )


def seen(*domains, **fields):
    """What was seen: domains that are as they should be, or made so."""
    return Observation(
        "a", "2026-11-28T00:00:00+00:00",
        fields.get("settings", settings()),
        fields.get("kernel", kernel()),
        tuple(each if isinstance(each, Domain) else domain(each)
              for each in domains),
        fields.get("unread", {}),
    )
