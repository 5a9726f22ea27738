"""A placement as libvirt's elements, each document compared whole."""

import dataclasses

import pytest
from lxml import etree
from nova import conf, objects
from oslo_config import fixture as config_fixture

from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import CpuPolicy, GuestCell, Request
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.libvirt.domain import InvalidSettings, Settings, Topology
from tests.unit.guests import DATA, GUESTS, placed

objects.register_all()


@pytest.fixture
def nova_conf():
    with config_fixture.Config(conf.CONF) as fixture:
        yield fixture


@pytest.mark.parametrize("name", GUESTS)
def test_the_whole_document(name, nova_conf):
    guest = GUESTS[name]
    nova_conf.config(group="libvirt", **guest.libvirt)
    found = placed(guest)
    # Whatever release is installed: the one I/O thread of Nova 33 and newer.
    settings = dataclasses.replace(found.settings, iothreads=1)
    golden = DATA / "domain" / f"{name.replace(' ', '-')}.xml"
    assert domain_xml.dumps(
        domain_xml.domain(found.placement, settings, "guest")
    ) == golden.read_text("utf-8")


def cell(number, *cores, **fields):
    """A host cell of these cores, all of it open to pinning."""
    siblings = [frozenset(core) for core in cores]
    return HostCell(
        number,
        dedicated=frozenset().union(*siblings),
        siblings=siblings,
        **fields,
    )


def on(*cells, **request):
    """Where guest cells sit, each a host cell and vCPU -> pCPU."""
    guest_cells = tuple(
        GuestCell(frozenset(pinning), memory_kib=1 << 20)
        for _, pinning in cells
    )
    return Placement(
        Request(guest_cells, **request),
        tuple(
            CellPlacement(guest_cell, host_cell, pinning)
            for guest_cell, (host_cell, pinning) in zip(
                guest_cells, cells, strict=True
            )
        ),
    )


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


def test_seed_a_flavor_with_dedicated_and_require():
    # As "virsh dumpxml" showed it, which had no I/O threads then.
    seen = """
        <cputune>
        <vcpupin vcpu='0' cpuset='2'/>
        <vcpupin vcpu='1' cpuset='3'/>
        <emulatorpin cpuset='2-3'/>
        </cputune>
    """
    placement = on((cell(0, {0, 1}, {2, 3}), {0: 2, 1: 3}))
    written = domain_xml.cputune(placement, Settings(iothreads=0))
    assert lines(domain_xml.dumps(written)) == lines(seen)


def test_seed_an_image_with_dedicated_and_a_plain_flavor():
    seen = """\
  <vcpu placement='static'>1</vcpu>
  <cputune>
    <shares>1024</shares>
    <vcpupin vcpu='0' cpuset='1'/>
    <emulatorpin cpuset='1'/>
  </cputune>
  <numatune>
    <memory mode='strict' nodeset='0'/>
    <memnode cellid='0' mode='strict' nodeset='0'/>
  </numatune>
"""
    placement = on((cell(0, {0}, {1}), {0: 1}))
    settings = Settings(cpu_shares=1024, iothreads=0)
    written = domain_xml.domain(placement, settings, "instance-00000002")
    assert seen in domain_xml.dumps(written)


def test_the_io_thread_that_newer_releases_add():
    placement = on((cell(0, {0, 1}, {2, 3}), {0: 2, 1: 3}))
    assert domain_xml.dumps(
        domain_xml.iothreads(), domain_xml.cputune(placement)
    ) == (
        "<iothreads>1</iothreads>\n"
        "<cputune>\n"
        "  <vcpupin vcpu='0' cpuset='2'/>\n"
        "  <vcpupin vcpu='1' cpuset='3'/>\n"
        "  <emulatorpin cpuset='2-3'/>\n"
        "  <iothreadpin iothread='1' cpuset='2-3'/>\n"
        "</cputune>\n"
    )


SMT = cell(0, {0, 8}, {1, 9}, {2, 10}, {3, 11})
SMT_1 = cell(1, {4, 12}, {5, 13}, {6, 14}, {7, 15})
NO_SMT = cell(0, {0}, {1}, {2}, {3})
SMT4 = cell(0, {0, 1, 2, 3}, {4, 5, 6, 7})

