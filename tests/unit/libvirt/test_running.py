"""What a running domain's XML says of its threads and its memory."""

import pytest

from pinning_filter.core import cpuset
from pinning_filter.libvirt import running

NOVA = """
<metadata>
 <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
  <nova:name>web &amp; mail</nova:name>
 </nova:instance>
</metadata>"""


def domain(*elements, vcpu="<vcpu>2</vcpu>"):
    return running.read(
        "<domain type='kvm' id='3'><name>instance-00000001</name>"
        "<uuid>11111111-2222-4333-8444-555555555555</uuid>"
        f"<memory unit='KiB'>524288</memory>{vcpu}{''.join(elements)}"
        "</domain>"
    )


def pins(**pcpus):
    """Elements that pin: ``emulator``, ``vN`` and ``ioN``."""
    made = []
    for name, text in pcpus.items():
        if name == "emulator":
            made.append(f"<emulatorpin cpuset='{text}'/>")
        elif name.startswith("io"):
            made.append(f"<iothreadpin iothread='{name[2:]}' "
                        f"cpuset='{text}'/>")
        else:
            made.append(f"<vcpupin vcpu='{name[1:]}' cpuset='{text}'/>")
    return f"<cputune>{''.join(made)}</cputune>"


def test_a_pinned_guest_of_nova_s():
    found = domain(
        NOVA,
        "<iothreads>1</iothreads>",
        pins(v0="4", v1="6", emulator="4,6", io1="4,6"),
        "<numatune><memory mode='strict' nodeset='1'/>"
        "<memnode cellid='0' mode='strict' nodeset='1'/></numatune>",
        "<memoryBacking><hugepages><page size='2' unit='MiB' nodeset='0'/>"
        "</hugepages></memoryBacking>",
        "<cpu><numa><cell id='0' cpus='0-1' memory='512' unit='MiB'/></numa>"
        "</cpu>",
    )
    assert found == running.Running(
        uuid="11111111-2222-4333-8444-555555555555",
        name="instance-00000001",
        by_nova=True,
        server="web & mail",
        vcpus={0: frozenset({4}), 1: frozenset({6})},
        emulator=frozenset({4, 6}),
        iothreads={1: frozenset({4, 6})},
        memory_kib=524288,
        nodes=frozenset({1}),
        cell_nodes={0: frozenset({1})},
        cell_memory_kib={0: 524288},
        page_sizes_kib=frozenset({2048}),
    )
    assert found.pinning == {0: 4, 1: 6}


def test_a_guest_made_by_hand_that_may_run_anywhere():
    found = domain("<iothreads>1</iothreads>")
    assert not found.by_nova and found.server == ""
    assert found.vcpus == {0: None, 1: None}
    assert (found.emulator, found.iothreads) == (None, {1: None})
    assert (found.nodes, found.page_sizes_kib) == (None, frozenset())


def test_what_is_not_pinned_by_itself_is_where_all_vcpus_are():
    found = domain(
        "<iothreads>1</iothreads>", pins(v1="3"),
        vcpu="<vcpu cpuset='0-3'>2</vcpu>",
    )
    assert found.vcpus == {0: {0, 1, 2, 3}, 1: {3}}
    assert found.emulator == found.iothreads[1] == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("pcpus", "held"),
    [
        ({"v0": "4", "v1": "5", "emulator": "4-5"}, "4-5"),
        ({"v0": "4", "v1": "5", "emulator": "7"}, "4-5,7"),
        ({"v0": "4", "v1": "5", "io1": "6"}, "4-6"),
        ({"v0": "4", "v1": "5", "emulator": "0-1"}, "4-5"),
        ({"v0": "0-3", "v1": "4", "emulator": "0-4"}, "4"),
        ({"v0": "0-3", "v1": "0-3", "emulator": "0-3"}, ""),
        ({"v0": "4-7", "v1": "4-7", "emulator": "4"}, ""),
        ({"v0": "0", "v1": "0", "emulator": "0"}, ""),
        ({}, ""),
    ],
    ids=[
        "dedicated vCPUs",
        "emulator threads that are isolated",
        "I/O threads that are isolated",
        "emulator threads that share",
        "a mixed guest",
        "floating vCPUs of a host cell",
        "vCPUs that float where others are pinned",
        "one shared pCPU for all that float",
        "a guest without NUMA topology",
    ],
)
def test_what_it_holds_of_the_dedicated_pcpus(pcpus, held):
    found = domain(pins(**pcpus)).held(frozenset({4, 5, 6, 7}))
    assert cpuset.format(found) == held


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not XML"),
        ("<capabilities/>", "wanted is <domain> as virsh dumpxml prints it"),
        ("<!DOCTYPE a><domain/>", "it has a DOCTYPE"),
        ("<domain><vcpu>many</vcpu></domain>", "'many' is not a number"),
        ("<domain><vcpu>9999999999</vcpu></domain>", "is not a number"),
        ("<domain><cputune><emulatorpin cpuset='all'/></cputune></domain>",
         "'all' in the CPU list 'all' is none of"),
        ("<domain><memory unit='pages'>1</memory></domain>",
         "'1' is no amount of memory"),
    ],
)
def test_what_is_no_domain(text, problem):
    with pytest.raises(running.InvalidDomain, match=r"^domain: ") as raised:
        running.read(text)
    assert problem in str(raised.value)


def test_every_problem_is_told():
    with pytest.raises(running.InvalidDomain) as raised:
        domain(pins(v0="x", emulator="y"), vcpu="<vcpu>z</vcpu>")
    assert len(raised.value.problems) == 3
