"""A snapshot of a cloud <-> the JSON that ``pinning-filter dump`` writes.

The form is fixed by ``dump.schema.json`` beside this file, which everything
that is read is checked against, so the readers here and in ``dump_node`` may
trust the form of their input.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import fastjsonschema

from pinning_filter.cloud import dump_node
from pinning_filter.cloud.snapshot import Flavor, Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.text import MOST_SHOWN
from pinning_filter.fleet.servers import Group, GroupPolicy

#: How a dump is told from other JSON.
FORMAT = "pinning-filter dump"
VERSION = 1


def write(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "taken": snapshot.taken,
        "unreachable": dict(snapshot.unreachable),
        "filters": snapshot.filters and list(snapshot.filters),
        "pci_aliases": list(snapshot.pci_aliases),
        "moving": sorted(snapshot.moving),
        "groups": [
            {**dump_node.fields(group), "members": sorted(group.members)}
            for group in snapshot.groups
        ],
        "flavors": [
            {
                **dump_node.fields(flavor),
                "extra_specs": dict(flavor.extra_specs),
            }
            for flavor in snapshot.flavors
        ],
        "hosts": [dump_node.write(node) for node in snapshot.nodes],
    }


def is_dump(data: object) -> bool:
    """Whether JSON says that it is a dump."""
    return isinstance(data, dict) and data.get("format") == FORMAT


def read(data: Any) -> Snapshot:
    """A snapshot from plain JSON values.

    :raises InputError: naming the place in the file, and what is wrong there.
    :raises Invalid: if it is a cloud that cannot be.
    """
    if data.get("version") != VERSION:
        version = repr(data.get("version"))[:MOST_SHOWN]
        raise InputError(
            f"a dump of version {version}; this pinning-filter reads version "
            f"{VERSION}"
        )
    try:
        _validator()(data)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InputError(_complaint(error)) from error
    guests: dict[str, str] = {}
    nodes = [dump_node.read(node, guests) for node in data["hosts"]]
    snapshot = Snapshot(
        tuple(sorted(nodes, key=lambda node: node.name)),
        tuple(Flavor(**flavor) for flavor in data["flavors"]),
        data["unreachable"],
        data["taken"],
        # These came later than the rest.
        data.get("filters") and tuple(data["filters"]),
        tuple(map(_read_alias, data.get("pci_aliases", ()))),
        frozenset(data.get("moving", ())),
        tuple(map(_read_group, data.get("groups", ()))),
    )
    snapshot.cloud()  # complains of names that repeat
    return snapshot


def _complaint(error: fastjsonschema.JsonSchemaValueException) -> str:
    """What of the dump is not as the schema has it, and what is."""
    name = error.name or "data"
    where = name.removeprefix("data").lstrip(".") or "the dump"
    allowed = error.definition
    if error.rule == "additionalProperties" and "properties" in allowed:
        known = allowed["properties"]
        unknown = sorted(error.value.keys() - known.keys())
        return (
            f"{where}: there is no key {_listed(unknown)}, only "
            + _listed(known)
        )
    if error.rule == "required":
        needed = allowed["required"]
        missing = (key for key in needed if key not in error.value)
        return f"{where}: missing: {_listed(missing)}"
    return error.message.replace(name, where, 1)[:300]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name[:MOST_SHOWN] for name in names)


def _read_alias(text: str) -> str:
    try:
        known = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        known = False
    if not known:
        raise InputError(
            f"pci_aliases: {text[:MOST_SHOWN]!r} is no JSON object"
        )
    return text


def _read_group(data: Mapping[str, Any]) -> Group:
    return Group(
        data["id"],
        GroupPolicy(data["policy"]),
        frozenset(data["members"]),
        data["most"],
    )


@functools.cache
def _validator() -> Any:
    text = (resources.files(__package__) / "dump.schema.json").read_text()
    return fastjsonschema.compile(json.loads(text))
