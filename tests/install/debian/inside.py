"""Within the chroot: what Nova stands on, Nova, and a question to it.

Run by root, as ``inside.py``, in namespaces of its own, with Debian's Python.
What Nova says is in ``/var/log/nova``, the answers are in ``answers.json``
there.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LOGS = Path("/var/log/nova")
#: Seconds that one thing may take on a machine that does others, too.
PATIENCE = 600
NOVA = ("nova-conductor", "nova-scheduler", "nova-compute")
#: What a service of Nova logs once it serves.
SERVES = "Join ServiceGroup membership"
DATABASES = ("placement", "nova_api", "nova", "nova_cell0")
PLACEMENT = (
    "from wsgiref.simple_server import make_server;"
    "from placement.wsgi.api import application;"
    "make_server('127.0.0.1', 8778, application).serve_forever()"
)


def main() -> None:
    """All of it, in order."""
    Path("/etc/hosts").write_text("127.0.0.1 localhost debian\n")
    socket.sethostname("debian")
    run("ip", "link", "set", "lo", "up")
    data_services()
    schemas()
    start("placement", "python3", "-c", PLACEMENT)
    until("the Placement API", lambda: accepts(8778))
    for name in NOVA:
        # As Debian's systemd unit has it.
        start(name, f"/etc/init.d/{name}", "systemd-start", user="nova")
    for name in NOVA:
        log = LOGS / f"{name}.log"
        until(name, lambda log=log: log.exists() and SERVES in log.read_text())
    run("nova-manage", "cell_v2", "discover_hosts", user="nova")
    run("python3", Path(__file__).with_name("ask.py"), user="nova")


def data_services() -> None:
    """MariaDB, RabbitMQ and libvirt."""
    Path("/run/mariadb").mkdir(exist_ok=True)
    data = "--datadir=/var/lib/mysql"
    run("mariadb-install-db", "--user=root", "--skip-test-db", data)
    start("mariadb", "mariadbd", "--user=root", data, "--skip-grant-tables",
          "--skip-networking", "--socket=/run/mariadb/sock")
    start("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server",
          user="rabbitmq", RABBITMQ_NODENAME="rabbit@localhost")
    # Instead of polkit: who is in the group may ask.
    with open("/etc/libvirt/libvirtd.conf", "a") as file:
        file.write('unix_sock_group = "libvirt"\nauth_unix_rw = "none"\n'
                   'unix_sock_rw_perms = "0770"\n')
    start("virtlogd", "virtlogd")
    start("libvirtd", "libvirtd")
    until("MariaDB", Path("/run/mariadb/sock").exists)
    until("RabbitMQ", lambda: accepts(5672))
    until("libvirt", Path("/run/libvirt/libvirt-sock").exists)


def schemas() -> None:
    """The databases, and one cell."""
    run("mariadb", "--socket=/run/mariadb/sock", "-e",
        "".join(f"CREATE DATABASE {name};" for name in DATABASES))
    run("placement-manage", "db", "sync")
    for command in ("api_db sync", "cell_v2 map_cell0", "db sync",
                    "cell_v2 create_cell --name cell1"):
        run("nova-manage", *command.split(), user="nova")


def run(*command: str | Path, user: str = "root") -> None:
    """Run to its end; raises if that is not a good one."""
    print("+", *command, flush=True)
    subprocess.run([*become(user), *command], check=True)


def start(name: str, *command: str, user: str = "root", **env: str) -> None:
    """Start what goes on running; it ends with the namespace."""
    print("+", *command, "&", flush=True)
    with open(f"/var/log/{name}.out", "w") as out:
        subprocess.Popen(
            [*become(user), *command],
            env=os.environ | {"HOME": f"/var/lib/{user}"} | env,
            stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def become(user: str) -> tuple[str, ...]:
    """What a command begins with, to be run by the user."""
    if user == "root":
        return ()
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")


def accepts(port: int) -> bool:
    """Whether something listens at the port."""
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(what: str, there: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not start in {PATIENCE} s")
        time.sleep(1)


if __name__ == "__main__":
    main()
