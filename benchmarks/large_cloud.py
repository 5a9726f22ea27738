"""A large cloud in Nova's own databases, for benchmarks of the commands.

SQLite databases of a nova.conf, made by Nova's own migrations, with compute
nodes that pinned guests came to and partly left again. Nothing runs.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import random
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from nova import conf, objects
from nova.db import migration
from nova.db.api import api as api_db
from nova.db.api import models as api_models
from nova.db.main import api as main_db
from nova.db.main import models
from nova.virt import hardware

from pinning_filter.core import usage
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.core.synthetic import host as synthetic_host
from pinning_filter.nova import guest_topology

SHAPE = "cell:2(memory=256GiB) core:16 pu:2"
DEDICATED = {"hw:cpu_policy": "dedicated"}
MIB_PER_VCPU = 4096
#: Name -> vCPUs, further extra specs.
FLAVORS: dict[str, tuple[int, dict[str, str]]] = {
    "pinned.2": (2, {}),
    "pinned.4": (4, {}),
    "pinned.8.require": (8, {"hw:cpu_thread_policy": "require"}),
    "pinned.16": (16, {}),
    "pinned.24.2-cells": (24, {"hw:numa_nodes": "2"}),
}
_MOST_GUESTS = 14
#: The share of guests that have left.
_GONE = 0.35
_NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
#: Rows written at a time.
_AT_ONCE = 500


def make(folder: pathlib.Path, hosts: int, seed: int = 1) -> pathlib.Path:
    """Make the cloud.

    :returns: its nova.conf.
    """
    file = folder / "nova.conf"
    file.write_text(
        # Services stay up for as long as the benchmark takes.
        "[DEFAULT]\nservice_down_time = 100000\n"
        f"[api_database]\nconnection = sqlite:///{folder}/api.db\n"
        f"[database]\nconnection = sqlite:///{folder}/main.db\n"
        "[placement]\nauth_type = none\n"
    )
    conf.CONF([], project="nova", default_config_files=[str(file)])
    main_db.configure(conf.CONF)
    api_db.configure(conf.CONF)
    objects.register_all()
    migration.db_sync(database="api")
    migration.db_sync(database="main")
    api = sqlalchemy.create_engine(conf.CONF.api_database.connection)
    with api.begin() as connection:
        _about_the_cloud(connection)
    main = sqlalchemy.create_engine(conf.CONF.database.connection)
    dice = random.Random(seed)
    flavors = [_Flavor(*each) for each in enumerate(FLAVORS, 1)]
    rows: dict[Any, list[dict[str, Any]]] = {}
    for number in range(hosts):
        for table, row in _compute(number, flavors, dice):
            rows.setdefault(table, []).append(row)
        if number % _AT_ONCE == 0 or number == hosts - 1:
            with main.begin() as connection:
                for table, made in rows.items():
                    connection.execute(table.__table__.insert(), made)
            rows = {}
    return file


def _about_the_cloud(connection: sqlalchemy.Connection) -> None:
    for number, (name, (vcpus, specs)) in enumerate(FLAVORS.items(), 1):
        connection.execute(
            api_models.Flavors.__table__.insert(),
            {
                "id": number,
                "name": name,
                "flavorid": name,
                "vcpus": vcpus,
                "memory_mb": vcpus * MIB_PER_VCPU,
                "root_gb": 1,
                "ephemeral_gb": 0,
                "swap": 0,
            },
        )
        for key, value in {**DEDICATED, **specs}.items():
            connection.execute(
                api_models.FlavorExtraSpecs.__table__.insert(),
                {"flavor_id": number, "key": key, "value": value},
            )
    for name, uuid_ in (("cell0", uuid.UUID(int=0)), ("cell1", uuid.uuid4())):
        connection.execute(
            api_models.CellMapping.__table__.insert(),
            {
                "uuid": str(uuid_),
                "name": name,
                "transport_url": "none:///",
                "database_connection": conf.CONF.database.connection,
                "disabled": False,
            },
        )


class _Flavor:
    """A flavor, as Nova keeps it of its servers, and what it asks for."""

    def __init__(self, number: int, name: str) -> None:
        vcpus, specs = FLAVORS[name]
        self.number = number  #: as in the API database
        self.vcpus = vcpus
        flavor = objects.Flavor(
            name=name,
            flavorid=name,
            vcpus=vcpus,
            memory_mb=vcpus * MIB_PER_VCPU,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            vcpu_weight=None,
            disabled=False,
            is_public=True,
            extra_specs={**DEDICATED, **specs},
        )
        self.kept = json.dumps(
            {"cur": flavor.obj_to_primitive(), "old": None, "new": None}
        )
        image = objects.ImageMeta.from_dict({})
        self.topology = hardware.numa_get_constraints(flavor, image)
        self.request: Request = guest_topology.request_from_nova(self.topology)


def _compute(
    number: int, flavors: list[_Flavor], dice: random.Random
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The rows of one compute node and its servers."""
    name = f"compute-{number:05}"
    host = synthetic_host(SHAPE)
    here: list[tuple[_Flavor, Placement]] = []
    for _ in range(dice.randrange(_MOST_GUESTS + 1)):
        flavor = dice.choice(flavors)
        placed = fit(host, flavor.request)
        if isinstance(placed, Placement):
            host = usage.add(host, placed)
            here.append((flavor, placed))
    for gone in [each for each in here if dice.random() < _GONE]:
        host = usage.remove(host, gone[1])
        here.remove(gone)
    yield models.Service, _service(name)
    yield models.ComputeNode, _node(name, host, len(here))
    for flavor, placed in here:
        yield from _server(name, flavor, placed, dice)


