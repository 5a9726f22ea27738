"""Hosts written as a line of text."""

import pytest

from pinning_filter.core import synthetic
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Pages

TIB_KIB = 1 << 30


@pytest.mark.parametrize(
    ("line", "siblings"),
    [
        pytest.param(
            "cell:1 core:3", [[{0}, {1}, {2}]], id="cores of one thread"
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            [[{0, 1}, {2, 3}]],
            id="threads of a core are side by side",
        ),
        pytest.param(
            "cell:2 core:2 pu:2",
            [[{0, 1}, {2, 3}], [{4, 5}, {6, 7}]],
            id="pCPUs are numbered through all cells",
        ),
        pytest.param(
            "cell:1 l3:2 core:2",
            [[{0}, {1}, {2}, {3}]],
            id="each last-level cache has cores of its own",
        ),
        pytest.param(
            "  cell:2   core:1\tpu:4 ",
            [[{0, 1, 2, 3}], [{4, 5, 6, 7}]],
            id="blanks do not matter",
        ),
    ],
)
def test_levels(line, siblings):
    host = synthetic.host(line)
    assert [list(cell.siblings) for cell in host.cells] == siblings
    assert [cell.dedicated for cell in host.cells] == [
        set().union(*cores) for cores in siblings
    ]
    assert host.check() is host


@pytest.mark.parametrize(
    ("line", "caches"),
    [
        pytest.param("cell:2 core:2", [[], []], id="not said, not known"),
        pytest.param(
            "cell:2 l3:1 core:2 pu:2",
            [[{0, 1, 2, 3}], [{4, 5, 6, 7}]],
            id="one a host cell",
        ),
        pytest.param(
            "cell:1 l3:2 core:2 pu:2",
            [[{0, 1, 2, 3}, {4, 5, 6, 7}]],
            id="several a host cell",
        ),
    ],
)
def test_last_level_caches(line, caches):
    host = synthetic.host(line)
    assert [list(cell.caches) for cell in host.cells] == caches


def test_cells_are_numbered_and_sockets_of_their_own():
    cells = synthetic.host("cell:3 core:1").cells
    assert [(cell.id, cell.socket) for cell in cells] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]


@pytest.mark.parametrize(
    ("line", "memory_kib", "pages"),
    [
        pytest.param(
            "cell:1 core:1",
            TIB_KIB,
            [(4, TIB_KIB // 4)],
            id="a tebibyte unless said, in small pages",
        ),
        pytest.param(
            "cell:1(memory=16GiB) core:1",
            16 << 20,
            [(4, 4 << 20)],
            id="memory of a cell",
        ),
        pytest.param(
            "cell:1(memory=4GiB pages=1x1GiB,512x2MiB) core:1",
            4 << 20,
            [(4, 512 << 10), (1 << 20, 1), (2 << 10, 512)],
            id="what is not in huge pages is in small ones",
        ),
        pytest.param(
            "cell:1(pages=2x1GiB memory=2GiB) core:1",
            2 << 20,
            [(4, 0), (1 << 20, 2)],
            id="all memory in huge pages",
        ),
    ],
)
def test_memory(line, memory_kib, pages):
    (cell,) = synthetic.host(line).cells
    assert cell.memory_kib == memory_kib
    assert list(cell.pages) == [Pages(*each) for each in pages]


def test_used_pcpus_are_pinned_where_they_are():
    cells = synthetic.host("cell:2 core:2", used=[1, 2]).cells
    assert [cell.pinned for cell in cells] == [{1}, {2}]
    assert [cell.free for cell in cells] == [{0}, {3}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("", "there is no cell", id="nothing"),
        pytest.param("core:2", "there is no cell", id="no cell"),
        pytest.param("cell:2 pu:2", "there is no core", id="no core"),
        pytest.param("cell:0 core:1", "there is no cell", id="no cells"),
        pytest.param("cell:1 core:1 pu:0", "there is no pu", id="no threads"),
        pytest.param("cell:1 l3:0 core:1", "there is no l3", id="no cache"),
        pytest.param(
            "cell:1 core:two", "'core:two' is not a level", id="not a number"
        ),
        pytest.param("cell:-1 core:1", "'cell:-1' is not", id="negative"),
        pytest.param("cell core:1", "'cell' is not a level", id="no number"),
        pytest.param(
            "cell:1 node:2 core:1",
            "no level 'node', only cell, l3, core, pu",
            id="unknown level",
        ),
        pytest.param(
            "cell:1 cell:2 core:1", "cell is there twice", id="level twice"
        ),
        pytest.param(
            "core:1 cell:2", "from the outside in", id="wrong order"
        ),
        pytest.param(
            "cell:1 core:1(memory=1GiB)",
            "only the level cell has options",
            id="options of a core",
        ),
        pytest.param(
            "cell:1(ram=1GiB) core:1", "no option 'ram'", id="unknown option"
        ),
        pytest.param(
            "cell:1(memory=16) core:1", "'16' is not a size", id="no unit"
        ),
        pytest.param(
            "cell:1(memory=1GB) core:1",
            "'1GB' is not a size",
            id="a decimal unit",
        ),
        pytest.param(
            "cell:1(memory=1GiB core:1", "is not a level", id="left open"
        ),
        pytest.param(
            "cell:1(pages=1GiB) core:1",
            "'1GiB' is not a number of pages",
            id="pages without a number",
        ),
        pytest.param(
            "cell:1(memory=1GiB pages=2x1GiB) core:1",
            "the pages are more than the memory",
            id="more pages than memory",
        ),
        pytest.param(
            "cell:1(pages=1x1GiB,2x1GiB) core:1",
            "a page size is there twice",
            id="page size twice",
        ),
        pytest.param(
            "cell:1(pages=9x4KiB) core:1",
            "huge pages are larger than 4 KiB",
            id="small pages as huge ones",
        ),
        pytest.param(
            "cell:256 core:257",
            "it has 65792 pCPUs, at most 65536",
            id="too many pCPUs",
        ),
        pytest.param(
            "cell:" + "9" * 5000 + " core:1",
            "is not a level and a number",
            id="a number of thousands of digits",
        ),
    ],
)
def test_nonsense_is_named(line, problem):
    with pytest.raises(InvalidHost) as caught:
        synthetic.host(line)
    assert problem in str(caught.value)
    assert "an example: cell:2(" in str(caught.value)


def test_every_problem_is_named():
    with pytest.raises(InvalidHost) as caught:
        synthetic.host("cell:0 die:2 core:1 core:2(x=1)")
    assert caught.value.problems[:-1] == (
        "there is no level 'die', only cell, l3, core, pu",
        "level core is there twice",
        "there is no cell: at least 1 is needed",
    )


def test_a_level_that_is_there_but_wrong_is_named_once():
    with pytest.raises(InvalidHost) as caught:
        synthetic.host("cell:1 core:x")
    assert caught.value.problems[:-1] == (
        "'core:x' is not a level and a number",
    )
