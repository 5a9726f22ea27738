"""A running cloud, read from Nova's databases as nova-manage reads them.

Everything goes through Nova's own objects, so whatever release is installed
knows its own tables. Nothing is ever written: some objects would mend old
rows as they read them, so every statement but a question is refused here.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import sqlalchemy
from nova import conf, context, exception, objects, servicegroup, utils
from nova.db.api import api as api_db
from nova.db.main import api as main_db
from nova.scheduler.client import report
from sqlalchemy import event

from pinning_filter import opts
from pinning_filter.cli import live_nodes, nova_inputs, nova_question
from pinning_filter.cli.output import InputError, one_line
from pinning_filter.cli.question import Question
from pinning_filter.cli.snapshot import (
    Aggregate,
    Flavor,
    Inventory,
    Node,
    Provider,
    Snapshot,
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
#: What of a flavor decides on where its servers go.
_SPECS = (
    "hw:",
    "resources",
    "trait",
    "group_policy",
    "quota:cpu_",
    "aggregate_instance_extra_specs:",
)
#: Questions to the Placement API at a time.
_AT_ONCE = 8
_PLACEMENT_VERSION = "1.26"


class Session:
    """Nova's databases, by the addresses in nova.conf.

    :raises InputError: if there are none.
    """

    def __init__(
        self,
        config_files: Sequence[str] = (),
        config_dirs: Sequence[str] = (),
        timeout: float = 60,
    ) -> None:
        _configure(config_files, config_dirs)
        self.timeout = timeout
        self.context = context.get_admin_context()

    def cells(self) -> list[objects.CellMapping]:
        """The cells (v2), cell0 too.

        :raises InputError: if the API database does not answer.
        """
        return _asked(
            "the API database",
            self.timeout,
            objects.CellMappingList.get_all,
            self.context,
        )

    def question(self, server: str) -> Question:
        """What a server asks for, by its UUID or its name.

        :raises InputError: if there is none, or several of that name.
        """
        uuid, fault = self._find(server)
        try:
            spec = _asked(
                "the API database",
                self.timeout,
                objects.RequestSpec.get_by_instance_uuid,
                self.context,
                uuid,
            )
        except exception.RequestSpecNotFound as error:
            raise InputError(
                f"SERVER: Nova keeps no request of {server}"
            ) from error
        image = spec.image or nova_inputs.image({})
        guest = nova_inputs.read(spec.flavor, image)
        with nova_inputs.complaints("the server"):
            return nova_question.of_spec(spec, guest, fault)

    def _find(self, server: str) -> tuple[str, str]:
        """UUID and fault of a server, wherever it is."""
        by_uuid = bool(_UUID.fullmatch(server))
        found = {}
        for cell in self.cells():
            with contextlib.suppress(InputError):
                found |= _asked(
                    _name(cell),
                    self.timeout,
                    _in_cell(cell, live_nodes.servers),
                    self.context,
                    server,
                    by_uuid,
                )
        if by_uuid and not found:
            # Its cell may not answer; its request is in the API database.
            return server.lower(), ""
        if len(found) != 1:
            raise InputError(
                f"SERVER: {len(found) or 'no'} servers have the name "
                f"{server!r}"
                + (f", say which: {', '.join(sorted(found))}" if found else "")
            )
        return next(iter(found.items()))

    def image(self, name: str) -> dict[str, str]:
        """The properties of an image, asked from Glance as Nova.

        :raises InputError: if Glance cannot be asked, or has no such image.
        """
        try:
            mine = report.SchedulerReportClient()._client
            glance = utils.get_ksa_adapter(
                "image", ksa_auth=mine.auth, ksa_session=mine.session
            )
            if _UUID.fullmatch(name):
                found = [glance.get(f"/v2/images/{name}").json()]
            else:
                answer = glance.get("/v2/images", params={"name": name})
                found = answer.json()["images"]
        except Exception as error:
            # Whatever Keystone, Glance or the network have to say.
            raise InputError(
                f"--image {name}: Glance cannot be asked: {_why(error)}; say "
                "what the image asks for with --image-property"
            ) from error
        if len(found) != 1:
            raise InputError(
                f"--image: {len(found) or 'no'} images have the name {name!r}"
            )
        return {
            key: value
            for key, value in found[0].items()
            if isinstance(value, str) and key.startswith(("hw_", "trait:"))
        }


def snapshot(session: Session, *, placement: bool = False) -> Snapshot:
    """All that can be seen of the cloud now.

    :param placement: whether to ask the Placement API too.
    :raises InputError: if not even the API database answers.
    """
    cells = [cell for cell in session.cells() if not cell.is_cell0()]
    aggregates = _asked(
        "the API database",
        session.timeout,
        objects.AggregateList.get_all,
        session.context,
    )
    flavors = _asked(
        "the API database",
        session.timeout,
        objects.FlavorList.get_all,
        session.context,
    )
    up = servicegroup.API().service_is_up
    nodes: list[tuple[Node, str]] = []
    unreachable: dict[str, str] = {}
    asked = {
        _name(cell): _start(
            _in_cell(cell, live_nodes.nodes), session.context, cell, up
        )
        for cell in cells
    }
    for name, (thread, box) in asked.items():
        try:
            nodes += _waited(thread, box, session.timeout)
        except Exception as error:
            unreachable[name] = _why(error)
    providers = {}
    if placement:
        uuids = [uuid for _, uuid in nodes]
        providers = _providers(session.context, uuids)
    now = datetime.datetime.now(datetime.timezone.utc)
    made = [
        live_nodes.surrounded(
            node, _aggregates(aggregates, node.name), providers.get(uuid)
        )
        for node, uuid in nodes
    ]
    return Snapshot(
        tuple(sorted(made, key=lambda node: node.name)),
        tuple(_flavor(flavor) for flavor in flavors),
        unreachable,
        now.isoformat(timespec="seconds"),
    )


def _configure(files: Sequence[str], dirs: Sequence[str]) -> None:
    """Read nova.conf, unless this process has read it already."""
    opts.register(conf.CONF)
    if files or dirs or not _has_database():
        try:
            conf.CONF(
                [],
                project="nova",
                default_config_files=list(files) or None,
                default_config_dirs=list(dirs) or None,
            )
        except Exception as error:
            raise InputError(f"nova.conf cannot be read: {error}") from error
        if _has_database():
            main_db.configure(conf.CONF)
            api_db.configure(conf.CONF)
    if not _has_database():
        read = ", ".join(conf.CONF.config_file or ()) or "none was found"
        raise InputError(
            "no database: [api_database] connection is not set in nova.conf "
            f"(files read: {read}). Run this where nova-scheduler or "
            "nova-conductor runs, as a user who may read its configuration; "
            "or give a dump with --host FILE"
        )


def _has_database() -> bool:
    try:
        return bool(conf.CONF.api_database.connection)
    except Exception:
        # Nothing was read yet, and options have no values.
        return False


_reading = threading.local()
#: Statements that change nothing.
_QUESTIONS = (
    "SELECT",
    "SHOW",
    "PRAGMA",
    "SET ",  # of the connection: its time zone, its SQL mode
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
)


@event.listens_for(sqlalchemy.engine.Engine, "before_cursor_execute")
def _refuse_writing(
    connection: Any, cursor: Any, statement: str, *args: Any
) -> None:
    """The last line of defence, in the threads that read for us."""
    if getattr(_reading, "active", False) and not (
        statement.lstrip(" (\n").upper().startswith(_QUESTIONS)
    ):
        raise RuntimeError(
            f"pinning-filter only reads, and was about to {statement[:20]!r}"
        )


def _leave_unmended() -> None:
    """Topologies of before 2021 are written back in today's form by whoever
    reads them: not by us."""
    name = "_save_migrated_cpuset_to_instance_extra"
    save = getattr(objects.InstanceNUMATopology, name, None)
    if save is None:
        return

    def unless_reading(*args: Any) -> None:
        if not getattr(_reading, "active", False):
            save(*args)

    setattr(objects.InstanceNUMATopology, name, staticmethod(unless_reading))


_leave_unmended()

#: What a thread leaves behind: a result, or why there is none.
_Box = list[Any]


def _start(
    function: Callable[..., Any], *args: Any
) -> tuple[threading.Thread, _Box]:
    """Call in a thread, which nobody has to wait for."""
    box: _Box = []

    def run() -> None:
        _reading.active = True
        try:
            box.append((True, function(*args)))
        except BaseException as error:
            box.append((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, box


def _waited(thread: threading.Thread, box: _Box, timeout: float) -> Any:
    thread.join(timeout)
    if not box:
        raise TimeoutError(f"no answer within {timeout:g} s")
    fine, result = box[0]
    if not fine:
        raise result
    return result


def _asked(
    whom: str, timeout: float, function: Callable[..., Any], *args: Any
) -> Any:
    """The result, or an error that names who did not answer."""
    try:
        return _waited(*_start(function, *args), timeout)
    except exception.NotFound:
        raise
    except Exception as error:
        raise InputError(f"{whom} cannot be read: {_why(error)}") from error


def _in_cell(
    cell: objects.CellMapping, function: Callable[..., Any]
) -> Callable[..., Any]:
    def run(admin: context.RequestContext, *args: Any) -> Any:
        with context.target_cell(admin, cell) as targeted:
            return function(targeted, *args)

    return run


def _name(cell: objects.CellMapping) -> str:
    return cell.name or cell.uuid


#: The password of a database's address, which some errors repeat.
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def _why(error: BaseException) -> str:
    """An error in a line that can be shown, without anybody's password."""
    text = one_line(str(error).partition("\n")[0])
    text = _PASSWORD.sub(r"\1***@", text)
    return f"{type(error).__name__}: {text[:300]}"


