"""Which room of the project may import which, and what from outside."""

import ast
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[2] / "pinning_filter"

_XML = {"capabilities_xml", "domain_xml"}
_NOVA = {
    "nova_fit",
    "nova_guest",
    "nova_host",
    "nova_objects",
    "nova_pci",
    "nova_stats",
    "opts",
}
_OUTSIDE_NOVA = {"nova", "oslo_config", "oslo_log", "oslo_serialization"}

#: Room -> the rooms, beside itself, that it may import.
ROOMS = {
    "core": set(),
    "capabilities_xml": {"core"},
    "domain_xml": {"core"},
    "opts": set(),
    **{room: {"core"} | _XML | _NOVA for room in _NOVA - {"opts"}},
    "scheduler": {"core"} | _XML | _NOVA,
    "compute": {"core"} | _XML | _NOVA,
    "cli": {"core"} | _XML | _NOVA,
    "demo": {"core", "cli", "scheduler", "compute"} | _XML | _NOVA,
}
#: Room -> the packages that it may import, beside the standard library.
PACKAGES = {
    "core": set(),
    "capabilities_xml": {"lxml"},
    "domain_xml": {"lxml"},
    "opts": {"oslo_config"},
    **{room: _OUTSIDE_NOVA | {"lxml"} for room in _NOVA - {"opts"}},
    "scheduler": _OUTSIDE_NOVA,
    "compute": _OUTSIDE_NOVA | {"lxml"},
    "cli": _OUTSIDE_NOVA | {
        "cliff",
        "fastjsonschema",
        "jinja2",
        "lxml",
        "oslo_versionedobjects",
        "rich",
        "sqlalchemy",
    },
    # Nova in one process takes Nova's own test fixtures, and theirs.
    "demo": _OUTSIDE_NOVA | {"fixtures", "placement", "rich", "lxml"},
}


def _room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(source, package):
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import in {package}"
            # "from pinning_filter import opts" names a room, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _violations(room, source):
    for name in _imports(source, room):
        top, *rest = name.split(".")
        if top == "pinning_filter":
            allowed = rest and rest[0] in ROOMS[room] | {room}
        else:
            allowed = top in sys.stdlib_module_names or top in PACKAGES[room]
        if not allowed:
            yield name


MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.name != "__init__.py"
)


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_imports_what_its_room_may(path):
    assert _room(path) in ROOMS, "a new room: say here what it may import"
    assert list(_violations(_room(path), path.read_text())) == []


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("core", "import math, lxml.etree", ["lxml.etree"]),
        ("core", "from nova import objects", ["nova.objects"]),
        (
            "core",
            "def late():\n    from pinning_filter import nova_fit",
            ["pinning_filter.nova_fit"],
        ),
        ("domain_xml", "import nova.objects", ["nova.objects"]),
        (
            "cli",
            "from pinning_filter.scheduler import filter",
            ["pinning_filter.scheduler.filter"],
        ),
        (
            "scheduler",
            "from pinning_filter.cli.output import size",
            ["pinning_filter.cli.output.size"],
        ),
        ("core", "from pinning_filter.core import cpuset", []),
    ],
)
def test_what_a_room_may_not_import_is_found(room, source, found):
    assert list(_violations(room, source)) == found