MIRRORED = {
    "one vCPU is one of everything": ([(SMT, {0: 8})], (1, 1, 1)),
    "two vCPUs on one core are its threads": (
        [(SMT, {0: 0, 1: 8})],
        (1, 1, 2),
    ),
    "the order of the threads of a core does not matter": (
        [(SMT, {0: 8, 1: 0})],
        (1, 1, 2),
    ),
    "two whole cores": ([(SMT, {0: 0, 1: 8, 2: 3, 3: 11})], (1, 2, 2)),
    "one thread of each core": ([(SMT, {0: 0, 1: 9, 2: 2})], (1, 3, 1)),
    "cores without SMT": ([(NO_SMT, {0: 3, 1: 1})], (1, 2, 1)),
    "half of the threads of each core": (
        [(SMT4, {0: 0, 1: 2, 2: 7, 3: 4})],
        (1, 2, 2),
    ),
    "a core and a half are not alike": (
        [(SMT, {0: 0, 1: 8, 2: 1})],
        None,
    ),
    "three threads of one core and one of the other": (
        [(SMT4, {0: 0, 1: 1, 2: 2, 3: 4})],
        None,
    ),
    "siblings that are not consecutive vCPUs": (
        [(SMT, {0: 0, 1: 1, 2: 8, 3: 9})],
        None,
    ),
    "guest cells that are alike are a socket each": (
        [
            (SMT, {0: 0, 1: 8, 2: 1, 3: 9}),
            (SMT_1, {4: 4, 5: 12, 6: 5, 7: 13}),
        ],
        (2, 2, 2),
    ),
    "no socket reaches over guest cells of different size": (
        [
            (SMT, {0: 0, 1: 8, 2: 1, 3: 9}),
            (SMT_1, {4: 4, 5: 12, 6: 5, 7: 13, 8: 6, 9: 14, 10: 7, 11: 15}),
        ],
        (3, 2, 2),
    ),
    "nor over guest cells with every other vCPU": (
        [(SMT, {0: 0, 2: 1}), (SMT_1, {1: 4, 3: 5})],
        (4, 1, 1),
    ),
    "guest cells that differ in threads": (
        [(SMT, {0: 0, 1: 8}), (SMT_1, {2: 4, 3: 5})],
        None,
    ),
    "a guest cell without vCPUs takes no socket": (
        [(SMT, {0: 0, 1: 8}), (SMT_1, {})],
        (1, 1, 2),
    ),
    "a host that does not tell its cores": (
        [(HostCell(0, dedicated={0, 1}), {0: 0, 1: 1})],
        None,
    ),
}


@pytest.mark.parametrize("cells, expected", MIRRORED.values(), ids=MIRRORED)
def test_the_topology_follows_the_threads(cells, expected):
    found = domain_xml.mirrored(on(*cells))
    assert found == (Topology(*expected) if expected else None)


def test_a_guest_with_a_floating_vcpu_has_no_threads_to_follow():
    host = HostCell(
        0,
        dedicated={0, 8},
        shared={1, 9},
        siblings=[{0, 8}, {1, 9}],
        memory_kib=1 << 20,
    )
    guest = GuestCell(frozenset({0, 1}), frozenset({2, 3}))
    placement = fit(Host((host,)), Request((guest,), CpuPolicy.MIXED))
    assert placement
    assert domain_xml.mirrored(placement) is None
    assert domain_xml.topology(placement) == (4, 1, 1)


WHOLE_CORE = on((SMT, {0: 0, 1: 8}))
TOPOLOGIES = {
    "the host's": (Settings(), (1, 1, 2)),
    "Nova's, where that is configured": (Settings(mirror=False), (2, 1, 1)),
    "the one asked for": (Settings(topology=Topology(1, 2, 1)), (1, 2, 1)),
    "the one asked for, whatever is configured": (
        Settings(topology=Topology(1, 2, 1), mirror=False),
        (1, 2, 1),
    ),
}


