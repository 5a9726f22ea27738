"""What ``virsh capabilities`` prints, as a host."""

import pytest
from lxml import etree
from nova import objects
from nova.tests.fixtures import libvirt as fakelibvirt

from pinning_filter.core import cpuset
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Pages
from pinning_filter.libvirt import capabilities as capabilities_xml
from pinning_filter.nova.host import host_from_nova
from tests.unit.guests import AMD, ONE_CELL, TWO_CELLS, capabilities
from tests.unit.nova_libvirt import libvirt_driver

objects.register_all()


def cpus(text):
    return cpuset.parse(text)


def test_a_host_of_one_cell():
    (cell,) = capabilities_xml.read(capabilities(ONE_CELL)).cells
    assert cell.id == 0
    assert cell.dedicated == cell.shared == cell.free == {0, 1}
    assert list(cell.siblings) == [{0}, {1}]
    assert cell.memory_kib == 5850 << 10  # whole MiB of 5990616 KiB
    assert list(cell.pages) == [
        Pages(4, 1497654),
        Pages(2048, 0),
        Pages(1 << 20, 0),
    ]
    assert cell.socket == 0
    assert list(cell.caches) == [{0, 1}]
    assert cell.distances == {0: 10}


def test_a_host_of_two_cells_with_smt():
    first, second = capabilities_xml.read(capabilities(TWO_CELLS)).cells
    assert (first.id, second.id) == (0, 1)
    assert first.dedicated == cpus("0-7,16-23")
    assert second.dedicated == cpus("8-15,24-31")
    assert sorted(map(sorted, second.siblings)) == [
        [8, 24],
        [9, 25],
        [10, 26],
        [11, 27],
        [12, 28],
        [13, 29],
        [14, 30],
        [15, 31],
    ]
    assert (first.socket, second.socket) == (0, 1)
    assert first.distances == {0: 10, 1: 21}
    assert second.distances == {0: 21, 1: 10}
    assert second.pages[1:] == [Pages(2048, 4096), Pages(1 << 20, 16)]


def test_last_level_caches_by_cell():
    first, second = capabilities_xml.read(capabilities(AMD)).cells
    assert first.caches == [cpus("0-7,32-39"), cpus("8-15,40-47")]
    assert second.caches == [cpus("16-23,48-55"), cpus("24-31,56-63")]


def test_cores_and_caches_lose_pcpus_that_are_kept_from_guests():
    first, second = capabilities_xml.read(
        capabilities(AMD), dedicated=cpus("1,33,34,40,41"), shared=cpus("0")
    ).cells
    assert first.dedicated == cpus("1,33-34,40-41")
    assert first.shared == {0}
    assert sorted(map(sorted, first.siblings)) == [
        [0],
        [1, 33],
        [34],
        [40],
        [41],
    ]
    assert first.caches == [cpus("0-1,33-34"), cpus("40-41")]
    assert second.dedicated == set()
    assert (second.siblings, second.caches) == ([], [])


def test_pages_kept_from_guests():
    first, second = capabilities_xml.read(
        capabilities(TWO_CELLS), reserved_pages={1: {2048: 64, 4: 100}}
    ).cells
    assert [pages.reserved for pages in first.pages] == [0, 0, 0]
    assert [pages.reserved for pages in second.pages] == [100, 64, 0]


CONFIGURED = {
    "nothing configured": ("", ""),
    "a dedicated set": ("2-7,18-23", ""),
    "a shared set": ("", "0-1,16"),
    "a dedicated and a shared set": ("9-15,24-31", "0-3,16"),
    "a dedicated set with half cores": ("0-15", "16-31"),
}


@pytest.mark.parametrize("dedicated, shared", CONFIGURED.values(),
                         ids=CONFIGURED)
