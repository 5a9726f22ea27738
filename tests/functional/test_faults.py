"""What a tenant reads where the Placement API has no candidate at all."""

import logging
import threading

import pytest

from pinning_filter.core.synthetic import host
from pinning_filter.scheduler import no_valid_host, placement_offers
from tests.functional.moves import placement_usage

PINNED = {"hw__cpu_policy": "dedicated"}
REQUIRE = {**PINNED, "hw__cpu_thread_policy": "require"}
ISOLATE = {**PINNED, "hw__cpu_thread_policy": "isolate"}
NOVA_S = "No valid host was found. "


@pytest.fixture
def smt(cloud):
    """Two computes with SMT, of four and of eight pCPUs."""
    cloud.add_compute("small", host("cell:1(memory=8GiB) core:2 pu:2"))
    cloud.add_compute("large", host("cell:1(memory=8GiB) core:4 pu:2"))
    return cloud


@pytest.fixture
def fault(run):
    """Boot a server that must fail: its fault, which ``explain`` says too."""

    def boot(cloud, *flavor, explained=True, **options):
        server = cloud.boot(cloud.flavor(*flavor, **options))
        assert server.status == "ERROR"
        if explained:
            status, out, _ = run("explain", server.id)
            assert status == 3
            nova_says, _, sentence, *_ = out.splitlines()
            assert nova_says == f"Nova says: {server.fault}"
            assert f"No valid host was found. {sentence}" == server.fault
        return server.fault

    return boot


@pytest.mark.parametrize(
    ("vcpus", "ram", "wishes", "text"),
    [
        pytest.param(
            9, 1024, PINNED,
            "No host can take 9 pinned vCPUs in one NUMA cell: 9 PCPU are "
            "needed on one host, the best of 2 hosts has 8 even when empty.",
            id="larger than any host",
        ),
        pytest.param(
            2, 1024, ISOLATE,
            "No host can take 2 pinned vCPUs in one NUMA cell with thread "
            "policy isolate: 2 hosts have SMT, which "
            "hw:cpu_thread_policy=isolate rules out there.",
            id="isolate with SMT",
        ),
        pytest.param(
            2, 9000, PINNED,
            "No host can take 2 pinned vCPUs in one NUMA cell: 9000 MiB of "
            "memory are needed on one host, the best of 2 hosts has 7680 even "
            "when empty.",
            id="memory",
        ),
        pytest.param(
            2, 1024, {**PINNED, "trait__HW_CPU_X86_AVX512F": "required"},
            "No host can take 2 pinned vCPUs in one NUMA cell: 2 hosts lack "
            "the trait HW_CPU_X86_AVX512F.",
            id="a trait",
        ),
    ],
)
def test_what_no_host_has(smt, vcpus, ram, wishes, text, fault):
    assert fault(smt, vcpus, ram, **wishes) == NOVA_S + text


def test_a_full_host(smt, fault):
    for name, size in (("small", 4), ("large", 8)):
        server = smt.boot(smt.flavor(size, **PINNED), host=name)
        assert server.status == "ACTIVE"
    assert fault(smt, 2, **PINNED) == (
        "No valid host was found. No host can take 2 pinned vCPUs in one NUMA "
        "cell: 2 PCPU are needed on one host, the best of 2 hosts has 0 free."
    )


def test_require_without_smt(cloud, fault):
    cloud.add_compute("plain", host("cell:1(memory=8GiB) core:4"))
    assert fault(cloud, 2, **REQUIRE) == (
        "No valid host was found. No host can take 2 pinned vCPUs in one NUMA "
        "cell with thread policy require: 1 host has no SMT, which "
        "hw:cpu_thread_policy=require needs."
    )


def test_no_dedicated_cpus_at_all(cloud, fault):
    made = host("cell:1(memory=8GiB) core:4")
    (cell,) = made.cells
    shared = cell._replace(
        dedicated=frozenset(), free=frozenset(), shared=cell.dedicated
    )
    cloud.add_compute("shared", made._replace(cells=(shared,)))
    # Nova asks for VCPU, too, and the filter is asked.
    assert fault(cloud, 2, **PINNED) == (
        "No valid host was found. No host can take 2 pinned vCPUs in one NUMA "
        "cell: 2 dedicated pCPUs are needed in one NUMA cell, 1 host has 0 "
        "even when empty."
    )
    assert fault(cloud, 5, **PINNED) == (
        "No valid host was found. No host can take 5 pinned vCPUs in one NUMA "
        "cell: 1 host has no dedicated CPUs."
    )


def test_several_servers_are_told_too(smt):
    servers = smt.boot_many(3, smt.flavor(9, **PINNED))
    assert {server.fault for server in servers} == {
        "No valid host was found. No host can take 9 pinned vCPUs in one NUMA "
        "cell: 9 PCPU are needed on one host, the best of 2 hosts has 8 even "
        "when empty."
    }


def test_of_several_those_that_were_placed_give_back_what_they_had(smt):
    servers = smt.boot_many(4, smt.flavor(4, **PINNED))
    (text,) = {server.fault for server in servers}
    assert text == (
        "No valid host was found. No host can take 4 pinned vCPUs in one NUMA "
        "cell: 4 free pCPUs are needed in one NUMA cell, the best of 2 hosts "
        "has 0."
    )
    assert placement_usage(smt, "small") == placement_usage(smt, "large") == 0


def test_it_is_in_the_log_in_any_case(cloud, caplog, fault):
    cloud.add_compute("plain", host("cell:1(memory=8GiB) core:4"))
    cloud.configure("pinning_filter", explain_in_fault=False)
    with caplog.at_level(logging.INFO):
        assert fault(cloud, 2, **REQUIRE, explained=False) == NOVA_S
    (line,) = (
        record.getMessage()
        for record in caplog.records
        if record.name.endswith("no_valid_host")
    )
    assert line.startswith("No valid host for request req-")
    assert line.endswith(
        "1 host has no SMT, which hw:cpu_thread_policy=require needs."
    )


@pytest.mark.parametrize("how", ["it raises", "it hangs"])
def test_a_placement_api_that_does_not_answer(cloud, monkeypatch, how, fault):
    cloud.add_compute("plain", host("cell:1(memory=8GiB) core:4"))
    release = threading.Event()

    def of(*args):
        if how == "it raises":
            raise OSError("it answers 503")
        release.wait(60)
        return []

    monkeypatch.setattr(placement_offers, "of", of)
    monkeypatch.setattr(no_valid_host, "TIMEOUT", 0.2)
    try:
        assert fault(cloud, 2, **REQUIRE, explained=False) == NOVA_S
        assert fault(cloud, 2, **REQUIRE, explained=False) == NOVA_S
    finally:
        release.set()


def test_servers_without_a_numa_topology_are_nova_s(smt, fault):
    assert fault(smt, 100, explained=False) == NOVA_S


def test_without_the_filter_nothing_is_told(stock_cloud, fault):
    stock_cloud.add_compute("plain", host("cell:1(memory=8GiB) core:4"))
    assert fault(stock_cloud, 2, **REQUIRE, explained=False) == NOVA_S
