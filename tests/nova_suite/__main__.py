"""Swap, then hand over to testtools. See the package."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pinning_filter.nova import releases
from tests.nova_suite import MODULES

# Before anything of Nova is imported, and as Nova's own fixtures need it.
releases.choose_concurrency(releases.THREADS_IN_FIXTURES_SINCE)

from pinning_filter.demo import locks  # noqa: E402


def prepare() -> None:
    """Make Nova's tests run from wheels, and on slow machines."""
    # Nova's fixtures look for it beside its package, where no wheel puts it.
    os.environ["OS_WSGI__API_PASTE_CONFIG"] = os.path.join(
        sys.prefix, "etc", "nova", "api-paste.ini"
    )
    os.environ.setdefault("OS_TEST_TIMEOUT", "300")
    locks.readers_first()
    logging.getLogger("nova.thread_pool_factory").setLevel(logging.WARNING)


def wait_longer() -> None:
    """Give a server a minute to become what a test waits for.

    Nova's tests give it five seconds, which a machine that does much else
    does not keep.
    """
    from nova.tests.functional import integrated_helpers

    helpers = integrated_helpers.InstanceHelperMixin
    wait = helpers._wait_for_server_parameter

    @functools.wraps(wait)
    def patiently(
        test: Any,
        server: Any,
        expected_params: Any,
        max_retries: int = 0,
        api: Any = None,
    ) -> Any:
        retries = max(max_retries, 120)  # half a second each
        return wait(test, server, expected_params, retries, api)

    helpers._wait_for_server_parameter = patiently


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


def main(arguments: list[str]) -> int:
    """Run the tests; 0 if all pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.nova_suite")
    parser.add_argument("--stock", action="store_true", help="Nova as it is")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("names", nargs="*", default=MODULES)
    asked = parser.parse_args(arguments)
    prepare()
    if not asked.stock:
        swap()
    wait_longer()
    from testtools import run

    result = run.TestProgram(
        argv=["tests.nova_suite", *asked.names],
        testRunner=functools.partial(
            run.TestToolsTestRunner, stdout=sys.stdout
        ),
        stdout=sys.stdout,
        exit=False,
    ).result
    if asked.json:
        asked.json.write_text(json.dumps(told(result)))
    return 0 if result.wasSuccessful() else 1


def told(result: Any) -> dict[str, Any]:
    """How many tests were run, and why any of them did not pass."""
    return {
        "run": result.testsRun,
        "skipped": [
            [test.id(), reason]
            for reason, tests in result.skip_reasons.items()
            for test in tests
        ],
        "failed": [
            [test.id(), text.strip().splitlines()[-1]]
            for test, text in (*result.failures, *result.errors)
        ],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
