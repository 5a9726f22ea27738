"""The services, in the order they start: command, environment, readiness.

:func:`prepare` makes what a service needs before its first start (schemas,
keys); :func:`all_daemons` is the table.
"""

import contextlib
import http.client
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab import config, install, layout, libvirt_ns, steps
from lab.process import Daemon

PYTHON = "/usr/bin/python3"
RABBIT_NODE = "pinning-lab@localhost"
#: What a service of nova logs once it serves.
JOINED = "Join ServiceGroup membership"


def control_files() -> list[str]:
    """The options that give nova's control services their files."""
    return config_files("nova.conf", "nova-control.conf")


def config_files(*names: str) -> list[str]:
    """``--config-file`` for each of the rendered files."""
    return [
        part for name in names
        for part in ("--config-file", str(layout.ETC / name))
    ]


def answers_http(port: int) -> Callable[[], bool]:
    """Whether something speaks HTTP at the port, whatever it says."""

    def ready() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()

    return ready


def accepts(port: int) -> Callable[[], bool]:
    """Whether something listens at the port of the loopback interface."""

    def ready() -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return ready


def accepts_at(path: Path) -> Callable[[], bool]:
    """Whether something listens at the Unix socket."""

    def ready() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0

    return ready


def logged(name: str, text: str) -> Callable[[], bool]:
    """Whether the service has logged the text since this call."""
    log = layout.LOGS / f"{name}.log"
    begin = log.stat().st_size if log.exists() else 0

    def ready() -> bool:
        with log.open("rb") as lines:
            lines.seek(begin)
            return text.encode() in lines.read()

    return ready


def mariadb() -> Daemon:
    """MariaDB on a socket of the lab's own."""
    return Daemon(
        "mariadb",
        ["mariadbd", f"--defaults-file={layout.ETC / 'mariadb.cnf'}"],
        ready=accepts_at(layout.MYSQL_SOCKET),
    )


def epmd() -> Daemon:
    """Erlang's port mapper, so that RabbitMQ starts none by itself."""
    port = layout.PORTS["epmd"]
    return Daemon(
        "epmd",
        ["epmd", "-address", "127.0.0.1", "-port", str(port)],
        ready=accepts(port),
    )


