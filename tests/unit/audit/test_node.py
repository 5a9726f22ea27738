"""What a compute node by itself is found to do, and what is no finding."""

import pathlib

import pytest

from pinning_filter.audit import machine, memory, node
from pinning_filter.kernel.guests import Memory
from tests.unit.audit.observed import (
    bound,
    domain,
    kernel,
    running,
    seen,
    settings,
)
from tests.unit.audit.test_books import codes_of

MIB = 1 << 10


def found(observed, known=None):
    """Findings, each as code, server and pCPUs."""
    return [
        (each.code.value, each.server, set(each.pcpus))
        for each in node.findings(observed, known)
    ]


def codes(observed, known=None):
    return [code for code, *_ in found(observed, known)]


def one(observed):
    (finding,) = node.findings(observed)
    return finding.expected, finding.seen, finding.remedy


@pytest.mark.parametrize(
    "observed",
    [
        seen(),
        seen(running("x", "1", "2"), running("y", "5", "6", emulator="7")),
        seen(running("x", "1", "2", emulator="0")),
        seen(running("x", "0,4", "0,4")),
        seen(running("x", "0", "0", emulator="0")),
        seen(running("x", "0", "1", "2")),
        seen(running("x", "0-7", "0-7"), running("y", "1", "2"),
             settings=settings("0-7", "0-7")),
        seen(running("x", None), running("y", "1", "2"),
             settings=settings("0-7", None)),
        seen(kernel=kernel(online="0-6"), settings=settings(managed=True)),
        seen(kernel=kernel(isolated="1-3,5-7", nohz_full="1-3,5-7",
                           irqs="0,4")),
        seen(settings=settings(dedicated="", shared=None)),
    ],
    ids=[
        "nobody runs",
        "pinned guests, one with isolated emulator threads",
        "emulator threads that share",
        "floating guests",
        "floating vCPUs of a host cell with one shared pCPU",
        "a mixed guest",
        "pinned and floating guests by vcpu_pin_set",
        "pinned and floating guests where no set is given",
        "a dedicated pCPU that Nova switched off",
        "isolation of all dedicated pCPUs",
        "a host without pinned guests",
    ],
)
def test_no_finding(observed):
    assert list(node.findings(observed)) == []


def test_a_pin_changed_live():
    changed = domain(running("x", "1", "1"), {"vcpus": {
        0: frozenset({1}), 1: frozenset({2})}})
    assert found(seen(changed)) == [
        ("pin-changed", "uuid-x", {1}), ("pcpu-run-twice", "uuid-x", {1}),
    ]
    pin, twice = node.findings(seen(changed))
    assert (pin.expected, pin.seen, pin.remedy) == (
        "vCPU 1 on pCPU 2", "vCPU 1 on pCPU 1",
        "virsh vcpupin x 1 2 --live",
    )
    assert twice.seen == "vCPUs of uuid-x, twice"


def test_a_thread_whose_affinity_was_changed():
    moved = domain(
        running("x", "1", "2"), threads={"vcpus": {
            0: frozenset({1}), 1: frozenset({0, 1, 2})}})
    assert found(seen(moved)) == [("thread-elsewhere", "uuid-x", {1})]
    assert one(seen(moved)) == (
        "vCPU 1 on pCPU 2", "vCPU 1 on pCPUs 0-2",
        "virsh vcpupin x 1 2 --live",
    )


def test_emulator_and_io_threads_elsewhere():
    every = frozenset(range(8))
    moved = domain(running("x", "1", "2"), threads={
        "emulator": every, "iothreads": {1: every}})
    assert one(seen(moved)) == (
        "emulator, iothread 1 on pCPUs 1-2",
        "emulator, iothread 1 on pCPUs 0-7",
        "virsh emulatorpin x 1-2 --live && "
        "virsh iothreadpin x 1 1-2 --live",
    )


def test_a_pcpu_switched_off_is_no_other_affinity():
    """The kernel leaves it out of the lists, or runs the thread anywhere."""
    observed = seen(
        domain(running("x", "1", "2", emulator="0"), threads={
            "vcpus": {0: frozenset({1}), 1: frozenset({0, 1, 3})}}),
        kernel=kernel(online="0-1,3-7"),
    )
    assert found(observed) == [("pcpu-offline", "", {2})]


def test_two_guests_on_a_pcpu():
    observed = seen(running("x", "1", "2"), running("y", "2", "3"))
    assert found(observed) == [("pcpu-run-twice", "uuid-y", {2})]
    assert one(observed) == (
        "one guest thread on pCPU 2", "vCPUs of uuid-x, uuid-y",
        "openstack server migrate --wait uuid-y",
    )


def test_emulator_threads_on_another_s_pcpu():
    observed = seen(running("x", "1", "2"), running("y", "5", emulator="2"))
    assert found(observed) == [("pcpu-run-twice", "uuid-y", {2})]


@pytest.mark.parametrize(
    ("live", "which"),
    [
        (running("x", "0-2", "0"), {1, 2}),
        (running("x", None, "0"), {1, 2, 3, 5, 6, 7}),
        (running("x", "1-3", "1-3", emulator="0"), {1, 2, 3}),
        (running("x", "0,4", "0,4", emulator="5"), {5}),
    ],
    ids=["a vCPU in part", "a vCPU without a pin", "all vCPUs",
         "emulator threads"],
)
def test_floating_threads_on_dedicated_pcpus(live, which):
    assert found(seen(live)) == [("floating-on-dedicated", "uuid-x", which)]