@pytest.mark.parametrize("name", [TWO_CELLS, AMD])
def test_the_same_as_nova_reports(name, dedicated, shared):
    text = capabilities(name)
    ours = capabilities_xml.read(
        text,
        dedicated=cpus(dedicated) or None,
        shared=cpus(shared) or None,
        reserved_pages={1: {2048: 7}},
    )
    options = {
        ("compute", "cpu_dedicated_set"): dedicated or None,
        ("compute", "cpu_shared_set"): shared or None,
        (None, "reserved_huge_pages"): [
            {"node": "1", "size": "2048", "count": "7"}
        ],
    }
    assert reported(ours) == reported_by_nova(text, options)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 2, 1), (2, 1, 4, 2), (4, 1, 2, 4), (2, 2, 3, 2)],
    ids=lambda shape: "{} cells, {} sockets, {} cores, {} threads".format(
        *shape
    ),
)
def test_the_same_as_nova_reports_of_what_its_tests_make_up(shape):
    topology = fakelibvirt.NUMATopology(*shape, kb_mem=64 << 20).to_xml()
    text = f"<capabilities><host>{topology}</host></capabilities>".encode()
    assert reported(capabilities_xml.read(text)) == reported_by_nova(text)


def reported_by_nova(text, options=None):
    with libvirt_driver(text, options) as on:
        return reported(host_from_nova(on._get_host_numa_topology()))


def reported(host):
    """What Nova reports too; the order of cells and cores included."""
    return [
        (
            cell.id,
            set(cell.dedicated),
            set(cell.shared),
            [set(core) for core in cell.siblings],
            cell.memory_kib,
            sorted(tuple(pages) for pages in cell.pages),
            cell.socket,
        )
        for cell in host.cells
    ]


def test_text_and_bytes_are_the_same():
    data = capabilities(AMD)
    assert capabilities_xml.read(data.decode()) == capabilities_xml.read(data)


def test_text_that_names_its_encoding():
    text = '<?xml version="1.0" encoding="UTF-8"?>' + capabilities(
        ONE_CELL
    ).decode()
    assert len(capabilities_xml.read(text).cells) == 1


def changed(name, path, **attributes):
    """Capabilities with one element changed; ``text`` is its text."""
    root = etree.fromstring(capabilities(name))
    element = root.find(path)
    if "text" in attributes:
        element.text = attributes.pop("text")
    for key, value in attributes.items():
        if value is None:
            del element.attrib[key]
        else:
            element.set(key, value)
    return etree.tostring(root)


CELL = "host/topology/cells/cell"


def test_a_pcpu_that_is_off_is_listed_bare():
    root = etree.fromstring(capabilities(ONE_CELL))
    element = root.find(f"{CELL}/cpus/cpu[@id='1']")
    for name in ("socket_id", "die_id", "core_id", "siblings"):
        del element.attrib[name]
    (cell,) = capabilities_xml.read(etree.tostring(root)).cells
    assert cell.dedicated == {0}
    assert list(cell.siblings) == [{0}]
    assert cell.socket == 0


def test_a_cell_of_several_sockets_has_none():
    text = changed(ONE_CELL, f"{CELL}/cpus/cpu[@id='1']", socket_id="1")
    assert capabilities_xml.read(text).cells[0].socket is None


def test_a_cell_with_memory_alone():
    root = etree.fromstring(capabilities(TWO_CELLS))
    pcpus = root.find(f"{CELL}[@id='1']/cpus")
    for child in list(pcpus):
        pcpus.remove(child)
    second = capabilities_xml.read(etree.tostring(root)).cells[1]
    assert (second.dedicated, second.socket) == (set(), None)


BOMB = (
    "<!DOCTYPE capabilities ["
    "<!ENTITY a 'aaaaaaaaaa'>"
    "<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "]><capabilities>&b;</capabilities>"
)
OUTSIDE = (
    "<!DOCTYPE capabilities [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
    "<capabilities><host>&a;</host></capabilities>"
)
NOT_XML = {
    "nothing": "",
    "an error of virsh": "error: failed to connect to the hypervisor",
    "half of it": capabilities(ONE_CELL)[:-17],
    "no text at all": b"\x00\xff",
}


@pytest.mark.parametrize("text", NOT_XML.values(), ids=NOT_XML)
def test_what_is_no_xml(text):
    with pytest.raises(InvalidHost, match=r"^capabilities: it is not XML: "):
        capabilities_xml.read(text)