@pytest.mark.parametrize("settings, expected", TOPOLOGIES.values(),
                         ids=TOPOLOGIES)
def test_whose_topology(settings, expected):
    assert domain_xml.topology(WHOLE_CORE, settings) == expected


TWO_CELLS = on((SMT, {0: 0, 1: 8}), (SMT_1, {2: 4, 3: 12}))
EMULATOR = {
    "beside all vCPUs": (Settings(), {0, 8, 4, 12}),
    "beside those that do not run in real time": (
        Settings(realtime=frozenset({1, 2})),
        {0, 12},
    ),
    "on the pool": (Settings(emulator_pool=frozenset({1, 5})), {1, 5}),
    "near the first guest cell": (
        Settings(emulator_near_first_cell=True),
        {0, 8},
    ),
    "near the first guest cell with room": (
        Settings(emulator_near_first_cell=True, realtime=frozenset({0, 1})),
        {4, 12},
    ),
}


@pytest.mark.parametrize("settings, expected", EMULATOR.values(), ids=EMULATOR)
def test_where_emulator_threads_run(settings, expected):
    assert domain_xml.emulator_pcpus(TWO_CELLS, settings) == expected


def test_isolated_emulator_threads_of_a_guest_cell_without_vcpus():
    placement = on((SMT, {}), (SMT_1, {0: 4}), emulator_isolated=True)
    first = placement.cells[0]._replace(reserved=frozenset({0}))
    placement = placement._replace(cells=(first, placement.cells[1]))
    assert domain_xml.emulator_pcpus(placement) == {0}


def test_no_emulatorpin_where_real_time_leaves_no_pcpu():
    settings = Settings(realtime=frozenset({0, 1}))
    tune = domain_xml.cputune(WHOLE_CORE, settings)
    assert [child.tag for child in tune] == ["vcpupin", "vcpupin", "vcpusched"]


def test_a_guest_cell_without_vcpus_has_no_cpus():
    placement = on((SMT, {0: 0, 1: 8}), (SMT_1, {}))
    assert domain_xml.dumps(domain_xml.cpu(placement)) == (
        "<cpu>\n"
        "  <topology sockets='1' cores='1' threads='2'/>\n"
        "  <numa>\n"
        "    <cell id='0' cpus='0-1' memory='1048576' unit='KiB'/>\n"
        "    <cell id='1' memory='1048576' unit='KiB'/>\n"
        "  </numa>\n"
        "</cpu>\n"
    )


def test_distances_are_those_of_the_host_cells():
    near = cell(0, {0}, distances={0: 10, 1: 12, 2: 32})
    far = cell(2, {4}, distances={0: 32, 1: 31, 2: 10})
    placement = on((far, {0: 4}), (near, {1: 0}))
    written = domain_xml.cpu(placement, Settings(distances=True))
    assert domain_xml.dumps(written.find("numa")) == (
        "<numa>\n"
        "  <cell id='0' cpus='0' memory='1048576' unit='KiB'>\n"
        "    <distances>\n"
        "      <sibling id='0' value='10'/>\n"
        "      <sibling id='1' value='32'/>\n"
        "    </distances>\n"
        "  </cell>\n"
        "  <cell id='1' cpus='1' memory='1048576' unit='KiB'>\n"
        "    <distances>\n"
        "      <sibling id='0' value='32'/>\n"
        "      <sibling id='1' value='10'/>\n"
        "    </distances>\n"
        "  </cell>\n"
        "</numa>\n"
    )


NO_DISTANCES = {
    "unless asked": (False, {0: 10, 1: 21}, {0: 21, 1: 10}),
    "if any is unknown": (True, {0: 10, 1: 21}, {1: 10}),
    "if any is out of bounds": (True, {0: 10, 1: 300}, {0: 21, 1: 10}),
    "if a cell is not 10 from itself": (True, {0: 20, 1: 21}, {0: 21, 1: 10}),
    "if another cell is as near": (True, {0: 10, 1: 10}, {0: 21, 1: 10}),
}


@pytest.mark.parametrize("asked, first, second", NO_DISTANCES.values(),
                         ids=NO_DISTANCES)
