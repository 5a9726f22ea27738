"""Nova's services in this process: how they start, and how they stop.

Between :mod:`~pinning_filter.demo.cloud`, which is for whoever uses a cloud,
and Nova's own test fixtures, which run API, conductor, scheduler, Placement
API and computes on SQLite.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pathlib
import pkgutil
import queue
import sys
from collections.abc import Callable
from concurrent import futures
from typing import Any
from unittest import mock

import fixtures
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import base

from pinning_filter.compute import launcher
from pinning_filter.demo import locks
from pinning_filter.demo.machine import Connection, machine_of
from pinning_filter.kernel.files import Roots
from pinning_filter.nova import releases

#: The filter of this project, as ``enabled_filters`` names it.
OURS = "PinningFilter"
#: The filter that Nova brings.
STOCK = "NUMATopologyFilter"

#: The compute driver of this project, and the one that Nova brings.
OUR_DRIVER = "pinning.PinningLibvirtDriver"
STOCK_DRIVER = "libvirt.LibvirtDriver"

_ALL_OF_NOVAS = "nova.scheduler.filters.all_filters"
_OUR_CLASS = "pinning_filter.scheduler.filter.PinningFilter"
_TIMEOUT_SECONDS = 120


class Services(base.ServersTestBase):
    """Nova's own start and stop, borrowed from its test class.

    Only ``setUp`` and ``doCleanups`` are ever called; nothing is a test.
    """

    def __init__(self, numa_filter: str) -> None:
        super().__init__()
        self._numa_filter = numa_filter
        self._tasks: queue.SimpleQueue[futures.Future[Any]] = (
            queue.SimpleQueue()
        )
        #: What computes run that are not told otherwise.
        self.driver = OUR_DRIVER if numa_filter == OURS else STOCK_DRIVER

    def runTest(self) -> None:
        """Nothing: unittest insists on a method."""

    def setUp(self) -> None:
        locks.readers_first()
        launcher.register()
        if releases.fixtures_need_help():
            self._until_the_end(
                locks.one_transaction_at_a_time(),
                mock.patch(*_WHOSE_NOTIFICATION),
            )
        super().setUp()
        self._until_the_end(*itertools.starmap(mock.patch, _STUBS.items()))
        # However busy the machine, no reason is left out for want of time.
        self.useFixture(
            fixtures.MonkeyPatch(
                "pinning_filter.scheduler.no_valid_host.TIMEOUT", 60
            )
        )
        for name in releases.spawners():
            self.useFixture(
                fixtures.MonkeyPatch(
                    name, self._noting(pkgutil.resolve_name(name))
                )
            )

    def _until_the_end(
        self, *changes: contextlib.AbstractContextManager[Any]
    ) -> None:
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for change in changes:
            stack.enter_context(change)

    def _noting(self, spawn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(spawn)
        def spawn_and_note(*args: Any, **kwargs: Any) -> Any:
            task: futures.Future[Any] = futures.Future()
            self._tasks.put(task)
            # Where to run it may come before what to run.
            at = next(at for at, arg in enumerate(args) if callable(arg))
            noted = _telling(args[at], task)
            return spawn(*args[:at], noted, *args[at + 1 :], **kwargs)

        return spawn_and_note

    def finish(self) -> None:
        """Wait for whatever Nova does in the background."""
        while not self._tasks.empty():
            self._tasks.get().result(_TIMEOUT_SECONDS)

    def _setup_services(self) -> None:
        # Nova looks for it beside its package, where no wheel puts it.
        self.flags(
            group="wsgi",
            api_paste_config=os.path.join(
                sys.prefix, "etc", "nova", "api-paste.ini"
            ),
        )
        self.flags(group="quota", cores=-1, instances=-1, ram=-1)
        super()._setup_services()

    def _setup_scheduler_service(self) -> Any:
        self.flags(
            group="filter_scheduler",
            available_filters=[_ALL_OF_NOVAS, _OUR_CLASS],
            enabled_filters=["ComputeFilter", self._numa_filter],
            # The host with the most memory, so that it is always the same.
            weight_classes=["nova.scheduler.weights.ram.RAMWeigher"],
        )
        return self.start_service("scheduler")

    def _get_connection(
        self, host_info: Any = None, *args: Any, hostname: Any = None, **_: Any
    ) -> Connection:
        return Connection(
            "qemu:///system",
            version=fakelibvirt.FAKE_LIBVIRT_VERSION,
            hv_version=fakelibvirt.FAKE_QEMU_VERSION,
            host_info=host_info,
            hostname=hostname or (args[-1] if args else None),
        )


def _telling(
    function: Callable[..., Any], task: futures.Future[Any]
) -> Callable[..., Any]:
    """A function that tells how it ended: green threads do not all do so."""

    @functools.wraps(function)
    def call_and_tell(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            task.set_exception(error)
            raise
        task.set_result(result)
        return result

    return call_and_tell


#: Every notification is of the one Nova that runs.
_WHOSE_NOTIFICATION: tuple[str, Any] = (
    "nova.tests.fixtures.notifications.FakeVersionedNotifier"
    "._get_sender_test_case_id",
    lambda notifier: notifier.test_case_id,
)

#: One nova.conf serves all computes, so each answers for itself.
_STUBS: dict[str, Any] = {
    "nova.virt.libvirt.host.Host.get_online_cpus": (
        lambda host: set(machine_of(host).pcpus)
    ),
    "nova.virt.libvirt.driver.LibvirtDriver._get_pcpu_available": (
        lambda driver: set(machine_of(driver._host).dedicated)
    ),
    "nova.virt.libvirt.driver.LibvirtDriver._get_vcpu_available": (
        lambda driver: set(machine_of(driver._host).shared)
    ),
    # And this machine's kernel is none of theirs.
    "pinning_filter.compute.watch.HERE": Roots(
        *itertools.repeat(pathlib.Path(os.devnull), len(Roots._fields))
    ),
    # Nova runs "uptime", which a machine with little installed has not.
    "nova.virt.libvirt.driver.LibvirtDriver.get_host_uptime": (
        lambda driver: "up 1 day"
    ),
}