BAD = {
    "another document": (
        "<domain type='kvm'/>",
        "it is a <domain> document, wanted is <capabilities> as virsh "
        "capabilities prints it",
    ),
    "no NUMA cell": (
        "<capabilities><host><topology><cells num='0'/></topology></host>"
        "</capabilities>",
        "there is no NUMA cell (host/topology/cells/cell)",
    ),
    "entities that grow": (BOMB, "it has a DOCTYPE, libvirt writes none"),
    "a file drawn in": (OUTSIDE, "it has a DOCTYPE, libvirt writes none"),
    "an id that is no number": (
        changed(ONE_CELL, CELL, id="zero"),
        "the id of <cell> is 'zero', wanted is a whole number",
    ),
    "no id": (
        changed(ONE_CELL, CELL, id=None),
        "the id of <cell> is None, wanted is a whole number",
    ),
    "an id twice": (
        changed(TWO_CELLS, f"{CELL}[@id='1']", id="0"),
        "the ids of its NUMA cells repeat: [0, 0]",
    ),
    "less than no memory": (
        changed(ONE_CELL, f"{CELL}/memory", text="-1"),
        "the <memory> is '-1', wanted is a whole number",
    ),
    "more memory than there is": (
        changed(ONE_CELL, f"{CELL}/memory", text="9" * 5000),
        f"the <memory> is '{'9' * 39}, wanted is a whole number",
    ),
    "memory in another unit": (
        changed(ONE_CELL, f"{CELL}/memory", unit="GiB"),
        "the unit of <memory> is 'GiB', libvirt's is KiB",
    ),
    "pages of no size": (
        changed(ONE_CELL, f"{CELL}/pages", size="0"),
        "cell 0: a page of 0 KiB",
    ),
    "siblings that are no CPU list": (
        changed(ONE_CELL, f"{CELL}/cpus/cpu", siblings="0-x"),
        "siblings of <cpu>: '0-x' in the CPU list '0-x' is none of: a CPU id "
        "(at most 65535), a range such as 0-3, an exclusion such as ^2",
    ),
    "a core in two cells": (
        changed(TWO_CELLS, f"{CELL}[@id='1']/cpus/cpu[@id='8']", id="0"),
        "pCPU 0 is in cells 0 and 1",
    ),
}


@pytest.mark.parametrize("text, problem", BAD.values(), ids=BAD)
def test_what_is_no_host(text, problem):
    with pytest.raises(InvalidHost) as caught:
        capabilities_xml.read(text)
    assert problem in caught.value.problems


SETS = {
    "a dedicated pCPU that is not there": (
        {"dedicated": cpus("1-3")},
        "the dedicated pCPUs 2-3 are not online, those that are: 0-1",
    ),
    "a shared pCPU that is not there": (
        {"shared": cpus("2")},
        "the shared pCPUs 2 are not online, those that are: 0-1",
    ),
    "pCPUs both dedicated and shared": (
        {"dedicated": cpus("0-1"), "shared": cpus("1")},
        "the pCPUs 1 are both dedicated and shared; that may be all of them, "
        "or none",
    ),
    "pages of a cell that is not there": (
        {"reserved_pages": {3: {4: 1}}},
        "reserved cells: [3] are not among [0]",
    ),
    "pages of a size that is not there": (
        {"reserved_pages": {0: {64: 1}}},
        "reserved pages of cell 0: [64] are not among [4, 2048, 1048576]",
    ),
}


@pytest.mark.parametrize("sets, problem", SETS.values(), ids=SETS)
def test_what_the_host_does_not_have(sets, problem):
    with pytest.raises(InvalidHost) as caught:
        capabilities_xml.read(capabilities(ONE_CELL), **sets)
    assert list(caught.value.problems) == [problem]


def test_every_problem_is_told():
    text = changed(ONE_CELL, f"{CELL}/memory", text="much", unit="GB")
    with pytest.raises(InvalidHost) as caught:
        capabilities_xml.read(text, dedicated={7})
    assert len(caught.value.problems) == 3
