"""An observation <-> the JSON that ``pinning-filter audit --observe`` writes.

The form is fixed by ``observed.schema.json`` beside this file, which
everything that is read is checked against, so the reader below may trust its
input. pCPUs and host cells are lists such as ``"0-3,8"``.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import fastjsonschema

from pinning_filter.audit.observation import Domain, Observation, Settings
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError
from pinning_filter.kernel.guests import Memory, Threads
from pinning_filter.kernel.host import Cell, Kernel, LargePages
from pinning_filter.libvirt.running import Running

#: How an observation is told from other JSON.
FORMAT = "pinning-filter observation"
VERSION = 1


def write(seen: Observation) -> dict[str, Any]:
    """An observation as plain JSON values."""
    kernel = seen.kernel
    return {
        "format": FORMAT,
        "version": VERSION,
        "host": seen.host,
        "taken": seen.taken,
        "settings": {
            "dedicated": _cpus(seen.settings.dedicated),
            "shared": _cpus(seen.settings.shared),
            "power_managed": seen.settings.power_managed,
        },
        "kernel": {
            **{name: _cpus(getattr(kernel, name)) for name in _KERNEL},
            "cells": {
                str(number): {
                    "pcpus": _cpus(cell.pcpus),
                    "total_kib": cell.total_kib,
                    "available_kib": cell.available_kib,
                    "large": {
                        str(size): pages._asdict()
                        for size, pages in cell.large.items()
                    },
                }
                for number, cell in kernel.cells.items()
            },
        },
        "domains": [_write_domain(domain) for domain in seen.domains],
        "unread": dict(seen.unread),
    }


#: What the kernel says of pCPUs.
_KERNEL = ("online", "present", "isolated", "nohz_full", "irqs", "guests")


def _cpus(pcpus: frozenset[int] | None) -> str | None:
    return None if pcpus is None else cpuset.format(pcpus)


def _write_domain(domain: Domain) -> dict[str, Any]:
    threads, memory = domain.threads, domain.memory
    return {
        "live": _write_running(domain.live),
        "defined": domain.defined and _write_running(domain.defined),
        "threads": threads and _write_threads(threads),
        "memory": memory and {
            "bound": memory.bound,
            "cells_kib": _texts(memory.cells_kib),
            "pages_kib": _texts(memory.pages_kib),
        },
    }


def _write_running(live: Running) -> dict[str, Any]:
    return {
        "uuid": live.uuid,
        "name": live.name,
        "by_nova": live.by_nova,
        "server": live.server,
        **_write_threads(live),
        "memory_kib": live.memory_kib,
        "nodes": _cpus(live.nodes),
        "cell_nodes": {
            str(cell): _cpus(nodes) for cell, nodes in live.cell_nodes.items()
        },
        "cell_memory_kib": _texts(live.cell_memory_kib),
        "page_sizes_kib": sorted(live.page_sizes_kib),
    }


def _write_threads(threads: Running | Threads) -> dict[str, Any]:
    return {
        "vcpus": {
            str(number): _cpus(pcpus)
            for number, pcpus in threads.vcpus.items()
        },
        "emulator": _cpus(threads.emulator),
        "iothreads": {
            str(number): _cpus(pcpus)
            for number, pcpus in threads.iothreads.items()
        },
    }


def _texts(amounts: Mapping[int, int]) -> dict[str, int]:
    return {str(key): amount for key, amount in amounts.items()}


def read(text: str, where: str) -> Observation:
    """Read what :func:`write` wrote.

    :param where: the file, as a complaint has it.
    :raises InputError: naming what is wrong with it.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: it is not JSON: {error}") from error
    try:
        _validator()(data)
        return _observation(data)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InputError(
            f"{where}: it is not what 'pinning-filter audit --observe' "
            f"writes: {str(error)[:200]}"
        ) from error
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


@functools.cache
def _validator() -> Any:
    text = (resources.files(__package__) / "observed.schema.json").read_text()
    return fastjsonschema.compile(json.loads(text))


def _observation(data: Mapping[str, Any]) -> Observation:
    settings, kernel = data["settings"], data["kernel"]
    if datetime.datetime.fromisoformat(data["taken"]).tzinfo is None:
        raise ValueError("'taken' has no time zone")
    return Observation(
        data["host"],
        data["taken"],
        Settings(
            cpuset.parse(settings["dedicated"]),
            _pcpus(settings["shared"]),
            settings["power_managed"],
        ),
        Kernel(
            **{name: _pcpus(kernel[name]) for name in _KERNEL},
            cells={
                int(number): Cell(
                    cpuset.parse(cell["pcpus"]),
                    cell["total_kib"],
                    cell["available_kib"],
                    {
                        int(size): LargePages(**pages)
                        for size, pages in cell["large"].items()
                    },
                )
                for number, cell in kernel["cells"].items()
            },
        ),
        tuple(map(_domain, data["domains"])),
        data["unread"],
    )


#: A cloud of ten thousand nodes has few that are not alike.
_parsed = functools.lru_cache(maxsize=4096)(cpuset.parse)


def _pcpus(text: str | None) -> frozenset[int] | None:
    return None if text is None else _parsed(text)


def _domain(data: Mapping[str, Any]) -> Domain:
    defined, threads, memory = (
        data[name] for name in ("defined", "threads", "memory")
    )
    live = _running(data["live"])
    return Domain(
        live,
        # Most domains run as they are defined.
        live if defined == data["live"] else defined and _running(defined),
        threads and Threads(
            {
                int(number): _parsed(pcpus)
                for number, pcpus in threads["vcpus"].items()
            },
            _parsed(threads["emulator"]),
            {
                int(number): _parsed(pcpus)
                for number, pcpus in threads["iothreads"].items()
            },
        ),
        memory and Memory(
            memory["bound"],
            _numbers(memory["cells_kib"]),
            _numbers(memory["pages_kib"]),
        ),
    )


def _running(data: Mapping[str, Any]) -> Running:
    return Running(
        data["uuid"],
        data["name"],
        data["by_nova"],
        data["server"],
        {int(each): _pcpus(pcpus) for each, pcpus in data["vcpus"].items()},
        _pcpus(data["emulator"]),
        {int(each): _pcpus(pcpus)
         for each, pcpus in data["iothreads"].items()},
        data["memory_kib"],
        _pcpus(data["nodes"]),
        {int(cell): _parsed(nodes)
         for cell, nodes in data["cell_nodes"].items()},
        _numbers(data["cell_memory_kib"]),
        frozenset(data["page_sizes_kib"]),
    )


def _numbers(amounts: Mapping[str, int]) -> dict[int, int]:
    return {int(key): amount for key, amount in amounts.items()}
