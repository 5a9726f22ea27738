"""The Placement API of a large cloud, for benchmarks of the commands.

Placement's own code on SQLite, with a provider for each compute node and an
allocation for each server of the Nova databases that ``large_cloud.py`` made,
served on a free port of this machine by a process of its own. Who asks is
taken for the administrator.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import os_resource_classes as orc
import sqlalchemy
from placement.db.sqlalchemy import models

_CLASSES = {
    name: orc.STANDARDS.index(name)
    for name in ("PCPU", "MEMORY_MB", "DISK_GB")
}
_TRAITS = ("HW_CPU_HYPERTHREADING", "COMPUTE_NODE")
_AT_ONCE = 5000


@contextlib.contextmanager
def running(folder: pathlib.Path) -> Iterator[list[str]]:
    """Serve it; the lines of nova.conf that lead there are yielded."""
    (folder / "placement.conf").write_text(
        "[placement_database]\n"
        f"connection = sqlite:///{folder}/placement.db\n"
        "[api]\nauth_strategy = noauth2\n"
        # A line for each question would be most of what is measured.
        "[DEFAULT]\ndefault_log_levels = placement=ERROR\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, folder],
        env={**os.environ, "OS_PLACEMENT_CONFIG_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=(folder / "placement.log").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise SystemExit((folder / "placement.log").read_text())
        yield [
            "[placement]",
            "auth_type = none",
            f"endpoint_override = http://127.0.0.1:{port}",
        ]
    finally:
        process.terminate()
        process.wait()


def _fill(folder: pathlib.Path) -> None:
    """What the compute nodes of Nova's database would have reported."""
    made = sqlalchemy.create_engine(f"sqlite:///{folder}/placement.db")
    nova_s = sqlalchemy.create_engine(f"sqlite:///{folder}/main.db")
    models.BASE.metadata.create_all(made)
    with nova_s.connect() as source, made.begin() as target:

        def insert(model: Any, rows: list[dict[str, Any]]) -> None:
            for start in range(0, len(rows), _AT_ONCE):
                target.execute(
                    model.__table__.insert(), rows[start : start + _AT_ONCE]
                )

        insert(models.Project, [{"id": 1, "external_id": "project"}])
        insert(models.User, [{"id": 1, "external_id": "user"}])
        insert(models.Trait, [
            {"id": number, "name": name}
            for number, name in enumerate(_TRAITS, 1)
        ])
        nodes = source.execute(sqlalchemy.text(
            "SELECT id, uuid, host, vcpus, memory_mb FROM compute_nodes"
        )).all()
        ids = {node.host: node.id for node in nodes}
        insert(models.ResourceProvider, [
            {"id": node.id, "uuid": node.uuid, "name": node.host,
             "generation": 1, "root_provider_id": node.id}
            for node in nodes
        ])
        insert(models.ResourceProviderTrait, [
            {"resource_provider_id": node.id, "trait_id": trait}
            for node in nodes
            for trait in range(1, len(_TRAITS) + 1)
        ])
        insert(models.Inventory, [
            {"resource_provider_id": node.id,
             "resource_class_id": _CLASSES[name], "total": total,
             "reserved": 0, "min_unit": 1, "max_unit": total, "step_size": 1,
             "allocation_ratio": 1.0}
            for node in nodes
            for name, total in (
                ("PCPU", node.vcpus), ("MEMORY_MB", node.memory_mb),
                ("DISK_GB", 1000),
            )
        ])
        servers = source.execute(sqlalchemy.text(
            "SELECT id, uuid, host, vcpus, memory_mb FROM instances"
        )).all()
        insert(models.Consumer, [
            {"id": server.id, "uuid": server.uuid, "project_id": 1,
             "user_id": 1, "generation": 1}
            for server in servers
        ])
        insert(models.Allocation, [
            {"resource_provider_id": ids[server.host],
             "consumer_id": server.uuid, "resource_class_id": _CLASSES[name],
             "used": used}
            for server in servers
            for name, used in (
                ("PCPU", server.vcpus), ("MEMORY_MB", server.memory_mb),
            )
        ])


def _serve(folder: pathlib.Path) -> None:
    # Nova brings it along; connections stay open, as behind a real server.
    import eventlet
    from eventlet import wsgi
    from placement.wsgi import init_application

    _fill(folder)
    application = init_application()
    token = f"admin:{uuid.uuid4()}"

    def as_admin(environ: dict[str, Any], start: Any) -> Any:
        environ["HTTP_X_AUTH_TOKEN"] = token
        return application(environ, start)

    socket = eventlet.listen(("127.0.0.1", 0))
    sys.stdout.write(f"{socket.getsockname()[1]}\n")
    sys.stdout.flush()
    wsgi.server(socket, as_admin, log_output=False)


if __name__ == "__main__":
    _serve(pathlib.Path(sys.argv[1]))
