"""``PinningFilter``: what the scheduler hands over, and what it gets back."""

import copy
import logging
import time

import pytest
from nova import objects
from nova.pci import stats
from nova.scheduler.filters import numa_topology_filter

from pinning_filter.core import cpuset, synthetic
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import filter as filter_module
from pinning_filter.scheduler.filter import PinningFilter
from tests.property import twins

objects.register_all()

UUID = "0b2a8a7c-0d5e-4c0c-9a4e-3f6f0d7f9a11"
PORTS = "5f0e9c51-6c1b-4f0a-8d3b-0f4a2f6f8f10"


class HostState:
    """What the scheduler knows of a host, as far as the filter reads it."""

    def __init__(self, text="cell:2 core:4 pu:2", used="", name="good"):
        self.host = self.nodename = name
        self.numa_topology = None
        if text:
            host = synthetic.host(text, cpuset.parse(used))
            self.numa_topology = twins.topology(host)
        self.cpu_allocation_ratio = 16.0
        self.ram_allocation_ratio = 1.5
        self.allocation_candidates = [{"mappings": {"": ["root"]}}]
        self.pci_stats = stats.PciDeviceStats(self.numa_topology)
        self.limits = {}
        self.stats = {}


def cell_of(host_state, index=0):
    return host_state.numa_topology.cells[index]


def dedicated(*sizes, policy="prefer", memory_mib=512):
    ids = iter(range(sum(sizes)))
    return Request(
        tuple(
            GuestCell(
                dedicated=frozenset(next(ids) for _ in range(size)),
                memory_kib=memory_mib << 10,
            )
            for size in sizes
        ),
        CpuPolicy.DEDICATED,
        ThreadPolicy(policy),
    )


def spec(request=None, specs=None, image=None, **fields):
    return objects.RequestSpec(
        instance_uuid=UUID,
        num_instances=2,  # no host for one of one is an exception
        numa_topology=twins.instance(request) if request else None,
        pci_requests=fields.pop(
            "pci_requests", objects.InstancePCIRequests(requests=[])
        ),
        flavor=objects.Flavor(vcpus=2, memory_mb=512, extra_specs=specs or {}),
        image=objects.ImageMeta(
            properties=objects.ImageMetaProps(**(image or {}))
        ),
        scheduler_hints={},
        **fields,
    )


def passing(hosts, spec_obj):
    return [host.host for host in PinningFilter().filter_all(hosts, spec_obj)]


def test_hosts_pass_where_the_guest_fits_and_no_others():
    hosts = [
        HostState(name="empty"),
        HostState(used="0-15", name="full"),
        HostState(used="0-5,8-13", name="two free in each cell"),
        HostState("cell:1 core:8 pu:2", name="one cell"),
    ]
    assert passing(hosts, spec(dedicated(2, 2))) == [
        "empty",
        "two free in each cell",
    ]


def test_host_passes_says_the_same_of_one_host():
    request = spec(dedicated(3))
    assert PinningFilter().host_passes(HostState(), request)
    assert not PinningFilter().host_passes(HostState(used="0-15"), request)


def test_a_guest_without_numa_topology_passes_untouched():
    host = HostState(text="")
    host.allocation_candidates = candidates = [{}]
    assert passing([host], spec()) == ["good"]
    assert host.allocation_candidates is candidates
    assert host.limits == {}


def test_a_host_without_numa_topology_is_refused_and_says_so(caplog):
    caplog.set_level(logging.DEBUG, "pinning_filter")
    assert passing([HostState(text="")], spec(dedicated(1))) == []
    assert "the host reports no NUMA topology" in caplog.text


@pytest.mark.parametrize(
    ("specs", "image"),
    [
        (
            {
                "hw:cpu_policy": "dedicated",
                "hw:cpu_thread_policy": "require",
            },
            {},
        ),
        (
            {},
            {
                "hw_cpu_policy": "dedicated",
                "hw_cpu_thread_policy": "require",
            },
        ),
        (
            {"hw:cpu_policy": "dedicated"},
            {"hw_cpu_thread_policy": "require"},
        ),
    ],
    ids=["flavor", "image", "flavor and image between them"],
)
def test_require_needs_smt_whoever_asks_for_it(specs, image):
    hosts = [HostState(), HostState("cell:2 core:8", name="no SMT")]
    assert passing(hosts, spec(dedicated(2), specs, image)) == ["good"]