def test_floating_threads_are_pinned_to_the_shared_pcpus():
    expected, observed, remedy = one(seen(running("x", "0-1")))
    assert (expected, observed) == (
        "not on pCPUs 1-3,5-7",
        "vCPU 0, emulator, iothread 1 on pCPUs 0-1",
    )
    assert remedy.startswith("virsh vcpupin x 0 0,4 --live && ")


def test_a_domain_started_by_hand():
    by_hand = running("x; reboot", "1", by_nova=False, server="")
    assert found(seen(by_hand)) == [
        ("domain-unknown", "uuid-x; reboot", {1})
    ]
    assert one(seen(by_hand)) == (
        "a server of Nova's", "domain x; reboot runs on pCPU 1",
        "virsh destroy 'uuid-x; reboot'",
    )


def test_a_server_that_nova_has_forgotten():
    observed = seen(running("x", "1"), running("y", "2"))
    assert found(observed, {"uuid-y"}) == [("domain-unknown", "uuid-x", {1})]


def test_a_set_that_has_shrunk():
    observed = seen(running("x", "1", "2"), settings=settings("1", "0,4"))
    assert codes(observed) == ["pcpu-not-dedicated"]
    assert one(observed)[:2] == ("pCPUs of 1", "pinned to 2")


def test_xml_that_cannot_be_read():
    observed = seen(unread={"x": "domain: it is not XML"})
    assert codes(observed) == ["domain-unreadable"]


@pytest.mark.parametrize(
    ("said", "code", "remedy"),
    [
        ({"online": "0-6"}, "pcpu-offline", "chcpu -e 7"),
        ({"isolated": "1-3"}, "isolcpus-differs", "isolcpus=1-3,5-7,"),
        ({"isolated": "0-3,5-7"}, "isolcpus-differs", "isolcpus=1-3,5-7,"),
        ({"nohz_full": "1"}, "nohz-full-differs", "nohz_full=1-3,5-7,"),
        ({"irqs": "0-1"}, "irqs-on-dedicated", "irqaffinity=0,"),
        ({"guests": "0-5"}, "cpuset-too-narrow", "AllowedCPUs=0-7"),
    ],
    ids=[
        "a pCPU offline",
        "isolcpus for some dedicated pCPUs",
        "isolcpus for a shared pCPU, too",
        "nohz_full for some dedicated pCPUs",
        "interrupts on a dedicated pCPU",
        "a cgroup without some dedicated pCPUs",
    ],
)
def test_what_the_kernel_was_told(said, code, remedy):
    observed = seen(kernel=kernel(**said))
    assert codes(observed) == [code]
    assert remedy in one(observed)[2]


def placed(*cells, bound=True, size=4):
    """Memory on these host cells, in MiB."""
    kib = {number: mib * MIB for number, mib in enumerate(cells) if mib}
    return Memory(bound, kib, {size: sum(kib.values())})


@pytest.mark.parametrize(
    ("live", "there", "expected"),
    [
        (bound("x", "1"), placed(512), []),
        (bound("x", "1"), placed(507, 5), []),
        (bound("x", "1"), placed(500, 12), ["memory-elsewhere"]),
        (bound("x", "1"), placed(0, 50), ["memory-elsewhere"]),
        (bound("x", "1", page_sizes_kib=frozenset({2048})),
         placed(512, size=2048), []),
        (bound("x", "1", page_sizes_kib=frozenset({2048})),
         placed(512, size=4), ["pages-differ"]),
        (running("x", "0,4"), placed(200, 300, bound=False), []),
    ],
    ids=["where it should be", "less than a hundredth is not",
         "more than a hundredth is not", "all of it is not",
         "in large pages", "in small pages instead of large ones",
         "a guest that may have it anywhere"],
)
def test_a_guest_s_memory(live, there, expected):
    assert codes(seen(domain(live, memory=there))) == expected


@pytest.mark.parametrize(
    ("touched", "floating", "expected"),
    [
        (0, 300, ["cell-memory-short"]),
        (255, 300, ["cell-memory-short"]),
        (256, 300, []),
        (0, 0, []),
    ],
    ids=["all is still owed", "more than there is left is owed",
         "as much as there is left is owed",
         "only guests that are bound have any"],
)
def test_memory_promised_that_floating_guests_have(
    touched, floating, expected
):
    """The guest is bound to a cell with 256 MiB left, and has 512 MiB."""
    observed = seen(
        domain(bound("x", "1"), memory=placed(touched)),
        domain(running("y", "0,4"), memory=placed(floating, bound=False)),
    )
    assert codes(observed) == expected


def test_memory_that_was_not_seen_is_not_counted():
    observed = seen(
        domain(bound("x", "1"), memory=placed(0)),
        domain(running("y", "0,4"), memory=None),
    )
    assert codes(observed) == []


def test_nothing_is_said_of_a_kernel_that_says_nothing():
    silent = kernel(cells={})
    for name in ("online", "present", "isolated", "nohz_full", "irqs"):
        object.__setattr__(silent, name, None)
    assert codes(seen(running("x", "1", "2"), kernel=silent)) == []


def test_every_code_of_a_node_is_told_here():
    text = pathlib.Path(__file__).read_text("utf-8")
    told = codes_of(node, machine, memory)
    assert len(told) == 15
    assert {code for code in told if f'"{code}"' not in text} == set()
