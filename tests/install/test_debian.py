"""Debian 13's own packages, and ours beside them as install.rst says.

``make install-debian`` makes a Debian in ``build/debian`` (root, a few
minutes the first time), lets pip install this clone there, and starts
nova-conductor, nova-scheduler and nova-compute as Debian's units do, with
MariaDB, RabbitMQ, libvirt and the Placement API of their own, in namespaces of
their own. ``debian/inside.py`` is what runs there.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.install import ini

HERE = Path(__file__).parent
TOP = HERE.parents[1]
BUILD = TOP / "build" / "debian"
#: What Debian gives; it is made anew when this changes.
TARBALL = BUILD / "trixie.tar"
PACKAGES = (
    # Nova, and what install.rst asks for.
    "nova-conductor", "nova-scheduler", "nova-compute", "nova-compute-qemu",
    "python3-pip", "python3-pbr", "python3-setuptools",
    "python3-cliff", "python3-fastjsonschema", "python3-rich",
    # What they stand on.
    "placement-api", "mariadb-server-core", "mariadb-client-core",
    "rabbitmq-server", "libvirt-daemon-system", "iproute2",
)
ROOT = BUILD / "root"
LOGS = ROOT / "var" / "log" / "nova"
SOURCE = "usr/src/pinning_filter"

pytestmark = [
    pytest.mark.skipif(
        "PINNING_DEBIAN_TEST" not in os.environ,
        reason="make install-debian runs it"),
    pytest.mark.skipif(os.geteuid() != 0, reason="it needs root"),
    pytest.mark.skipif(
        not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed"),
]


@pytest.fixture(scope="module")
def answers():
    """What the services in the chroot said; their logs are in LOGS."""
    debian()
    install()
    configure()
    subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net",
         "--uts", "--ipc", "chroot", ROOT, "bash", "-ec", """
            mount -t proc proc /proc
            mount -t sysfs -o ro sysfs /sys
            mount -t tmpfs tmpfs /run
            mkdir -m 1777 /run/lock
            for project in nova lock/nova; do
                install -d -o nova -g nova "/run/$project"
            done
            # Waits, and so takes care of whoever loses a parent.
            python3 "$0/tests/install/debian/inside.py" &
            wait $!
         """, f"/{SOURCE}"],
        # Not this process's: it may have chosen threads for Nova.
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        check=True, timeout=3600, stdin=subprocess.DEVNULL)
    return json.loads((LOGS / "answers.json").read_text())


def debian():
    """Debian, as it is before anything of ours is there."""
    wanted = BUILD / "packages"
    if not wanted.exists() or wanted.read_text() != repr(PACKAGES):
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["mmdebstrap", "--mode=root", "--variant=minbase",
             "--dpkgopt=force-unsafe-io",
             *(f"--dpkgopt=path-exclude=/usr/share/{each}/*"
               for each in ("doc", "man", "locale")),
             f"--include={','.join(PACKAGES)}", "trixie", TARBALL],
            check=True)
        wanted.write_text(repr(PACKAGES))
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    subprocess.run(["tar", "-xf", TARBALL, "-C", ROOT, "--numeric-owner"],
                   check=True)


def install():
    """This clone, by install.rst's command."""
    there = ROOT / SOURCE
    files = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], cwd=TOP, text=True).split("\0")
    for name in filter(None, files):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, there / name)
    subprocess.run(
        ["chroot", ROOT, "sh", "-ec", f"cd /{SOURCE}; PBR_VERSION=0+debian "
         "python3 -m pip install --quiet --root-user-action=ignore --no-deps "
         "--no-build-isolation --break-system-packages ."],
        check=True)


def configure():
    """The lines and files that install.rst and compute.rst name."""
    etc = ROOT / "etc"
    with (etc / "nova/nova.conf").open("a") as file:
        file.write((HERE / "debian/nova.conf").read_text())
    with (etc / "placement/placement.conf").open("a") as file:
        file.write((HERE / "debian/placement.conf").read_text())
    (etc / "nova/nova.conf.d").mkdir(exist_ok=True)
    shutil.copy(TOP / "etc/nova.conf.d/pinning_filter.conf",
                etc / "nova/nova.conf.d")
    compute = etc / "nova/nova-compute.conf"
    assert ini.read(compute)["DEFAULT"] == {
        "compute_driver": ["libvirt.LibvirtDriver"]}
    compute.write_text(compute.read_text().replace(
        "libvirt.LibvirtDriver", "pinning.PinningLibvirtDriver"))
    with (etc / "default/nova-compute").open("a") as file:
        file.write("DAEMON=/usr/local/bin/nova-compute-pinning\n")


def said(service):
    return (LOGS / f"nova-{service}.log").read_text()


def test_nova_scheduler_starts_with_filter_and_weigher(answers):
    assert "PinningFilter 0+debian is on" in said("scheduler")
    assert "PinningWeigher 0+debian is on" in said("scheduler")


def test_nova_compute_starts_with_the_driver(answers):
    assert "PinningLibvirtDriver 0+debian is on" in said("compute")
    assert answers["stats"]["pinning_filter"] == "0+debian"


def test_a_pinned_guest_that_fits_gets_the_host(answers):
    assert answers["2"] == "debian"


def test_one_that_does_not_is_told_why(answers):
    assert answers["16"] == (
        "No valid host was found. No host can take 16 pinned vCPUs in one "
        "NUMA cell: 16 PCPU are needed on one host, 1 host has 2 even when "
        "empty.")