def test_a_rebuild_passes_everywhere_as_the_filter_does_not_run():
    request = spec(dedicated(99))
    request.scheduler_hints = {"_nova_check_type": ["rebuild"]}
    assert not PinningFilter.RUN_ON_REBUILD
    assert passing([HostState(), HostState(text="")], request) == [
        "good",
        "good",
    ]


def test_limits_are_those_that_stock_sets():
    request = spec(
        dedicated(2),
        network_metadata=objects.NetworkMetadata(
            physnets={"data"}, tunneled=False
        ),
    )
    ours, stocks = HostState(), HostState()
    assert PinningFilter().host_passes(ours, request)
    nova_fit.uninstall()
    assert numa_topology_filter.NUMATopologyFilter().host_passes(
        stocks, request
    )
    assert (
        ours.limits["numa_topology"].obj_to_primitive()
        == stocks.limits["numa_topology"].obj_to_primitive()
    )


def test_neither_request_nor_host_is_changed():
    host, request = HostState(used="0"), spec(dedicated(2, 3))
    before = (
        host.numa_topology.obj_to_primitive(),
        request.obj_to_primitive(),
    )
    assert PinningFilter().host_passes(host, request)
    assert before == (
        host.numa_topology.obj_to_primitive(),
        request.obj_to_primitive(),
    )


# Allocation candidates


def test_a_refused_host_keeps_no_candidate():
    host = HostState(used="0-15")
    assert passing([host], spec(dedicated(1))) == []
    assert host.allocation_candidates == []


def test_a_host_without_candidates_left_is_refused():
    host = HostState()
    host.allocation_candidates = []
    assert passing([host], spec(dedicated(1))) == []


def pool(node, provider, count=1):
    return {
        "vendor_id": "8086",
        "product_id": "1572",
        "numa_node": node,
        "dev_type": "type-PCI",
        "count": count,
        "rp_uuid": provider,
        "address": f"0000:0{node}:00.0",
    }


def device(policy="required", count=1):
    return objects.InstancePCIRequest(
        count=count,
        request_id=PORTS,
        alias_name="nic",
        numa_policy=policy,
        spec=[{"vendor_id": "8086", "product_id": "1572"}],
    )


def test_only_candidates_whose_devices_are_near_stay():
    host = HostState(used="0-7")  # host cell 0 is full
    host.pci_stats.pools = [pool(0, "far"), pool(1, "near")]
    candidates = {
        name: {"mappings": {"": ["root"], f"{PORTS}-0": [name]}}
        for name in ("far", "near", "unknown")
    }
    host.allocation_candidates = list(candidates.values())
    request = spec(
        dedicated(2),
        pci_requests=objects.InstancePCIRequests(requests=[device()]),
    )
    assert passing([host], request) == ["good"]
    assert host.allocation_candidates == [candidates["near"]]


@pytest.mark.parametrize("sizes", [(1 << 20,), (1,) * 1024])
def test_a_guest_beyond_reason_is_refused_by_counting(sizes):
    """A host is not searched for what it has too few pCPUs or cells for."""
    request = spec(dedicated(*sizes, memory_mib=1))
    hosts = [HostState(name=f"h{number}") for number in range(200)]
    began = time.process_time()
    assert passing(hosts, request) == []
    assert time.process_time() - began < 10


def test_a_thousand_alike_candidates_are_asked_about_once(monkeypatch):
    asked = []
    support = stats.PciDeviceStats.support_requests
    monkeypatch.setattr(
        stats.PciDeviceStats,
        "support_requests",
        lambda *args: asked.append(args) or support(*args),
    )
    host = HostState()
    host.pci_stats.pools = [pool(i % 2, f"rp{i}") for i in range(1000)]
    host.allocation_candidates = [
        {"mappings": {f"{PORTS}-0": [f"rp{i}"]}} for i in range(1000)
    ]
    request = spec(
        dedicated(2),
        pci_requests=objects.InstancePCIRequests(requests=[device()]),
    )
    assert passing([host], request) == ["good"]
    assert len(host.allocation_candidates) == 1000
    # Two kinds, near host cell 0 and near host cell 1; two questions at most
    # for each.
    assert len(asked) <= 4


# Hosts that cannot be read


def without(name, index=0):
    def spoil(host):
        delattr(cell_of(host, index), f"_obj_{name}")

    return spoil


def set_to(name, value, index=0):
    def spoil(host):
        setattr(cell_of(host, index), f"_obj_{name}", value)

    return spoil


def page(name, value):
    return lambda host: setattr(
        cell_of(host).mempages[0], f"_obj_{name}", value
    )


def attribute(name, value):
    return lambda host: setattr(host, name, value)