def test_no_distances(asked, first, second):
    placement = on(
        (cell(0, {0}, distances=first), {0: 0}),
        (cell(1, {1}, distances=second), {1: 1}),
    )
    written = domain_xml.cpu(placement, Settings(distances=asked))
    assert written.findall(".//distances") == []


def test_no_distances_in_a_guest_of_one_cell():
    placement = on((cell(0, {0}, distances={0: 10}), {0: 0}))
    written = domain_xml.cpu(placement, Settings(distances=True))
    assert written.findall(".//distances") == []


def sized(page_size_kib, *sizes):
    host = cell(0, {0}, pages=[Pages(size, 1 << 20) for size in sizes])
    placement = on((host, {0: 0}))
    paged = placement.cells[0]._replace(page_size_kib=page_size_kib)
    return placement._replace(cells=(paged,))


@pytest.mark.parametrize(
    "placement, large",
    [
        (sized(2048, 4, 2048), True),
        (sized(4, 4, 2048), False),
        (sized(64, 64, 2048), False),
        (sized(None, 4, 2048), False),
        (sized(2048), True),
        (sized(4), False),
    ],
    ids=[
        "2 MiB beside 4 KiB",
        "4 KiB beside 2 MiB",
        "64 KiB where that is the smallest",
        "none asked for",
        "2 MiB on a host that reports no pages",
        "4 KiB on a host that reports no pages",
    ],
)
def test_only_pages_above_the_smallest_are_large(placement, large):
    backing = domain_xml.memory_backing(placement)
    assert (backing is not None) is large


INVALID = {
    "a priority that the kernel does not have": (
        lambda: Settings(realtime_priority=100),
        "guest settings: realtime_priority is 100, allowed is 1 to 99",
    ),
    "every problem, not only the first": (
        lambda: Settings(realtime_priority=0, iothreads=-1),
        "guest settings: realtime_priority is 0, allowed is 1 to 99; "
        "iothreads is -1, allowed is 0 to 65535",
    ),
    "a topology of nothing": (
        lambda: Settings(topology=Topology(0, 2, 1)),
        "guest settings: the topology of 0 sockets x 2 cores x 1 threads has "
        "a number below 1",
    ),
    "a topology of other vCPUs": (
        lambda: domain_xml.elements(
            WHOLE_CORE, Settings(topology=Topology(2, 2, 1))
        ),
        "guest settings: 2 sockets x 2 cores x 1 threads are not 2 vCPUs",
    ),
    "real time for a vCPU that is not there": (
        lambda: domain_xml.elements(
            WHOLE_CORE, Settings(realtime=frozenset({1, 2, 3}))
        ),
        "guest settings: vCPUs 2-3 are to run in real time, and the guest "
        "does not have them",
    ),
    "memory from files with a page size": (
        lambda: domain_xml.elements(
            sized(4, 4, 2048), Settings(file_backed=True)
        ),
        "guest settings: memory backed by files has no page size, and the "
        "guest asks for one",
    ),
}


@pytest.mark.parametrize("make, message", INVALID.values(), ids=INVALID)
def test_settings_that_cannot_be(make, message):
    with pytest.raises(InvalidSettings) as caught:
        make()
    assert str(caught.value) == message


HOSTILE = "it's </name><name a='1' b=\"2\">&amp; <![CDATA[ -->"


def test_hostile_text_stays_text():
    text = domain_xml.dumps(
        domain_xml.domain(WHOLE_CORE, Settings(), HOSTILE)
    )
    read = etree.fromstring(text)
    assert [child.text for child in read.findall("name")] == [HOSTILE]
    assert len(read.findall("name")[0]) == 0


def test_hostile_text_in_an_attribute_stays_there():
    text = domain_xml.dumps(etree.Element("a", one=HOSTILE, two="'"))
    assert dict(etree.fromstring(text).attrib) == {"one": HOSTILE, "two": "'"}


def test_what_xml_cannot_carry_is_refused():
    with pytest.raises(ValueError, match="XML compatible"):
        domain_xml.domain(WHOLE_CORE, Settings(), "bell \x07")
