"""What the first users of CPU pinning do: a flavor, an image, and both."""

import collections

import pytest
from lxml import etree

from pinning_filter.core.synthetic import host
from pinning_filter.demo.cloud import Refused

SMT = host("cell:2 core:4 pu:2")
FLAT = host("cell:2 core:4")


def boot_on_both(cloud, *, flavor=None, image=None, vcpus=2):
    cloud.add_compute("smt", SMT)
    cloud.add_compute("flat", FLAT)
    return cloud.boot(
        cloud.flavor(vcpus, **(flavor or {})), cloud.image(**(image or {}))
    )


def policy(thread_policy):
    return {
        "hw__cpu_policy": "dedicated",
        "hw__cpu_thread_policy": thread_policy,
    }


def cores(server):
    """How many vCPUs each core has; its two threads are 2n and 2n + 1."""
    return collections.Counter(pcpu // 2 for pcpu in server.pinning.values())


def test_require_takes_both_threads_of_a_core(cloud):
    cloud.add_compute("smt", SMT)
    flavor = cloud.flavor(2, **policy("require"))
    servers = [cloud.boot(flavor) for _ in range(3)]
    assert [list(cores(server).values()) for server in servers] == [[2]] * 3


def test_require_is_for_hosts_with_smt(cloud):
    server = boot_on_both(cloud, flavor=policy("require"))
    assert (server.host, server.pinning) == ("smt", {0: 0, 1: 1})


def test_require_is_refused_where_no_host_has_smt(cloud):
    cloud.add_compute("flat", FLAT)
    server = cloud.boot(cloud.flavor(2, **policy("require")))
    assert server.status == "ERROR"
    assert server.fault.startswith("No valid host was found.")


def test_isolate_is_for_hosts_without_smt(cloud):
    # Nova asks the Placement API for hosts without hyperthreads.
    server = boot_on_both(cloud, flavor=policy("isolate"))
    assert (server.host, server.pinning) == ("flat", {0: 0, 1: 1})


def test_prefer_takes_any_host_and_siblings_where_there_are_some(cloud):
    cloud.add_compute("smt", SMT)
    server = cloud.boot(cloud.flavor(4, **policy("prefer")))
    assert sorted(cores(server).values()) == [2, 2]


def test_the_image_alone_asks_for_pinning(cloud):
    server = boot_on_both(
        cloud,
        flavor={"quota__cpu_shares": "1024"},
        image={"hw_cpu_policy": "dedicated"},
        vcpus=1,
    )
    tune = etree.fromstring(server.xml).find("cputune")
    assert server.pinning == {0: 0}
    assert tune.findtext("shares") == "1024"


CONFLICTS = {
    "policy shared, image dedicated": (
        {"hw__cpu_policy": "shared"},
        {"hw_cpu_policy": "dedicated"},
        "'hw_cpu_policy' is not permitted to override CPU pinning policy",
    ),
    "threads require, image isolate": (
        policy("require"),
        {"hw_cpu_thread_policy": "isolate"},
        "'hw_cpu_thread_policy' is not permitted to override CPU thread",
    ),
    "threads without pinning": (
        {"hw__cpu_thread_policy": "require"},
        {},
        "Cannot set cpu thread pinning policy in a non dedicated",
    ),
}


@pytest.mark.parametrize(
    "flavor, image, text", CONFLICTS.values(), ids=CONFLICTS
)
def test_flavor_and_image_in_conflict(cloud, flavor, image, text):
    with pytest.raises(Refused) as refused:
        cloud.boot(cloud.flavor(2, **flavor), cloud.image(**image))
    assert refused.value.response.status_code == 400
    answer = refused.value.response.json()["badRequest"]
    assert text in answer["message"]