CELL_FIELDS = (
    "id",
    "cpuset",
    "pcpuset",
    "memory",
    "cpu_usage",
    "memory_usage",
    "pinned_cpus",
    "siblings",
    "mempages",
)
SPOILT = {
    **{f"a cell without {name}": without(name) for name in CELL_FIELDS},
    **{f"a cell whose {n} is None": set_to(n, None) for n in CELL_FIELDS},
    **{f"a cell whose {n} is junk": set_to(n, object()) for n in CELL_FIELDS},
    "a cell without socket": without("socket"),
    "the last cell without pcpuset": without("pcpuset", index=1),
    "no memory pages, on which Nova's accounting fails": set_to(
        "mempages", []
    ),
    "two cells of one id": set_to("id", 1),
    "networks that are None": set_to("network_metadata", None),
    "networks that are junk": set_to("network_metadata", object()),
    "shared pCPUs as text": set_to("cpuset", "0-3"),
    "pages in use that are None": page("used", None),
    "reserved pages as text": page("reserved", "1"),
    "pages fewer than none": page("total", -1),
    "pages without a size": lambda host: delattr(
        cell_of(host).mempages[0], "_obj_size_kb"
    ),
    "sibling sets that overlap": set_to("siblings", [{0, 1}, {0, 1}, {0, 1}]),
    "a topology that is text": attribute("numa_topology", "0-3"),
    "a topology that is none": attribute(
        "numa_topology", object()
    ),
    "candidates that are None": attribute("allocation_candidates", None),
    "a candidate that is None": attribute("allocation_candidates", [None]),
    "a candidate without mappings": attribute("allocation_candidates", [{}]),
    "no CPU ratio": attribute("cpu_allocation_ratio", None),
    "no RAM ratio": attribute("ram_allocation_ratio", None),
    "a ratio that is text": attribute("cpu_allocation_ratio", "many"),
    "PCI statistics that are junk": attribute("pci_stats", object()),
    "a PCI pool without its NUMA node": lambda host: setattr(
        host.pci_stats, "pools", [{"count": 1}]
    ),
    "a PCI pool that is None": lambda host: setattr(
        host.pci_stats, "pools", [None]
    ),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_one_bad_host_is_refused_and_named_once(spoil, caplog):
    bad = HostState(name="bad-host")
    spoil(bad)
    hosts = [HostState(name="before"), bad, HostState(name="after")]
    plugin = PinningFilter()
    request = spec(
        dedicated(3, 3),
        pci_requests=objects.InstancePCIRequests(requests=[]),
    )
    for _ in range(2):
        passed = [each.host for each in plugin.filter_all(hosts, request)]
        assert passed == ["before", "after"]
    told = [r for r in caplog.records if "bad-host" in r.getMessage()]
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING


@pytest.mark.parametrize(
    "bad", [None, object(), "host"], ids=["None", "an object", "text"]
)
def test_what_is_no_host_at_all_is_refused_not_raised(bad):
    assert passing([bad, HostState()], spec(dedicated(2))) == ["good"]
    assert not PinningFilter().host_passes(bad, spec(dedicated(2)))


def test_hosts_that_come_and_go_are_not_remembered_for_ever(monkeypatch):
    monkeypatch.setattr(filter_module, "_MOST_UNREADABLE", 3)
    plugin = PinningFilter()
    for number in range(10):
        bad = HostState(name=f"bad-{number}")
        without("pcpuset")(bad)
        assert not plugin.host_passes(bad, spec(dedicated(2)))
    assert len(plugin._unreadable) <= 3


def test_networks_that_nobody_asks_for_are_not_looked_into():
    host, request = HostState(), dedicated(2)
    cell_of(host).network_metadata = objects.NetworkMetadata()
    assert passing([host], spec(request)) == ["good"]
    assert nova_fit.numa_fit_instance_to_host(
        host.numa_topology, twins.instance(request), {}
    )


def test_a_host_without_a_name_is_refused_at_debug_too(caplog):
    caplog.set_level(logging.DEBUG, "pinning_filter")
    host = HostState(used="0-15")
    del host.nodename
    assert passing([host], spec(dedicated(1))) == []


def test_devices_that_are_not_near_are_counted_by_name(caplog):
    caplog.set_level(logging.DEBUG, "pinning_filter")
    host = HostState()
    host.pci_stats.pools = [pool(0, "near", 5), pool(1, "far", 5)]
    host.allocation_candidates = [
        {"mappings": {f"{PORTS}-0": ["near"], f"{PORTS}-1": ["far"]}}
    ]
    requests = objects.InstancePCIRequests(requests=[device(count=2)])
    assert passing([host], spec(dedicated(2), pci_requests=requests)) == []
    assert "host cell 0: needs 2 PCI devices nearby, has 1" in caplog.text


def test_a_missing_field_is_named(caplog):
    bad = HostState()
    without("pcpuset", index=1)(bad)
    assert passing([bad], spec(dedicated(1))) == []
    assert "NUMA cell 1: its pcpuset is missing" in caplog.text


def test_candidates_that_name_no_provider_are_refused_not_raised():
    bad = HostState()
    bad.pci_stats.pools = [pool(0, "rp")]
    bad.allocation_candidates = [{"mappings": {f"{PORTS}-0": []}}]
    request = spec(
        dedicated(2),
        pci_requests=objects.InstancePCIRequests(requests=[device()]),
    )
    assert passing([bad], request) == []


def test_socket_affinity_without_a_topology_is_refused_not_raised():
    bad = HostState()
    bad.pci_stats.pools = [pool(0, None)]
    bad.pci_stats.numa_topology = None
    request = spec(
        dedicated(2),
        pci_requests=objects.InstancePCIRequests(
            requests=[device("socket", count=2)]
        ),
    )
    assert passing([bad, HostState()], request) == []


def test_unset_pci_requests_are_no_requests():
    request = spec(dedicated(2))
    delattr(request, "_obj_pci_requests")
    assert passing([HostState()], request) == ["good"]


@pytest.mark.parametrize("name", ["scheduler_hints", "image"])
@pytest.mark.parametrize(
    ("vcpus", "passed"), [(2, ["good"]), (99, [])], ids=["fits", "too big"]
)
def test_a_request_may_say_nothing_of_it(name, vcpus, passed):
    request = spec(dedicated(vcpus))
    setattr(request, name, None)
    assert passing([HostState()], request) == passed


@pytest.mark.parametrize(
    "name", ["instance_uuid", "num_instances", "scheduler_hints"]
)
def test_a_refused_request_may_lack_fields(name):
    request = spec(dedicated(99))
    delattr(request, f"_obj_{name}")
    assert passing([HostState()], request) == []


def test_a_request_that_cannot_be_read_is_refused_everywhere(caplog):
    request = spec(dedicated(2))
    request.numa_topology.cells[0]._obj_pagesize = -7
    assert passing([HostState(), HostState()], request) == []
    assert "request could not be read" in caplog.text


# Hosts that change


def pin_more(cell):
    cell.pinned_cpus = set(cell.pcpuset)


def pin_more_in_place(cell):
    cell.pinned_cpus.update(cell.pcpuset)


def use_memory(cell):
    cell.mempages = [
        objects.NUMAPagesTopology(size_kb=4, total=1 << 20, used=1 << 20)
    ]


def use_memory_in_place(cell):
    for pages in cell.mempages:
        pages.used = pages.total


@pytest.mark.parametrize(
    "change", [pin_more, pin_more_in_place, use_memory, use_memory_in_place]
)
def test_a_host_that_filled_up_since_it_was_read_is_refused(change):
    host, request = HostState("cell:1 core:4 pu:2"), spec(dedicated(2))
    plugin = PinningFilter()
    assert plugin.host_passes(host, request)
    assert plugin.host_passes(host, request)
    change(cell_of(host))
    assert not plugin.host_passes(host, request)


# Several servers of one request


def test_the_page_size_asked_for_outlives_the_first_server():
    text = "cell:1(memory=4GiB pages=1x1GiB,1024x2MiB) core:4"
    request = Request(
        (GuestCell(frozenset({0}), memory_kib=1 << 20, page_size=-2),)
    )
    host = HostState(text)
    spec_obj = spec(request)
    plugin = PinningFilter()
    sizes = []
    for _ in range(3):
        if not plugin.host_passes(host, spec_obj):
            break
        host.allocation_candidates = [{"mappings": {}}]
        fitted = nova_fit.numa_fit_instance_to_host(
            host.numa_topology,
            spec_obj.numa_topology,
            None,
            limits=host.limits["numa_topology"],
        )
        sizes.append(fitted.cells[0].pagesize)
        spec_obj.numa_topology = fitted
        host.numa_topology = copy.deepcopy(
            nova_fit.hardware.numa_usage_from_instance_numa(
                host.numa_topology, fitted
            )
        )
    assert sizes == [1 << 20, 2 << 10, 2 << 10]