def rabbitmq() -> Daemon:
    """RabbitMQ under a node name and at ports of the lab's own."""
    home = layout.RUN / "rabbitmq"
    server = next(
        iter(sorted(Path("/usr/lib/rabbitmq/lib").glob(
            "rabbitmq_server-*/sbin/rabbitmq-server"))),
        Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
    )
    return Daemon(
        "rabbitmq",
        [str(server)],
        env={
            "HOME": str(home),
            "RABBITMQ_NODENAME": RABBIT_NODE,
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(layout.ETC / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_DIST_PORT": str(layout.PORTS["erlang"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(layout.PORTS["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        },
        ready=accepts(layout.PORTS["amqp"]),
        ready_seconds=400,
    )


def libvirtd() -> Daemon:
    """The private libvirtd in its mount namespace."""
    return Daemon(
        "libvirtd",
        ["unshare", "--mount", "--propagation", "private",
         PYTHON, "-m", "lab.libvirt_ns"],
        env={"PYTHONPATH": str(layout.ROOT)},
        ready=accepts_at(layout.LIBVIRT_SOCKET),
    )


def api(name: str, module: str, **env: str) -> Daemon:
    """One of the API services under gunicorn."""
    port = layout.PORTS[name]
    return Daemon(
        f"{name}-api",
        [str(layout.BIN / "gunicorn")],
        env={
            "GUNICORN_CMD_ARGS": f"-c {layout.HERE / 'wsgi.py'}",
            "LAB_PORT": str(port),
            "LAB_WSGI": f"{module}:application",
            "LAB_PYTHONPATH": str(layout.HERE),
            **env,
        },
        ready=answers_http(port),
    )


def keystone() -> Daemon:
    """The identity service."""
    return api("keystone", "keystone.wsgi.api",
               OS_KEYSTONE_CONFIG_DIR=str(layout.ETC))


def nova_service(name: str, label: str | None = None) -> Daemon:
    """nova-conductor or nova-scheduler."""
    label = label or name
    return Daemon(
        label,
        [str(layout.BIN / name), *control_files()],
        ready=logged(label, JOINED),
    )


def second_scheduler() -> Daemon:
    """Another nova-scheduler, under a host name of its own."""
    return Daemon(
        "nova-scheduler-2",
        [str(layout.BIN / "nova-scheduler"), *control_files(),
         *config_files("nova-second.conf")],
        ready=logged("nova-scheduler-2", JOINED),
    )


def nova_compute() -> Daemon:
    """nova-compute with the driver that LAB_COMPUTE names."""
    command = {"pinning": "nova-compute-pinning", "stock": "nova-compute"}
    return Daemon(
        "nova-compute",
        [str(layout.BIN / command[config.compute()]),
         *config_files("nova.conf", "nova-compute.conf")],
        ready=logged("nova-compute", JOINED),
    )


def data_services() -> list[Daemon]:
    """What everything else stands on."""
    return [mariadb(), epmd(), rabbitmq(), libvirtd()]


def cloud_services() -> list[Daemon]:
    """OpenStack itself, keystone already serving."""
    # The first file is the paste configuration, whatever nova.conf says.
    paste = layout.VENV / "etc" / "nova" / "api-paste.ini"
    nova_files = f"{paste};nova.conf;nova-control.conf"
    return [
        api("glance", "glance.wsgi.api", OS_GLANCE_CONFIG_DIR=str(layout.ETC)),
        api("placement", "placement.wsgi.api",
            OS_PLACEMENT_CONFIG_DIR=str(layout.ETC)),
        api("neutron", "neutron_wsgi",
            OS_NEUTRON_CONFIG_DIR=str(layout.ETC),
            OS_NEUTRON_CONFIG_FILES="neutron.conf"),
        nova_service("nova-conductor"),
        nova_service("nova-scheduler"),
        api("nova", "nova.wsgi.osapi_compute",
            OS_NOVA_CONFIG_DIR=str(layout.ETC),
            OS_NOVA_CONFIG_FILES=nova_files,
            # Before 32 it would put eventlet under gunicorn's threads.
            OS_NOVA_DISABLE_EVENTLET_PATCHING="true"),
        nova_compute(),
    ]


def all_daemons() -> list[Daemon]:
    """Every service, in the order they start."""
    return [*data_services(), keystone(), *cloud_services()]


def prepare_data() -> None:
    """What the data services need before they start."""
    folders = [layout.RUN / name for name in (
        "rabbitmq", "mysql", "keystone", "glance/images", "glance/staging",
        "glance/tasks", "neutron", "lock", "nova/instances", "home",
    )]
    for folder in (*folders, layout.LIBVIRT / "etc"):
        folder.mkdir(parents=True, exist_ok=True)
    (layout.RUN / "rabbitmq" / "plugins").write_text("[].\n")
    (layout.LIBVIRT / "etc" / "qemu.conf").write_text(
        (layout.ETC / "qemu.conf").read_text())
    make_mount_points()

    def database_files() -> None:
        steps.run("MariaDB files", [
            "mariadb-install-db", "--no-defaults", "--user=root",
            "--auth-root-authentication-method=normal", "--skip-test-db",
            f"--datadir={layout.RUN / 'mysql' / 'data'}",
        ])

    steps.once("MariaDB files", "1", database_files)


#: The folders outside the lab's own that were not there before it.
MADE = layout.RUN / "made-outside"


def make_mount_points() -> None:
    """Make the empty folders that libvirtd's own are mounted over."""
    points = list(libvirt_ns.FOLDERS.values())
    cgroups = [
        group / "machine"
        for group in Path("/sys/fs/cgroup").glob("*/")
    ]
    if not MADE.exists():
        MADE.write_text("".join(
            f"{folder}\n" for folder in (*points, *cgroups)
            if not folder.exists()
        ))
    for point in points:
        point.mkdir(parents=True, exist_ok=True)


def remove_mount_points() -> None:
    """Remove what was not there before the lab, where it is empty."""
    if not MADE.exists():
        return
    for line in MADE.read_text().splitlines():
        # Not empty means that somebody else uses it by now: it stays.
        with contextlib.suppress(OSError):
            Path(line).rmdir()
    MADE.unlink()


def prepare_cloud() -> None:
    """Schemas, keys and the first user; MariaDB serves already."""
    key = steps.digest(install.constraints())
    keystone_files = config_files("keystone.conf")
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    neutron = ["neutron-db-manage", *config_files("neutron.conf")]
    nova = ["nova-manage", *control_files()]
    url = f"http://127.0.0.1:{layout.PORTS['keystone']}/v3"
    table: dict[str, list[list[str]]] = {
        "keystone schema": [
            ["keystone-manage", *keystone_files, "db_sync"],
            ["keystone-manage", *keystone_files, "fernet_setup", *owner],
            ["keystone-manage", *keystone_files, "credential_setup", *owner],
            ["keystone-manage", *keystone_files, "bootstrap",
             "--bootstrap-password", layout.PASSWORD,
             "--bootstrap-region-id", layout.REGION,
             "--bootstrap-public-url", url,
             "--bootstrap-internal-url", url],
        ],
        "placement schema": [
            ["placement-manage", *config_files("placement.conf"),
             "db", "sync"]],
        "glance schema": [
            ["glance-manage", *config_files("glance-api.conf"), "db_sync"]],
        "neutron schema": [[*neutron, "upgrade", "heads"]],
        "nova schema": [
            [*nova, "api_db", "sync"],
            [*nova, "cell_v2", "map_cell0", "--database_connection",
             config.database("nova_cell0")],
            [*nova, "db", "sync"],
            ["sh", "-c", '"$@" || test $? = 2', "sh",
             *nova, "cell_v2", "create_cell", "--name", "lab"],
        ],
    }
    for name, commands in table.items():
        steps.once(name, key, lambda n=name, c=commands: [
            steps.run(n, command) for command in c])


def map_hosts() -> None:
    """Tell nova's API of computes that it has not seen yet."""
    steps.run("map hosts", [
        "nova-manage", *control_files(), "cell_v2", "discover_hosts"])


def domains() -> list[str]:
    """The names of the libvirt domains that run."""
    shown = subprocess.run(
        ["virsh", "-c", layout.LIBVIRT_URI, "list", "--name"],
        capture_output=True, text=True, check=True,
    ).stdout
    return shown.split()
