"""``pinning-filter status`` on a running Nova, set up well and badly."""

import json

import pytest
from nova import context, objects
from nova.db.api import api as api_db
from nova.db.main import api as main_db
from nova.db.main import models

from pinning_filter.cloud.live import session
from pinning_filter.core import synthetic
from pinning_filter.demo.services import STOCK_DRIVER
from pinning_filter.status import checks

PINNED = {"hw__cpu_policy": "dedicated"}
SMT = "cell:2(memory=8GiB) core:2 pu:2"
OURS = "pinning_filter.scheduler.filter.PinningFilter"


class Glance:
    """Glance's answers, a page at a time."""

    def __init__(self, images):
        self._images = images

    def get(self, path):
        number = int(path.partition("?page=")[2] or 0)
        more = number + 1 < len(self._images)
        page = {"images": [self._images[number]]}
        self._page = page | ({"next": f"/v2/images?page={number + 1}"}
                             if more else {})
        return self

    def json(self):
        return self._page


@pytest.fixture
def images(monkeypatch):
    """Put images into Glance, by name."""

    def images(**by_name):
        made = [
            {"id": name, "name": name, "visibility": "public", **given}
            for name, given in by_name.items()
        ]
        monkeypatch.setattr(session, "_glance", lambda: Glance(made))

    images(plain={"hw_disk_bus": "virtio"})
    return images


@pytest.fixture
def ask(rows, images):
    """Exit status, and of each check that is not ok its level and texts."""

    def ask(*args):
        status, found = rows("status", *args)
        assert {row["check"] for row in found} == {
            check.name for check in checks.CHECKS
        }
        said = {}
        for row in found:
            if row["result"] != "ok":
                said.setdefault(row["check"], []).append(
                    (row["result"], row["text"])
                )
        return status, said

    return ask


@pytest.fixture
def good(cloud):
    """A cloud with nothing to complain of."""
    cloud.configure(
        "filter_scheduler",
        weight_classes=["nova.scheduler.weights.all_weighers",
                        "pinning_filter.scheduler.weigher.PinningWeigher"],
    )
    cloud.add_compute("smt", synthetic.host(SMT))
    # Of Nova's fixtures; it asks for shared pCPUs, of which there are none.
    objects.Flavor.get_by_name(
        context.get_admin_context(), "m1.tiny.specs"
    ).destroy()
    return cloud


@main_db.pick_context_manager_writer
def change(cell, model, **values):
    """Edit all rows of a table of a cell."""
    cell.session.query(model).update(values)


def in_cell():
    """A context that points at the cell's database."""
    admin = context.get_admin_context()
    return context.target_cell(
        admin, objects.CellMappingList.get_all(admin)[1]
    )


def test_a_cloud_that_is_set_up_well(good, ask):
    flavor = good.flavor(4, **PINNED, hw__numa_nodes="2")
    assert good.boot(flavor).status == "ACTIVE"
    assert ask() == (0, {})


def test_filters_and_weigher_that_are_not_as_they_should_be(good, ask):
    good.configure(
        "filter_scheduler",
        enabled_filters=["NUMATopologyFilter", "PinningFilter", "JsonFilter"],
        available_filters=["nova.scheduler.filters.all_filters"],
        weight_classes=["nova.scheduler.weights.all_weighers"],
    )
    status, said = ask()
    assert status == 3
    assert {name: [level for level, _ in found]
            for name, found in said.items()} == {
        "filters": ["warning", "warning", "failure"],
        "weigher": ["note"],
    }


def test_computes_that_differ(good, ask):
    good.configure("pinning_filter", core_choice="tight")
    good.add_compute("tight", synthetic.host(SMT))
    good.configure("pinning_filter", core_choice="nova")
    good.add_compute("plain", synthetic.host(SMT), driver=STOCK_DRIVER)
    good.add_compute("dumb", synthetic.host("cell:1(memory=8GiB) core:4"),
                     reports_topology=False)
    good.flavor(4, **PINNED, hw__numa_nodes="2")
    status, said = ask()
    assert status == 3
    assert set(said) == {"driver", "topology", "preferences"}
    ((level, text),) = said["preferences"]
    assert level == "warning"
    assert ": nova on dumb, smt; tight on tight; nova on this" in text
    assert "1 compute node (plain) of 4" in said["driver"][0][1]
    assert "1 compute node (dumb) of 4" in said["topology"][0][1]


