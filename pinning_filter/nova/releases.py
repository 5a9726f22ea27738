"""What differs between the releases of Nova that are supported, 29 to 34.

The one place that knows them: everybody else asks here. Each difference says
with which release it can go, once no older one is supported. Looks for the
thing itself where it can, since distributions carry patches over.

Imports Nova only when asked: who runs Nova in its own process has to choose
between threads and eventlet before anything else of Nova is imported.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import warnings
from collections.abc import Iterator
from importlib import metadata
from typing import Any

#: The oldest release that is supported: 2024.1, Caracal.
OLDEST = 29

#: What the driver, its claims and the fit put themselves around.
_HOOKS = {
    "nova.virt.libvirt.driver:LibvirtDriver": (
        "_get_guest_xml",
        "_get_host_numa_topology",
        "_get_live_migrate_numa_info",
        "_init_host_topology",
        "get_available_resource",
        "init_host",
    ),
    "nova.virt.libvirt.host:Host": (
        "get_connection",
        "get_online_cpus",
        "list_guests",
    ),
    "nova.compute.claims:Claim": ("_test_numa_topology",),
    "nova.compute.resource_tracker:ResourceTracker": ("_update",),
    "nova.pci.stats:PciDeviceStats": ("apply_requests", "consume_requests"),
    "nova.virt.hardware:": ("numa_fit_instance_to_host",),
}


@functools.cache
def installed() -> str:
    """Nova's version, without importing it. Read from its files once."""
    return metadata.version("nova")


def major() -> int:
    """The release, as 31 for 31.3.1."""
    return int(installed().partition(".")[0])


def unfit_for_driver() -> str:
    """Why the driver cannot run on this Nova, in one line; empty if it can.

    Without one of its methods the driver would not fail: it would never be
    asked, and guests would be pinned as plain Nova pins them.
    """
    if major() < OLDEST:
        return f"Nova {OLDEST} or newer is needed, this is {installed()}"
    if missing := ", ".join(_missing()):
        return f"Nova {installed()} lacks {missing}"
    return ""


def _missing() -> Iterator[str]:
    for place, names in _HOOKS.items():
        module, _, owner = place.partition(":")
        thing = importlib.import_module(module)
        for name in names:
            if not hasattr(getattr(thing, owner) if owner else thing, name):
                yield ".".join(filter(None, (owner or module, name)))


# Differences of Nova itself.


def guest_iothreads() -> int:
    """How many I/O threads a guest is given. Goes with 32: always one."""
    from nova.virt.libvirt import config

    return int(hasattr(config, "LibvirtConfigGuestCPUTuneIOThreadPin"))


def locks_memory_by_machine_type() -> bool:
    """Whether Nova asks for it to lock memory. Goes with 33: it does."""
    from nova.virt import hardware

    asked = inspect.signature(hardware.get_locked_memory_constraint)
    return "mach_type" in asked.parameters


def forget_pci_aliases() -> None:
    """Have ``[pci] alias`` read anew. The question goes with 30."""
    from nova.pci import request

    if read := getattr(request, "get_alias_from_config", None):
        read.cache_clear()


def is_live_migratable(request: Any) -> bool:
    """Whether devices that a flavor asks for let a server migrate live.

    Never before 31.
    """
    asked = getattr(request, "is_live_migratable", None)
    return bool(asked and asked())


def claims_count_devices() -> bool:
    """Whether Nova's claim knows of devices where a guest asks for none.

    Before, host cells with few devices came first in the scheduler only
    (bug 2144660). Goes with 33: it does.
    """
    return major() >= 34


# How Nova's services run in a process, and in its test fixtures.

#: Nova's own switch between threads ("true") and eventlet ("false").
THREADS_SWITCH = "OS_NOVA_DISABLE_EVENTLET_PATCHING"


#: The first release all of whose services can run on threads.
THREADS_SINCE = 33

#: The first one whose own test fixtures can. Those of 33 find the test that a
#: notification belongs to by its green thread, and let threads share one
#: connection to SQLite.
THREADS_IN_FIXTURES_SINCE = 34


def choose_concurrency(threads_since: int = THREADS_SINCE) -> None:
    """Make Nova run on threads from a release on, and before on eventlet.

    To be called before anything of Nova is imported. What is in
    :data:`THREADS_SWITCH` already is left. The choice goes with 32, and all
    of this with eventlet itself.
    """
    threads = major() >= threads_since
    os.environ.setdefault(THREADS_SWITCH, str(threads).lower())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from nova import monkey_patch

        # Goes with 31, where the import alone is enough.
        if hasattr(monkey_patch, "patch"):
            monkey_patch.patch()


def reads_concurrency_early() -> bool:
    """Whether ``concurrency_backend`` is an option. Goes with 33: it is."""
    from nova import monkey_patch

    return hasattr(monkey_patch, "_get_concurrency_from_config")


def on_threads() -> bool:
    """Whether :func:`choose_concurrency` has chosen threads."""
    return os.environ.get(THREADS_SWITCH, "").lower() in ("1", "true", "yes")


def spawners() -> tuple[str, ...]:
    """What Nova starts background tasks with. Goes with 33: the first two."""
    if importlib.util.find_spec("nova.thread_pool_factory"):
        return (
            "nova.thread_pool_factory.spawn",
            "nova.thread_pool_factory.spawn_on",
        )
    from nova import utils

    return tuple(
        f"nova.utils.{name}"
        for name in ("spawn", "spawn_on", "spawn_n")
        if hasattr(utils, name)
    )


def fixtures_need_help() -> bool:
    """Whether Nova's test fixtures are not made for this. Goes with 33."""
    return on_threads() and major() < THREADS_IN_FIXTURES_SINCE
