"""Debian packages and the lab's Python environment.

The packages are the only thing that the lab changes outside its own folder,
and it lets none of them start a daemon.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import layout, steps

#: What Debian gives. Each is there in Debian 12 and 13.
PACKAGES = (
    "mariadb-server-core", "mariadb-client-core", "rabbitmq-server",
    "libvirt-daemon", "libvirt-daemon-driver-qemu",
    "libvirt-daemon-driver-lxc", "libvirt-clients",
    "qemu-system-x86", "qemu-utils", "seabios", "ipxe-qemu", "mount",
    # to build libvirt-python
    "libvirt-dev", "pkg-config", "gcc", "libc6-dev", "python3-dev",
    "python3-venv", "git",
)
#: libvirt's drivers that Debian 13 packages by themselves; Debian 12 has them
#: in libvirt-daemon.
DRIVERS = tuple(
    f"libvirt-daemon-driver-{name}"
    for name in ("interface", "network", "nodedev", "nwfilter", "secret",
                 "storage")
)
#: What PyPI gives, at the versions of CONSTRAINTS.
REQUIREMENTS = (
    "nova", "keystone", "glance", "neutron", "openstack-placement",
    "python-openstackclient", "osc-placement", "PyMySQL", "gunicorn",
    "libvirt-python", "lxml", "pytest",
)
#: LAB_NOVA -> the versions of a release of Nova, and of all beside it.
CONSTRAINTS = {
    "34": layout.HERE / "constraints.txt",
    "33": layout.HERE / "constraints-33.txt",
    "31": layout.HERE / "constraints-31.txt",
    "29": layout.HERE / "constraints-29.txt",
}
POLICY = Path("/usr/sbin/policy-rc.d")
PYTHON = "/usr/bin/python3"


def install() -> bool:
    """Everything that is installed; True if the project itself changed."""
    debian_packages(PACKAGES, DRIVERS)
    environment()
    return project()


def constraints() -> Path:
    """The versions of the release that LAB_NOVA names.

    Databases of one release are no use to another.
    """
    before = layout.RUN / "choice-LAB_NOVA"
    there = before.read_text() if before.exists() else next(iter(CONSTRAINTS))
    release = layout.switch("LAB_NOVA", *CONSTRAINTS)
    if release != there and (layout.RUN / "mysql").exists():
        before.write_text(there)
        raise layout.LabError(
            f"this is a lab of Nova {there}; make lab-clean removes it")
    return CONSTRAINTS[release]


def missing_packages(wanted: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed, in their order."""
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n",
         *wanted],
        capture_output=True, text=True, check=False,
    ).stdout
    there = {
        line.split()[0] for line in shown.splitlines()
        if line.endswith(" installed")
    }
    return [name for name in wanted if name not in there]


def known(names: Sequence[str]) -> list[str]:
    """Those that this release of Debian has."""
    shown = subprocess.run(
        ["apt-cache", "pkgnames", "libvirt-daemon-driver-"],
        capture_output=True, text=True, check=True,
    ).stdout.split()
    return [name for name in names if name in shown]


def debian_packages(
    wanted: Sequence[str], where_known: Sequence[str] = ()
) -> None:
    """Install what is missing, without starting any daemon."""
    missing = missing_packages(wanted)
    if not missing:
        return
    name = "Debian packages"

    def action() -> None:
        noninteractive = {"DEBIAN_FRONTEND": "noninteractive"}
        before = enabled_units()
        with no_daemons():
            steps.run(name, ["apt-get", "update", "-qq"])
            steps.run(
                name,
                ["apt-get", "install", "-y", "-qq",
                 "--no-install-recommends", *missing,
                 *known(where_known)],
                env=noninteractive,
            )
        for unit in sorted(enabled_units() - before):
            steps.run(name, ["systemctl", "disable", unit])

    steps.timed(name, action)


@contextlib.contextmanager
def no_daemons() -> Iterator[None]:
    """Forbid, through policy-rc.d, that packages start their daemons."""
    kept = POLICY.with_name("policy-rc.d.before-pinning-lab")
    if POLICY.exists():
        POLICY.rename(kept)
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if kept.exists():
            kept.rename(POLICY)


def enabled_units() -> set[str]:
    """The systemd units that start at boot; none without systemd."""
    if not Path("/run/systemd/system").exists():
        return set()
    shown = subprocess.run(
        ["systemctl", "list-unit-files", "--state=enabled", "--no-legend",
         "--plain"],
        capture_output=True, text=True, check=False,
    ).stdout
    return {line.split()[0] for line in shown.splitlines() if line.strip()}


ENVIRONMENT = "Python environment"


def environment() -> None:
    """The virtual environment with all of OpenStack."""
    name = ENVIRONMENT
    versions = constraints()
    key = steps.digest(versions, *REQUIREMENTS)

    def action() -> None:
        shutil.rmtree(layout.VENV, ignore_errors=True)
        steps.run(name, [PYTHON, "-m", "venv", layout.VENV])
        steps.run(name, pip("-U", "pip"))
        steps.run(name, pip("-c", versions, *REQUIREMENTS))
        (layout.DONE / PROJECT).unlink(missing_ok=True)

    steps.once(name, key, action)


PROJECT = "pinning-filter"


def project() -> bool:
    """This clone's pinning-filter; True if it was installed anew."""
    sources = sorted((layout.ROOT / "pinning_filter").rglob("*.py"))
    key = steps.digest(layout.ROOT / "pyproject.toml", *sources)

    def action() -> None:
        steps.run(PROJECT, [layout.BIN / "python", "-m", "pip", "uninstall",
                            "-q", "-y", PROJECT])
        # A version by itself, so that a clone without tags, or one that is
        # committed to meanwhile, can be installed.
        steps.run(PROJECT, pip("-c", constraints(), layout.ROOT),
                  env={"PBR_VERSION": "0+lab"})

    return steps.once(PROJECT, key, action)


def pip(*arguments: str | Path) -> list[str | Path]:
    """The command line of ``pip install`` in the lab's environment."""
    return [layout.BIN / "python", "-m", "pip", "install", "-q",
            "--disable-pip-version-check", *arguments]