def test_services_of_another_version(good, ask):
    good.add_compute("other", synthetic.host(SMT))
    with in_cell() as cell:
        service = objects.Service.get_by_compute_host(cell, "other")
        older = {"version": service.version - 1}
        main_db.service_update(cell, service.id, older)
    status, said = ask()
    assert (status, set(said)) == (3, {"services"})
    ((level, text),) = said["services"]
    assert level == "warning"
    assert text.startswith("nova-compute runs in 2 versions: version ")


def test_records_that_an_older_nova_wrote(good, ask):
    server = good.boot(good.flavor(2, **PINNED))
    with in_cell() as cell:
        node = objects.ComputeNodeList.get_all(cell)[0]
    topology = json.loads(node.numa_topology)
    for each in topology["nova_object.data"]["cells"]:
        each["nova_object.version"] = "1.4"
        del each["nova_object.data"]["socket"]
    kept = server.instance.numa_topology.obj_to_primitive()
    for each in kept["nova_object.data"]["cells"]:
        data = each["nova_object.data"]
        each["nova_object.version"] = "1.4"
        data["cpuset"] = data.pop("pcpuset")
    with in_cell() as cell:
        for model, old in (
            (models.ComputeNode, topology), (models.InstanceExtra, kept)
        ):
            change(cell, model, numa_topology=json.dumps(old))
    for _ in range(2):  # nothing is mended by looking
        status, said = ask()
        # A host whose record has no sockets cannot be counted with.
        assert (status, set(said)) == (3, {"records", "audit"})
        assert [level for level, _ in said["records"]] == ["warning"] * 2
        host, guest = (text for _, text in said["records"])
        assert "1 compute node (smt) was written by an older Nova" in host
        assert f"1 server ({server.id}) was written by a Nova older" in guest


def test_flavors_and_images_that_no_host_takes(good, ask, images):
    good.flavor(5, **PINNED)
    good.flavor(2, hw__cpu_policy="shared")
    images(contrary={"hw_cpu_policy": "dedicated"},
           wide={"hw_numa_nodes": "5"},
           wrong={"hw_numa_node": "1"})
    status, said = ask()
    assert (status, set(said)) == (3, {"flavors", "images"})
    ((level, text),) = said["flavors"]
    assert (level, "1 host has 4 even when empty" in text) == (
        "warning", True
    )
    found = dict(zip(
        [text.partition(":")[0] for _, text in said["images"]],
        [level for level, _ in said["images"]], strict=False,
    ))
    # Nova's fixtures have flavors that say nothing of CPUs.
    assert found == {"Image 'contrary'": "note", "Image 'wide'": "warning",
                     "Image 'wrong'": "warning"}


def test_what_the_audit_finds(good, ask):
    server = good.boot(good.flavor(2, **PINNED))
    good.services.placement.delete(f"/allocations/{server.id}")
    status, said = ask()
    assert (status, set(said)) == (3, {"audit"})
    ((_, text),) = said["audit"]
    assert text == (
        "The audit has 1 finding, 1 of them critical: 1 allocation-missing."
    )


def test_a_cell_that_does_not_answer(good, ask, tmp_path):
    objects.CellMapping(
        context.get_admin_context(),
        uuid="6a1b1fd7-9d0b-4ab4-a1f6-9d3c0c3d0c0e",
        name="far-away",
        database_connection=f"sqlite:///{tmp_path}/there/is/none.db",
        transport_url="none:///",
        disabled=False,
    ).create()
    status, said = ask("--timeout", 20)
    assert (status, set(said)) == (4, {"databases"})
    ((level, text),) = said["databases"]
    assert level == "unknown"
    assert text.startswith("Cell far-away does not answer, and its hosts")


def test_an_api_database_that_does_not_answer(good, ask, monkeypatch):
    def gone(*args):
        raise RuntimeError("it is gone")

    monkeypatch.setattr(api_db.context_manager, "get_engine", gone)
    monkeypatch.setattr(objects.AggregateList, "get_all", gone)
    monkeypatch.setattr(objects.CellMappingList, "get_all", gone)
    status, said = ask()
    assert status == 4
    assert said["databases"] == [
        ("unknown", "Not checked: the API database cannot be read: "
                    "RuntimeError: it is gone")
    ]
    assert set(said) == {check.name for check in checks.CHECKS} - {
        "filters", "weigher", "options"
    }


def test_glance_that_does_not_answer(good, ask, monkeypatch):
    def gone():
        raise RuntimeError("it is gone")

    monkeypatch.setattr(session, "_glance", gone)
    status, said = ask()
    assert (status, said) == (4, {"images": [
        ("unknown",
         "Not checked: Glance cannot be asked: RuntimeError: it is gone")
    ]})
