"""Where everything of the lab is: folders, ports, names, switches.

Knows no service and starts nothing.
"""

import os
from pathlib import Path

#: The project's clone.
ROOT = Path(__file__).resolve().parent.parent
#: This package.
HERE = ROOT / "lab"
#: All that the lab writes.
RUN = HERE / "run"
#: Rendered configuration files.
ETC = RUN / "etc"
#: One log a step and one a service.
LOGS = RUN / "logs"
#: One file a running process.
PIDS = RUN / "pids"
#: Stamps of the steps that need not be done again.
DONE = RUN / "done"
#: The environment that the services run from.
VENV = RUN / "venv"
BIN = VENV / "bin"
#: What the private libvirtd sees as /run, /var/lib, /var/log, /var/cache and
#: /etc of libvirt.
LIBVIRT = RUN / "libvirt"
LIBVIRT_SOCKET = LIBVIRT / "run" / "libvirt-sock"
MYSQL_SOCKET = RUN / "mysql" / "sock"
#: The longest path that the kernel takes for a Unix socket.
SOCKET_PATH_MAX = 107

#: The services' usual ports and ten thousand, so that a cloud that is
#: already here is not met.
PORTS = {
    "keystone": 15000,
    "glance": 19292,
    "placement": 18778,
    "neutron": 19696,
    "nova": 18774,
    "amqp": 15672,
    "erlang": 35672,
    "epmd": 14369,
    "node-ssh": 10022,
    "node-2-ssh": 10023,
    "prometheus": 19090,
    "exporter": 19779,
}

#: Set in the environment of every process of the lab, to its RUN folder.
MARK = "PINNING_LAB"

REGION = "lab"
#: The one password; everything listens on loopback only.
PASSWORD = "lab"
#: The compute host that this machine is.
HOST = "lab-host"

LIBVIRT_URI = f"qemu+unix:///system?socket={LIBVIRT_SOCKET}"
#: The same libvirtd's other driver.
LXC_URI = f"lxc+unix:///system?socket={LIBVIRT_SOCKET}"


class LabError(Exception):
    """Something the reader can act on; printed without a traceback."""


def switch(name: str, *allowed: str) -> str:
    """A choice of the user's: the environment's, else the one made last.

    The first value allowed is the default.
    """
    kept = RUN / f"choice-{name}"
    value = os.environ.get(name) or (
        kept.read_text() if kept.exists() else allowed[0]
    )
    if value not in allowed:
        raise LabError(
            f"{name}={value!r}: allowed are {', '.join(allowed)}"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(value)
    return value


def check_machine() -> None:
    """Refuse what cannot work, before anything is changed."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root (mount namespace, libvirtd)")
    if not Path("/etc/debian_version").exists():
        raise LabError("the lab installs Debian packages: Debian 12 or 13")
    longest = len(str(LIBVIRT_SOCKET)) + len("-admin")
    if longest > SOCKET_PATH_MAX:
        raise LabError(
            f"the clone's path is {longest - SOCKET_PATH_MAX} characters "
            f"too long for a Unix socket below it: {LIBVIRT_SOCKET}"
        )
