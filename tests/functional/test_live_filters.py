"""What else than PinningFilter refuses, on a running Nova."""

import json

import pytest
from nova import context, objects
from nova.scheduler import filters

from pinning_filter.core import synthetic
from pinning_filter.nova import releases

PINNED = ("--vcpus", 2, "--ram", 512, "--property", "hw:cpu_policy=dedicated")
ALIAS = {"name": "gpu", "vendor_id": "10de", "product_id": "1eb8"}


class Broken(filters.BaseHostFilter):
    """Raises, as filters do that nobody has asked such a question."""

    def host_passes(self, host_state, spec_obj):
        raise ValueError("no such key")


@pytest.fixture
def pair(cloud):
    cloud.add_compute("left", synthetic.host("cell:2(memory=8GiB) core:4"))
    cloud.add_compute("right", synthetic.host("cell:2(memory=8GiB) core:4"))
    return cloud


def enable(cloud, *names):
    cloud.configure(
        "filter_scheduler",
        enabled_filters=["ComputeFilter", "PinningFilter", *names],
    )


def in_cell():
    admin = context.get_admin_context()
    (cell,) = (
        each
        for each in objects.CellMappingList.get_all(admin)
        if not each.is_cell0()
    )
    return context.target_cell(admin, cell)


def with_device(host, numa_node):
    """Let a compute report a free GPU."""
    pool = objects.PciDevicePool(
        vendor_id="10de",
        product_id="1eb8",
        numa_node=numa_node,
        count=1,
        tags={"dev_type": "type-PCI"},
    )
    with in_cell() as targeted:
        node = objects.ComputeNode.get_first_node_by_host_for_old_compat(
            targeted, host
        )
        node.pci_device_pools = objects.PciDevicePoolList(objects=[pool])
        node.save()


def with_aliases(cloud, *aliases):
    cloud.configure("pci", alias=list(map(json.dumps, aliases)))
    releases.forget_pci_aliases()


def refusals(answer):
    return {
        (row["host"], row["verdict"], row["code"], row["text"])
        for row in answer
    }


def test_a_filter_of_nova_s_is_named_where_it_refuses(pair, rows, run):
    enable(pair, "AggregateNumInstancesFilter", "NumInstancesFilter")
    pair.configure("filter_scheduler", max_instances_per_host=1)
    taken = pair.boot(pair.flavor(1, hw__cpu_policy="dedicated"), host="left")
    assert taken.status == "ACTIVE"
    _, answer = rows("explain", *PINNED)
    assert refusals(answer) == {
        (
            "left",
            "other_filter",
            "AggregateNumInstancesFilter",
            "AggregateNumInstancesFilter refuses the host",
        ),
        (
            "left",
            "other_filter",
            "NumInstancesFilter",
            "NumInstancesFilter refuses the host",
        ),
        ("right", "fits", None, "takes pCPUs 0-1"),
    }
    _, out, _ = run("explain", *PINNED)
    assert "1 host by AggregateNumInstancesFilter" in out


def test_server_groups_count(pair, rows):
    enable(pair, "ServerGroupAntiAffinityFilter")
    flavor = pair.flavor(1, hw__cpu_policy="dedicated")
    group = pair._api.post_server_groups(
        {"name": "apart", "policy": "anti-affinity"}
    )
    for host in ("left", "right"):
        body = {
            "name": f"on-{host}",
            "flavorRef": flavor,
            "imageRef": pair.image(),
            "networks": "none",
            "host": host,
        }
        hints = {"group": group["id"]}
        pair._api.post_server(
            {"server": body, "os:scheduler_hints": hints}
        )
        pair.services.finish()
    _, answer = rows("explain", "on-left")
    assert {row["host"]: row["code"] for row in answer} == {
        "left": None,
        "right": "ServerGroupAntiAffinityFilter",
    }


