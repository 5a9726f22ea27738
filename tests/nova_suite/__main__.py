"""Swap, then hand over to testtools. See the package."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from pinning_filter.demo import locks

MODULES = (
    "nova.tests.functional.libvirt.test_numa_servers",
    "nova.tests.functional.libvirt.test_numa_live_migration",
    "nova.tests.functional.libvirt.test_rt_servers",
    "nova.tests.functional.libvirt.test_pci_sriov_servers",
    "nova.tests.functional.libvirt.test_pci_in_placement",
    "nova.tests.functional.libvirt.test_live_migration",
    "nova.tests.functional.libvirt.test_evacuate",
)


def prepare() -> None:
    """Make Nova's tests run from wheels, and on slow machines."""
    # Nova's fixtures look for it beside its package, where no wheel puts it.
    os.environ["OS_WSGI__API_PASTE_CONFIG"] = os.path.join(
        sys.prefix, "etc", "nova", "api-paste.ini"
    )
    os.environ.setdefault("OS_TEST_TIMEOUT", "300")
    locks.readers_first()
    logging.getLogger("nova.thread_pool_factory").setLevel(logging.WARNING)


def swap() -> None:
    """Put our filter, fit and driver where Nova's tests will find them.

    The tests enable ``NUMATopologyFilter`` by name, and watch whether the
    ``host_passes`` of that class is called; so ours goes by that name, in
    that module, and is asked host by host. They configure
    ``libvirt.LibvirtDriver``, and some look at the CPU topology that Nova
    writes.
    """
    from nova.scheduler import filters
    from nova.scheduler.filters import numa_topology_filter
    from nova.virt import libvirt
    from oslo_config import cfg

    from pinning_filter import opts
    from pinning_filter.compute import driver
    from pinning_filter.nova import fit as nova_fit
    from pinning_filter.scheduler.filter import PinningFilter

    numa_topology_filter.NUMATopologyFilter = type(
        "NUMATopologyFilter",
        (PinningFilter,),
        {"filter_all": filters.BaseHostFilter.filter_all},
    )
    nova_fit.numa_fit_instance_to_host = logged(
        nova_fit.numa_fit_instance_to_host
    )
    libvirt.LibvirtDriver = driver.PinningLibvirtDriver
    cfg.set_defaults(opts.OPTIONS, guest_cpu_topology="nova")
    nova_fit.install()


def logged(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Log a fit as Nova's does: a test reads there which pCPU was free."""
    log = logging.getLogger("nova.virt.hardware")

    @functools.wraps(fit)
    def fit_and_log(host: Any, *args: Any, **kwargs: Any) -> Any:
        fitted = fit(host, *args, **kwargs)
        host_cells = {cell.id: cell for cell in host.cells} if host else {}
        for cell in fitted.cells if fitted else ():
            cores = host_cells[cell.id].free_siblings
            log.info(
                "Computed NUMA topology CPU pinning: usable pCPUs: %s, "
                "vCPUs mapping: %s",
                [list(free) for free in cores if free],
                list((cell.cpu_pinning or {}).items()),
            )
        return fitted

    return fit_and_log


def main(arguments: list[str]) -> None:
    """Run the tests; exits with 0 if all pass."""
    stock = "--stock" in arguments
    names = [name for name in arguments if name != "--stock"] or MODULES
    prepare()
    if not stock:
        swap()
    from testtools import run

    run.main(["tests.nova_suite", *names], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
