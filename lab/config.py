"""Render the files of ``lab/templates`` into ``lab/run/etc``.

The templates are plain files with ``$name`` where the lab decides
(:class:`string.Template`); a literal dollar is written ``$$``.
"""

from pathlib import Path
from string import Template

from lab import host, layout, node_layout

TEMPLATES = layout.HERE / "templates"

#: The scheduler's and the compute's parts for each value of LAB_SCHEDULER
#: and LAB_COMPUTE.
FILTERS = {
    "pinning": (
        "available_filters = "
        "pinning_filter.scheduler.filter.PinningFilter\n",
        "PinningFilter",
        ",pinning_filter.scheduler.weigher.PinningWeigher",
    ),
    "stock": ("", "NUMATopologyFilter", ""),
}
DRIVERS = {
    "pinning": "pinning.PinningLibvirtDriver",
    "stock": "libvirt.LibvirtDriver",
}


#: ``[libvirt] virt_type`` -> its libvirt.
LIBVIRT_URIS = {"qemu": layout.LIBVIRT_URI, "lxc": layout.LXC_URI}


#: Where our filter counts what it refuses, for Prometheus.
COUNTERS = (
    f"[pinning_filter]\ncounters_directory = {layout.RUN / 'counters'}"
)


def database(name: str) -> str:
    """The SQLAlchemy URL of one of the lab's databases."""
    return (
        f"mysql+pymysql://root@localhost/{name}?charset=utf8mb4"
        f"&unix_socket={layout.MYSQL_SOCKET}"
    )


def scheduler() -> str:
    """LAB_SCHEDULER: whose filter decides."""
    return layout.switch("LAB_SCHEDULER", "pinning", "stock")


def compute() -> str:
    """LAB_COMPUTE: whose driver nova-compute runs."""
    return layout.switch("LAB_COMPUTE", "pinning", "stock")


def values(**changes: str) -> dict[str, str]:
    """Every name that a template may use."""
    view = host.load()
    available, enabled, weighers = FILTERS[scheduler()]
    return {
        "root": str(layout.ROOT),
        "run": str(layout.RUN),
        "etc": str(layout.ETC),
        "bin": str(layout.BIN),
        "venv_etc": str(layout.VENV / "etc"),
        "password": layout.PASSWORD,
        "region": layout.REGION,
        "host": layout.HOST,
        "my_ip": "127.0.0.1",
        "api": "127.0.0.1",
        "log_lines": "debug = true",
        "virt_type": view.virt_type,
        "libvirt_uri": LIBVIRT_URIS[view.virt_type],
        "available_filters": available,
        "enabled_filter": enabled,
        "weighers": weighers,
        "counters": COUNTERS if scheduler() == "pinning" else "",
        "compute_driver": DRIVERS[compute()],
        "dedicated": view.dedicated,
        "shared_line": f"cpu_shared_set = {view.shared}"
        if view.shared else "",
        "power_line": "",
        "migration_lines": "",
        # libvirt's own.
        "first_port": "49152",
        "last_port": "49215",
        **{f"{name}_port": str(port) for name, port in layout.PORTS.items()},
        **{
            f"{name}_db": database(name)
            for name in ("keystone", "glance", "placement", "neutron",
                         "nova_api", "nova_cell0", "nova")
        },
        **changes,
    }


def render() -> None:
    """Write every template with its values."""
    write(layout.ETC, sorted(TEMPLATES.iterdir()), values())


#: What the second compute node has of the templates.
NODE_FILES = ("libvirtd.conf", "nova-compute.conf", "nova.conf", "qemu.conf")


def render_node(
    folder: Path,
    node: node_layout.Node = node_layout.FIRST,
    *,
    dedicated: str = node_layout.DEDICATED,
    shared: str = node_layout.SHARED,
    power: bool = False,
) -> None:
    """Write an emulated compute node's files, for the paths within it."""
    known = values(
        host=node.name,
        my_ip=node_layout.ADDRESS,
        api=node_layout.HOST_ADDRESS,
        # Every line costs there, where each instruction is emulated; these
        # tell when it serves.
        log_lines="default_log_levels = nova.service=DEBUG",
        virt_type="qemu",
        libvirt_uri="qemu:///system",
        dedicated=dedicated,
        shared_line=f"cpu_shared_set = {shared}" if shared else "",
        power_line="cpu_power_management = true" if power else "",
        migration_lines=migration_lines(node),
        first_port=str(node.migration_ports[0]),
        last_port=str(node.migration_ports[-1]),
    )
    write(folder, [TEMPLATES / name for name in NODE_FILES], known)


def migration_lines(node: node_layout.Node) -> str:
    """Where the node's servers go, and how others come: through this machine.

    libvirt talks to libvirt over ssh, QEMU to QEMU at ports of their own.
    """
    port = node_layout.peer(node).ssh_port
    return (
        f"live_migration_uri = qemu+ssh://root@%s:{port}/system"
        f"?keyfile={node_layout.KEY}&no_verify=1&no_tty=1\n"
        f"live_migration_inbound_addr = {node_layout.HOST_ADDRESS}"
    )


def write(
    folder: Path, templates: list[Path], known: dict[str, str]
) -> None:
    """Write templates with these values, where that changes anything."""
    folder.mkdir(parents=True, exist_ok=True)
    for template in templates:
        text = Template(template.read_text()).substitute(known)
        target = folder / template.name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