def _service(name: str) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "host": name,
        "binary": "nova-compute",
        "topic": "compute",
        "report_count": 1,
        "last_seen_up": _NOW,
        "created_at": _NOW,
        "disabled": False,
        "forced_down": False,
        "version": 66,
        "deleted": 0,
    }


def _node(name: str, host: Host, guests: int) -> dict[str, Any]:
    pcpus = sum(len(cell.dedicated) for cell in host.cells)
    memory = sum(cell.memory_kib for cell in host.cells) >> 10
    return {
        "uuid": str(uuid.uuid4()),
        "host": name,
        "hypervisor_hostname": name,
        "hypervisor_type": "QEMU",
        "hypervisor_version": 8000000,
        "vcpus": pcpus,
        "vcpus_used": 0,
        "memory_mb": memory,
        "memory_mb_used": 0,
        "local_gb": 1000,
        "local_gb_used": 0,
        "free_ram_mb": memory,
        "free_disk_gb": 1000,
        "running_vms": guests,
        "cpu_info": "{}",
        "metrics": "[]",
        "supported_instances": "[]",
        "stats": "{}",
        "numa_topology": _topology(host)._to_json(),
        "cpu_allocation_ratio": 1.0,
        "ram_allocation_ratio": 1.0,
        "disk_allocation_ratio": 1.0,
        "mapped": 1,
        "deleted": 0,
    }


def _topology(host: Host) -> objects.NUMATopology:
    return objects.NUMATopology(
        cells=[
            objects.NUMACell(
                id=cell.id,
                cpuset=set(),
                pcpuset=set(cell.dedicated),
                memory=cell.memory_kib >> 10,
                cpu_usage=cell.shared_used,
                memory_usage=cell.memory_used_kib >> 10,
                pinned_cpus=set(cell.pinned),
                siblings=[set(core) for core in cell.siblings],
                mempages=[
                    objects.NUMAPagesTopology(
                        size_kb=pages.size_kib,
                        total=pages.total,
                        used=int(pages.used),
                        reserved=0,
                    )
                    for pages in cell.pages
                ],
                network_metadata=objects.NetworkMetadata(
                    physnets=set(), tunneled=False
                ),
                socket=cell.id,
            )
            for cell in host.cells
        ]
    )


def _server(
    host: str, flavor: _Flavor, placed: Placement, dice: random.Random
) -> Iterator[tuple[Any, dict[str, Any]]]:
    server = str(uuid.UUID(int=dice.getrandbits(128)))
    yield (
        models.Instance,
        {
            "uuid": server,
            "display_name": f"server on {host}",
            "host": host,
            "node": host,
            "vm_state": "active",
            "instance_type_id": flavor.number,
            "vcpus": flavor.vcpus,
            "memory_mb": flavor.vcpus * MIB_PER_VCPU,
            "project_id": "project",
            "user_id": "user",
            "deleted": 0,
        },
    )
    fitted = guest_topology.instance_topology(placed, flavor.topology)
    yield (
        models.InstanceExtra,
        {
            "instance_uuid": server,
            "flavor": flavor.kept,
            "numa_topology": fitted._to_json(),
            "deleted": 0,
        },
    )
