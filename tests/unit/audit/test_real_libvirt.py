"""A real libvirt and QEMU, and what is done to them by hand, is found."""

import pathlib
import subprocess

import pytest

from pinning_filter.audit import node, observation
from pinning_filter.core.fit import fit
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.libvirt import capabilities
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.libvirt.domain import Settings
from tests.unit import libvirtd

LACKING = libvirtd.lacking()
pytestmark = [
    pytest.mark.libvirt,
    pytest.mark.skipif(
        bool(LACKING), reason=f"a private libvirtd needs {LACKING}"
    ),
]
SETTINGS = observation.Settings(frozenset({0, 1}), frozenset())
HAND_MADE = """
<domain type='qemu'><name>by-hand</name><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>
"""


class ByVirsh:
    """libvirt-python's connection and domain, by way of virsh."""

    def __init__(self, virsh, domain=None):
        self._virsh, self._domain = virsh, domain

    def listAllDomains(self, flags):
        return [ByVirsh(self._virsh, name)
                for name in self._virsh("list", "--name").split()]

    def name(self):
        return self._domain

    def isPersistent(self):
        return "Persistent:     yes" in self._virsh("dominfo", self._domain)

    def XMLDesc(self, flags):
        inactive = ["--inactive"] if flags else []
        return self._virsh("dumpxml", self._domain, *inactive)


@pytest.fixture(scope="module")
def virsh(tmp_path_factory):
    with libvirtd.private(tmp_path_factory.mktemp("libvirt")) as virsh:
        yield virsh


@pytest.fixture
def pinned(virsh):
    """A guest on pCPUs 0 and 1 that libvirt keeps; its name."""
    request = Request((GuestCell(frozenset({0, 1}), memory_kib=64 << 10),))
    placement = fit(capabilities.read(virsh("capabilities")), request)
    document = domain_xml.domain(placement, Settings(), "pinned", "qemu")
    virsh("define", "/dev/stdin", stdin=domain_xml.dumps(document))
    virsh("start", "pinned")
    yield "pinned"
    virsh("destroy", "pinned")
    virsh("undefine", "pinned")


@pytest.fixture
def look(virsh):
    """Look, with every domain that is kept taken for Nova's."""
    observer = observation.Observer(lambda: ByVirsh(virsh))

    def look():
        return observer.look("a", SETTINGS, memory=True)

    return look


def codes(seen):
    known = {each.live.uuid for each in seen.domains if each.defined}
    return [each.code.value for each in node.findings(seen, known)]


def test_a_guest_as_it_was_started(pinned, look):
    seen = look()
    (domain,) = seen.domains
    assert domain.threads.vcpus == {0: {0}, 1: {1}}
    assert domain.threads.iothreads == {1: {0, 1}}
    assert domain.memory.bound and set(domain.memory.cells_kib) == {0}
    assert codes(seen) == []


def test_a_pin_changed_live(pinned, look, virsh):
    virsh("vcpupin", pinned, "1", "0", "--live")
    assert codes(look()) == ["pin-changed", "pcpu-run-twice"]
    (finding, _) = node.findings(look(), {look().domains[0].live.uuid})
    virsh(*finding.remedy.split()[1:])
    assert codes(look()) == []


def test_an_affinity_changed_by_taskset(pinned, look, virsh):
    uuid = look().domains[0].live.uuid
    pid = subprocess.run(
        ["pgrep", "-f", uuid], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    (task,) = [
        each for each in pathlib.Path(f"/proc/{pid}/task").iterdir()
        if (each / "comm").read_text() == "CPU 1/TCG\n"
    ]
    subprocess.run(["taskset", "-pc", "0-1", task.name], check=True,
                   capture_output=True)
    (finding,) = node.findings(look(), {uuid})
    assert (finding.code.value, finding.expected, finding.seen) == (
        "thread-elsewhere", "vCPU 1 on pCPU 1", "vCPU 1 on pCPUs 0-1"
    )
    virsh(*finding.remedy.split()[1:])
    assert codes(look()) == []


def test_a_domain_started_by_hand(pinned, look, virsh):
    virsh("create", "/dev/stdin", stdin=HAND_MADE)
    try:
        assert codes(look()) == ["domain-unknown", "floating-on-dedicated"]
    finally:
        virsh("destroy", "by-hand")
