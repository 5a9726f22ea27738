"""What a real libvirt and QEMU make of our XML; QEMU emulates (TCG)."""

import re

import pytest
from lxml import etree

from pinning_filter.core.fit import fit
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.libvirt import capabilities
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.libvirt.domain import Settings
from tests.unit import libvirtd
from tests.unit.guests import DATA, GUESTS

LACKING = libvirtd.lacking()
pytestmark = [
    pytest.mark.libvirt,
    pytest.mark.skipif(
        bool(LACKING), reason=f"a private libvirtd needs {LACKING}"
    ),
]


@pytest.fixture(scope="module")
def virsh(tmp_path_factory):
    with libvirtd.private(tmp_path_factory.mktemp("libvirt")) as virsh:
        yield virsh


@pytest.fixture
def create(virsh):
    """Place a guest on this machine, and boot it."""
    created = []

    def create(request, settings=Settings(), **pcpus):  # noqa: B008
        host = capabilities.read(virsh("capabilities"), **pcpus)
        placement = fit(host, request)
        assert placement, placement.text
        name = f"guest-{len(created)}"
        document = domain_xml.domain(placement, settings, name, kind="qemu")
        created.append(name)
        virsh("create", "/dev/stdin", stdin=domain_xml.dumps(document))
        return name, document

    yield create
    for name in created:
        virsh("destroy", name)


def columns(text):
    return dict(line.split() for line in text.splitlines() if line.strip())


def dedicated(*vcpus, thread_policy=ThreadPolicy.PREFER):
    guest_cell = GuestCell(frozenset(vcpus), memory_kib=64 << 10)
    return Request((guest_cell,), thread_policy=thread_policy)


def test_two_vcpus_on_the_threads_of_one_core(create, virsh):
    name, _ = create(dedicated(0, 1, thread_policy=ThreadPolicy.REQUIRE))
    assert columns(virsh("vcpupin", name)) == {"0": "0", "1": "1"}
    assert virsh("emulatorpin", name).split() == ["0-1"]
    assert columns(virsh("iothreadinfo", name)) == {"1": "0-1"}
    threads = virsh.threads(name)
    assert threads["CPU 0/TCG"] == "0"
    assert threads["CPU 1/TCG"] == "1"
    assert threads["IO iothread1"] == "0-1"
    shown = etree.fromstring(virsh("dumpxml", name)).find("cpu/topology")
    assert [shown.get(each) for each in ("sockets", "cores", "threads")] == [
        "1",
        "1",
        "2",
    ]


def test_a_floating_vcpu_beside_a_dedicated_one(create, virsh):
    guest_cell = GuestCell(frozenset({1}), frozenset({0}), 64 << 10)
    name, _ = create(
        Request((guest_cell,), CpuPolicy.MIXED), dedicated={1}, shared={0}
    )
    assert columns(virsh("vcpupin", name)) == {"0": "0", "1": "1"}
    threads = virsh.threads(name)
    assert (threads["CPU 0/TCG"], threads["CPU 1/TCG"]) == ("0", "1")


def test_emulator_threads_on_a_pcpu_of_their_own(create, virsh):
    request = Request(
        (GuestCell(frozenset({0}), memory_kib=64 << 10),),
        emulator_isolated=True,
    )
    name, _ = create(request)
    assert columns(virsh("vcpupin", name)) == {"0": "0"}
    assert virsh("emulatorpin", name).split() == ["1"]
    assert virsh.threads(name)["IO iothread1"] == "1"


def lines_of(tag, text):
    """An element as it stands in a document."""
    found = re.search(rf"^  <{tag}\b.*?(</{tag}>|/>)$", text, re.M | re.S)
    return found[0].splitlines() if found else []


@pytest.mark.parametrize("name", GUESTS)
def test_libvirt_prints_what_we_wrote(name, virsh):
    golden = DATA / "domain" / f"{name.replace(' ', '-')}.xml"
    written = golden.read_text("utf-8").replace("'kvm'", "'qemu'")
    virsh("define", "/dev/stdin", stdin=written)
    shown = virsh("dumpxml", "--inactive", "guest")
    virsh("undefine", "guest")
    for tag in ("memoryBacking", "vcpu", "iothreads", "numatune"):
        assert lines_of(tag, shown) == lines_of(tag, written)
    assert lines_of("cputune", one_a_vcpu(shown)) == lines_of(
        "cputune", one_a_vcpu(written)
    )
    # libvirt adds a model, and the levels that it has between socket and core.
    shown_cpu = etree.fromstring(shown).find("cpu")
    written_cpu = etree.fromstring(written).find("cpu")
    assert domain_xml.dumps(shown_cpu.find("numa")) == domain_xml.dumps(
        written_cpu.find("numa")
    )
    assert (
        written_cpu.find("topology").attrib.items()
        <= shown_cpu.find("topology").attrib.items()
    )


def one_a_vcpu(text):
    """``<vcpusched>`` for each vCPU, into which libvirt takes it apart."""

    def apart(line):
        first, _, last = line["vcpus"].partition("-")
        return "\n".join(
            f"{line['start']}'{vcpu}'{line['rest']}"
            for vcpu in range(int(first), int(last or first) + 1)
        )

    return re.sub(
        r"(?P<start> *<vcpusched vcpus=)'(?P<vcpus>[-\d]+)'(?P<rest>.*)",
        apart,
        text,
    )


def test_a_guest_cell_without_vcpus_is_taken(virsh):
    # Nova writes cpus='' here, which libvirt cannot read.
    written = domain_xml.dumps(_with_memory_alone())
    virsh("define", "/dev/stdin", stdin=written)
    shown = virsh("dumpxml", "--inactive", "guest")
    virsh("undefine", "guest")
    assert "<cell id='1' memory='65536' unit='KiB'/>" in shown


def _with_memory_alone():
    host = capabilities.read(
        (DATA / "capabilities-2-cells-smt.xml").read_bytes()
    )
    cells = (
        GuestCell(frozenset({0, 1}), memory_kib=64 << 10),
        GuestCell(memory_kib=64 << 10),
    )
    placement = fit(host, Request(cells))
    return domain_xml.domain(placement, Settings(), "guest", kind="qemu")
