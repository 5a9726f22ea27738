"""The house: which room may import which, and what from outside.

The table is the one that the architecture page shows.
"""

import ast
import csv
import pathlib
import re
import sys

import pytest

TOP = pathlib.Path(__file__).parents[2]
PACKAGE = TOP / "pinning_filter"
DOC = TOP / "doc" / "source"

with (DOC / "rooms.csv").open() as _file:
    _TABLE = list(csv.DictReader(_file))

#: Room -> its floor; rooms import from floors below their own.
FLOORS = {row["room"]: int(row["floor"]) for row in _TABLE}
#: Room -> the packages that it may import, beside the standard library.
PACKAGES = {
    row["room"]: set(row["packages from outside"].split()) for row in _TABLE
}


def _room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(source):
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the room"
            # "from pinning_filter import opts" names a room, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _violations(room, source):
    for name in _imports(source):
        top, *rest = name.split(".")
        if top == "pinning_filter":
            other = rest[0] if rest else ""
            allowed = other == room or (
                other in FLOORS and FLOORS[other] < FLOORS[room]
            )
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
    assert _room(path) in FLOORS, "a new room: say so in rooms.csv"
    assert list(_violations(_room(path), path.read_text())) == []


def test_the_table_has_every_room_and_no_other():
    assert set(FLOORS) == {_room(path) for path in MODULES}


def test_the_page_s_picture_is_that_of_the_table():
    page = (DOC / "architecture.rst").read_text()
    drawn = {
        room: int(floor)
        for floor, rooms in re.findall(r"^ +(\d) │ (.+)$", page, re.MULTILINE)
        for room in rooms.split()
    }
    assert drawn == FLOORS


def test_the_page_names_files_that_there_are():
    page = (DOC / "architecture.rst").read_text()
    named = re.findall(r"``((?:\w+/)+\w+\.py)``", page)
    assert len(named) > 9
    for name in named:
        assert (PACKAGE / name).exists() or (TOP / name).exists(), name


@pytest.mark.parametrize("room", sorted(set(FLOORS) - {"opts"}))
def test_a_room_says_what_it_is(room):
    """What lives there, what it must not know, where to begin reading."""
    source = (PACKAGE / room / "__init__.py").read_text()
    said = ast.get_docstring(ast.parse(source)) or ""
    assert "Begin with" in said
    assert re.search(r"(must|does)\s+not\s+know", said, re.IGNORECASE)


#: Tests of the package's outer shape, which mirror no module.
_OF_THE_WHOLE = {"lab", "data"}


def test_unit_tests_mirror_the_rooms():
    rooms = {
        path.name
        for path in (TOP / "tests" / "unit").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms - _OF_THE_WHOLE <= set(FLOORS)


def _circles(graph):
    """Modules that import one another, at load time, in a circle."""
    done, path = set(), []

    def visit(name):
        if name in path:
            yield [*path[path.index(name) :], name]
        elif name not in done:
            path.append(name)
            for other in sorted(graph.get(name, ())):
                yield from visit(other)
            path.pop()
            done.add(name)

    for name in sorted(graph):
        yield from visit(name)


def _graph():
    names = {}
    for path in MODULES:
        parts = path.relative_to(TOP).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return {
        name: {
            found
            for wanted in _imports(path.read_text())
            for found in (wanted, wanted.rpartition(".")[0])
            # A package is loaded with any of its modules, in any order.
            if found in names and not name.startswith(f"{found}.")
        }
        - {name}
        for name, path in names.items()
    }


def test_no_modules_import_one_another():
    assert list(_circles(_graph())) == []


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}}
    assert list(_circles(graph)) == [["a", "b", "c", "a"]]


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("core", "import math, lxml.etree", ["lxml.etree"]),
        ("core", "from nova import objects", ["nova.objects"]),
        (
            "core",
            "def late():\n    from pinning_filter.nova import fit",
            ["pinning_filter.nova.fit"],
        ),
        ("libvirt", "import nova.objects", ["nova.objects"]),
        (
            "compute",
            "from pinning_filter.cli import output",
            ["pinning_filter.cli.output"],
        ),
        (
            "scheduler",
            "from pinning_filter.cloud import snapshot",
            ["pinning_filter.cloud.snapshot"],
        ),
        ("core", "from pinning_filter.core import cpuset", []),
        ("cli", "from pinning_filter.fleet import defrag", []),
    ],
)
def test_what_a_room_may_not_import_is_found(room, source, found):
    assert list(_violations(room, source)) == found