def _flavor(flavor: objects.Flavor) -> Flavor:
    specs = flavor.extra_specs if "extra_specs" in flavor else {}
    return Flavor(
        flavor.name,
        flavor.vcpus,
        flavor.memory_mb,
        flavor.root_gb + flavor.ephemeral_gb,
        {
            key: value
            for key, value in sorted(specs.items())
            if key.startswith(_SPECS)
        },
    )


def _aggregates(
    aggregates: objects.AggregateList, host: str
) -> tuple[Aggregate, ...]:
    return tuple(
        Aggregate(each.name, dict(each.metadata))
        for each in aggregates
        if host in each.hosts
    )


def _providers(
    admin: context.RequestContext, uuids: Sequence[str]
) -> dict[str, Provider]:
    """The Placement API's view of compute nodes; a warning if there is none.

    One question first: if it fails, the others would too.
    """
    try:
        client = report.SchedulerReportClient()
        found = dict(_provider(client, uuids[:1]))
        with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            parts = [uuids[1:][start::_AT_ONCE] for start in range(_AT_ONCE)]
            for part in pool.map(
                lambda part: list(_provider(client, part)), parts
            ):
                found |= dict(part)
    except Exception as error:
        # Keystone, the network, or Placement itself.
        sys.stderr.write(
            "pinning-filter: the Placement API cannot be asked, and what it "
            f"would refuse is not told: {_why(error)}\n"
        )
        return {}
    return found


def _provider(
    client: report.SchedulerReportClient, uuids: Sequence[str]
) -> Iterator[tuple[str, Provider]]:
    for uuid in uuids:
        answers = []
        for what in ("inventories", "usages", "traits"):
            answer = client.get(
                f"/resource_providers/{uuid}/{what}",
                version=_PLACEMENT_VERSION,
            )
            if answer.status_code == 404:
                break
            if answer.status_code != 200:
                raise OSError(f"it answers {answer.status_code}")
            answers.append(answer.json()[what])
        else:
            inventories, usages, traits = answers
            yield (
                uuid,
                Provider(
                    {
                        name: Inventory(
                            each["total"],
                            each["reserved"],
                            each["allocation_ratio"],
                            usages.get(name, 0),
                            each["step_size"],
                            each["max_unit"],
                        )
                        for name, each in inventories.items()
                    },
                    frozenset(traits),
                ),
            )
