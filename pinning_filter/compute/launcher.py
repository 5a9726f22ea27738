"""``nova-compute-pinning``: nova-compute, with our driver within its reach.

Nova imports ``[DEFAULT] compute_driver`` from below ``nova.virt`` and from
nowhere else, so the driver's module is put there before Nova's own main runs.
Options, signals and exit status are nova-compute's, and so are the
configuration files that it finds by itself, ``nova-compute.conf`` among them.
"""

from __future__ import annotations

import pathlib
import sys

#: With this name, ``compute_driver = pinning.PinningLibvirtDriver`` is found.
MODULE = "nova.virt.pinning"


def main() -> None:
    """Run nova-compute."""
    # Configuration files have the program's name, and Nova 34 looks into one
    # as soon as it is imported, for [DEFAULT] concurrency_backend.
    sys.argv[0] = str(pathlib.Path(sys.argv[0]).with_name("nova-compute"))
    # First of all imports: it chooses between threads and eventlet, and
    # eventlet has to come before whatever it replaces.
    from nova.cmd import compute

    from pinning_filter.nova import releases

    if reason := releases.unfit_for_driver():
        sys.exit(f"nova-compute-pinning: {reason}")
    register()
    compute.main()


def register() -> None:
    """Make ``compute_driver = pinning.PinningLibvirtDriver`` importable."""
    from pinning_filter.compute import driver

    sys.modules[MODULE] = driver
