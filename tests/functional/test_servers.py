"""Servers over time, and beside each other."""

from lxml import etree

from pinning_filter.core.host import Host
from pinning_filter.core.synthetic import host

DEDICATED = {"hw__cpu_policy": "dedicated"}


def test_servers_of_one_request_have_a_pcpu_each(cloud, pinned_on):
    cloud.add_compute("one", host("cell:2 core:3 pu:2"))
    servers = cloud.boot_many(4, cloud.flavor(3, **DEDICATED))
    assert {server.status for server in servers} == {"ACTIVE"}
    pcpus = [pcpu for server in servers for pcpu in server.pinning.values()]
    assert sorted(pcpus) == list(range(12))
    assert pinned_on(cloud, "one") == set(range(12))


def test_servers_of_one_request_that_do_not_all_fit(cloud, pinned_on):
    # 4 + 4 pCPUs are free, but the second server would need 1 of each cell.
    cloud.add_compute("one", host("cell:2 core:4"))
    servers = cloud.boot_many(3, cloud.flavor(3, **DEDICATED))
    assert {server.status for server in servers} == {"ERROR"}
    assert pinned_on(cloud, "one") == set()


def test_a_deleted_server_frees_its_pcpus(cloud, pinned_on):
    cloud.add_compute("one", host("cell:1 core:2 pu:2"))
    flavor = cloud.flavor(4, **DEDICATED)
    first = cloud.boot(flavor)
    full = cloud.boot(flavor)
    cloud.delete(first)
    assert pinned_on(cloud, "one") == set()
    second = cloud.boot(flavor)
    assert [each.status for each in (first, full, second)] == [
        "ACTIVE",
        "ERROR",
        "ACTIVE",
    ]
    assert second.pinning == {0: 0, 1: 1, 2: 2, 3: 3}


def test_a_host_without_numa_topology_takes_no_pinned_server(cloud):
    cloud.add_compute("blind", host("cell:2 core:4"), reports_topology=False)
    refused = cloud.boot(cloud.flavor(2, **DEDICATED))
    assert refused.status == "ERROR"
    cloud.add_compute("seeing", host("cell:2 core:4"))
    server = cloud.boot(cloud.flavor(2, **DEDICATED))
    assert (server.host, server.pinning) == ("seeing", {0: 0, 1: 1})


def test_an_unpinned_server_is_left_alone(cloud, pinned_on):
    cloud.add_compute("blind", halves("cell:2 core:4"), reports_topology=False)
    server = cloud.boot(cloud.flavor(2))
    tune = etree.fromstring(server.xml).find("cputune")
    assert (server.status, server.host) == ("ACTIVE", "blind")
    assert server.instance.numa_topology is None
    assert tune is None or tune.find("vcpupin") is None


def test_a_mixed_server_floats_over_the_shared_pcpus(cloud):
    cloud.add_compute("mixed", halves("cell:2 core:4"))
    server = cloud.boot(
        cloud.flavor(4, hw__cpu_policy="mixed", hw__cpu_dedicated_mask="2-3")
    )
    pins = etree.fromstring(server.xml).findall("cputune/vcpupin")
    assert server.pinning == {2: 2, 3: 3}
    assert [pin.get("cpuset") for pin in pins] == ["0-1", "0-1", "2", "3"]


def test_emulator_threads_that_are_isolated(cloud, pinned_on):
    cloud.add_compute("one", host("cell:1 core:4 pu:2"))
    server = cloud.boot(
        cloud.flavor(2, **DEDICATED, hw__emulator_threads_policy="isolate")
    )
    pin = etree.fromstring(server.xml).find("cputune/emulatorpin")
    (reserved,) = pinned_on(cloud, "one") - set(server.pinning.values())
    assert pin.get("cpuset") == str(reserved)


def test_large_pages_of_the_host_cell(cloud):
    cloud.add_compute("pages", host("cell:2(memory=8GiB pages=4x1GiB) core:4"))
    server = cloud.boot(
        cloud.flavor(2, 2048, **DEDICATED, hw__mem_page_size="large")
    )
    page = etree.fromstring(server.xml).find("memoryBacking/hugepages/page")
    assert page.get("size") == str(1 << 20)


def halves(text):
    """A host with the first half of each cell shared, the rest dedicated."""
    return Host(
        tuple(
            cell._replace(
                shared=frozenset(pcpus[: len(pcpus) // 2]),
                dedicated=frozenset(pcpus[len(pcpus) // 2 :]),
                free=frozenset(pcpus[len(pcpus) // 2 :]),
            )
            for cell in host(text).cells
            for pcpus in [sorted(cell.dedicated)]
        )
    )