def test_devices_that_a_flavor_names_are_counted(pair, rows, run, tmp_path):
    with_aliases(pair, ALIAS)
    question = (*PINNED, "--property", "pci_passthrough:alias=gpu:1")
    with_device("right", 1)
    status, answer = rows("explain", *question)
    assert status == 0
    *against, fitting = answer
    assert refusals(against) == {
        ("left", "devices", "devices",
         "needs 1 free PCI device of alias gpu, has 0"),
        (
            "left",
            "filter",
            "devices",
            "needs 1 PCI device nearby, has 0",
        ),
    }
    assert (fitting["host"], fitting["host_cell"]) == ("right", 1)
    # A dump knows the alias as well as nova.conf does.
    file = tmp_path / "cloud.json"
    assert run("dump", "--file", file)[0] == 0
    with_aliases(pair)
    assert rows("explain", "--host", file, *question) == (status, answer)


def test_a_server_that_found_no_device_is_told_so(pair, rows):
    with_aliases(pair, ALIAS)
    late = pair.boot(
        pair.flavor(
            2, hw__cpu_policy="dedicated", pci_passthrough__alias="gpu:1"
        )
    )
    assert late.status == "ERROR"
    status, answer = rows("explain", late.id)
    assert status == 3
    assert ("left", "devices", "devices",
            "needs 1 free PCI device of alias gpu, has 0") in refusals(answer)


def test_a_filter_that_breaks_is_told_and_refuses_nobody(pair, run):
    enable(pair, "NoSuchFilter", "Broken")
    pair.configure(
        "filter_scheduler",
        available_filters=[f"{__name__}.Broken"],
    )
    status, out, _ = run("explain", *PINNED)
    assert status == 0
    assert out.splitlines()[2:4] == [
        "Not asked: NoSuchFilter (it is not among available_filters).",
        "Not asked: Broken (ValueError: no such key).",
    ]
    # Programs are warned, too.
    _, _, err = run("explain", *PINNED, "-f", "json")
    assert "Not asked: Broken (ValueError: no such key)." in err


def test_an_aggregate_s_image_is_compared_by_nova(pair, rows):
    enable(pair, "AggregateImagePropertiesIsolation")
    admin = context.get_admin_context()
    aggregate = objects.Aggregate(admin, name="windows")
    aggregate.create()
    aggregate.add_host("left")
    aggregate.update_metadata({"os_type": "windows"})
    _, answer = rows("explain", *PINNED, "--image-property", "os_type=linux")
    assert {row["host"]: row["code"] for row in answer} == {
        "left": "AggregateImagePropertiesIsolation",
        "right": None,
    }


def test_what_only_the_placement_api_knows_is_told(pair, rows):
    """Aggregates of the Placement API, that a tenant's image is kept from."""
    pair.configure("scheduler", enable_isolated_aggregate_filtering=True)
    api = pair._api
    aggregate = api.post_aggregate(
        {"aggregate": {"name": "isolated", "availability_zone": None}}
    )
    api.add_host_to_aggregate(aggregate["id"], "left")
    api.post_aggregate_action(
        aggregate["id"],
        {"set_metadata": {"metadata": {"trait:CUSTOM_GOLD": "required"}}},
    )
    _, answer = rows("explain", *PINNED)
    assert refusals(answer) == {
        (
            "left",
            "placement",
            "candidates",
            "the Placement API has no allocation candidate there",
        ),
        ("right", "fits", None, "takes pCPUs 0-1"),
    }


def test_a_server_that_was_forced_to_a_host_is_judged_on_all(pair, rows, run):
    """Nova asks no filter of it; the compute's own claim refuses it."""
    pair.boot(pair.flavor(3, hw__cpu_policy="dedicated"), host="left")
    body = {
        "name": "forced",
        "flavorRef": pair.flavor(
            6, hw__cpu_policy="dedicated", hw__numa_nodes="2"
        ),
        "imageRef": pair.image(),
        "networks": "none",
        "availability_zone": "nova:left",
    }
    pair._api.post_server({"server": body})
    pair.services.finish()
    _, answer = rows("explain", "forced")
    assert {row["host"]: row["fits"] for row in answer} == {
        "left": False,
        "right": True,
    }
    _, out, _ = run("explain", "forced")
    assert (
        "The server was forced to left: Nova asks no filter then. All hosts "
        "are judged here." in out
    )
