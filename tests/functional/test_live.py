"""The commands on a running Nova, read from its databases."""

import json

import pytest
import sqlalchemy
from nova import context, objects
from nova.db.main import api as main_db
from nova.db.main import models
from sqlalchemy import event

from pinning_filter.cloud.live import reading, session
from pinning_filter.core import synthetic
from pinning_filter.demo.services import STOCK_DRIVER

TWO_THREADS = {
    "hw__cpu_policy": "dedicated",
    "hw__cpu_thread_policy": "require",
}


@pytest.fixture
def small_cloud(cloud):
    cloud.add_compute("smt", synthetic.host("cell:2(memory=8GiB) core:2 pu:2"))
    cloud.add_compute("plain", synthetic.host("cell:1(memory=8GiB) core:4"))
    cloud.add_compute(
        "dumb",
        synthetic.host("cell:1(memory=8GiB) core:4"),
        reports_topology=False,
    )
    return cloud


def verdicts(answer):
    return {
        (row["host"], row["verdict"], row["code"], row["text"])
        for row in answer
    }


def test_a_server_that_found_no_host_is_told_why_and_so_is_the_operator(
    small_cloud, rows
):
    cloud = small_cloud
    flavor = cloud.flavor(2, **TWO_THREADS)
    for _ in range(4):
        assert cloud.boot(flavor, host="smt").status == "ACTIVE"
    late = cloud.boot(cloud.flavor(2, hw__cpu_policy="dedicated"), host="smt")
    assert late.status == "ERROR"
    # Nova asks the Placement API first, which has nothing left to offer.
    status, answer = rows("explain", late.id)
    assert status == 0  # the other host takes it, if it is not forced
    assert verdicts(answer) == {
        ("smt", "placement", "resource", "needs 2 PCPU, 0 of 8 are free"),
        ("smt", "filter", "pcpus", "needs 2 free pCPUs, has 0"),
        ("plain", "fits", None, "takes pCPUs 0-1"),
        ("dumb", "filter", "no_topology", "the host reports no NUMA topology"),
    }


def test_the_fault_is_the_sentence_of_the_filter(small_cloud, run):
    cloud = small_cloud
    server = cloud.boot(cloud.flavor(5, hw__cpu_policy="dedicated"))
    assert server.status == "ERROR"
    sentence = (
        "No host can take 5 pinned vCPUs in one NUMA cell: 5 dedicated pCPUs "
        "are needed in one NUMA cell, 1 host has 4 even when empty."
    )
    # Of the three hosts, the Placement API let only one come to the filter.
    assert server.fault == f"No valid host was found. {sentence}"
    status, out, err = run("explain", server.name)
    assert (status, err) == (3, "")
    assert out.startswith(f"Nova says: {server.fault}\n")


def test_several_servers_leave_no_allocation_behind(small_cloud):
    cloud = small_cloud
    big = cloud.flavor(4, hw__cpu_policy="dedicated")
    servers = cloud.boot_many(5, big)
    assert {server.status for server in servers} == {"ERROR"}
    (fault,) = {server.fault for server in servers}
    assert fault.startswith(
        "No valid host was found. No host can take 4 pinned vCPUs in one NUMA "
        "cell: "
    )
    # What the first four were given was taken back.
    assert [each.status for each in cloud.boot_many(3, big)] == ["ACTIVE"] * 3


def test_the_smt_trait_is_told_where_the_filter_is_never_asked(
    small_cloud, rows
):
    cloud = small_cloud
    cloud.flavor(2, **TWO_THREADS)
    status, answer = rows(
        "explain", "--host", "plain", "--vcpus", 2, "--ram", 1024,
        "--property", "hw:cpu_policy=dedicated",
        "--property", "hw:cpu_thread_policy=require",
    )
    assert status == 3
    assert verdicts(answer) == {
        (
            "plain",
            "filter",
            "no_smt",
            "thread policy require needs SMT, there is none",
        ),
    } | {
        (
            "plain",
            "placement",
            "trait_missing",
            "has no trait HW_CPU_HYPERTHREADING: thread policy require needs "
            "SMT",
        )
    }


def test_a_disabled_service_is_a_reason(small_cloud, rows):
    admin = context.get_admin_context()
    cell = next(
        each
        for each in objects.CellMappingList.get_all(admin)
        if not each.is_cell0()
    )
    with context.target_cell(admin, cell) as targeted:
        service = objects.Service.get_by_compute_host(targeted, "smt")
        service.disabled = True
        service.disabled_reason = "new\x1b[31m fan"
        service.save()
    _, answer = rows(
        "explain", "--host", "smt", "--vcpus", 1, "--ram", 512,
        "--property", "hw:cpu_policy=dedicated",
    )
    assert ("smt", "service", "closed",
            "the compute service is disabled: new\\x1b[31m fan") in (
        verdicts(answer)
    )


def test_guests_are_seen_where_they_sit(tmp_path, small_cloud, rows, run):
    cloud = small_cloud
    server = cloud.boot(cloud.flavor(2, **TWO_THREADS), name="<b>hostile</b>")
    _, answer = rows("map")
    assert {
        row["vcpu"]: row["pcpu"]
        for row in answer
        if row["guest"] == server.id and row["state"] == "vcpu"
    } == server.pinning
    assert {row["name"] for row in answer if row["guest"]} == {server.name}

    file = tmp_path / "cloud.json"
    assert run("dump", "--file", file)[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert rows("map", "--host", file)[1] == answer
    question = ("--vcpus", 3, "--ram", 512,
                "--property", "hw:cpu_policy=dedicated")
    assert rows("explain", "--host", file, *question) == (
        rows("explain", *question)
    )
    assert rows("capacity", "--host", file) == rows("capacity")


def test_a_deleted_server_keeps_its_pcpus_until_it_is_reclaimed(
    small_cloud, rows
):
    """As Nova counts it, if it may still be restored."""
    cloud = small_cloud
    cloud.services.flags(reclaim_instance_interval=1000)
    server = cloud.boot(cloud.flavor(2, **TWO_THREADS))
    cloud.delete(server)
    assert cloud.server(server.id).status == "SOFT_DELETED"
    status, answer = rows("map")
    assert status == 0
    assert {
        row["vcpu"]: row["pcpu"] for row in answer if row["guest"] == server.id
    } == server.pinning
    assert rows("audit", "--wait", 1)[1] == []


def test_capacity_is_what_then_boots(small_cloud, rows):
    cloud = small_cloud
    flavor = cloud.flavor(3, hw__cpu_policy="dedicated")
    cloud.boot(flavor)
    _, answer = rows("capacity")
    (total,) = (row for row in answer if row["host"] is None)
    booted = [cloud.boot(flavor) for _ in range(total["fits_now"] + 1)]
    assert [server.status for server in booted] == (
        ["ACTIVE"] * total["fits_now"] + ["ERROR"]
    )


def test_a_cell_that_does_not_answer_is_reported_and_survived(
    tmp_path, small_cloud, run
):
    broken = objects.CellMapping(
        context.get_admin_context(),
        uuid="6a1b1fd7-9d0b-4ab4-a1f6-9d3c0c3d0c0e",
        name="far-away",
        database_connection=f"sqlite:///{tmp_path}/there/is/none.db",
        transport_url="none:///",
        disabled=False,
    )
    broken.create()
    status, out, err = run(
        "capacity", "--vcpus", 1, "--ram", 512, "--timeout", 20,
        "--property", "hw:cpu_policy=dedicated",
    )
    assert status == 4
    assert "cell far-away does not answer" in err
    assert "smt" in out
    # No flavor named: those in use are looked for in every cell.
    cloud = small_cloud
    cloud.boot(cloud.flavor(2, hw__cpu_policy="dedicated"), name="here")
    assert run("capacity")[0] == 4
    assert run("explain", "here")[0] == 4
    status, _, err = run("explain", "there")
    assert status == 2
    assert "no servers have the name 'there'" in err
    assert "no answer from cells far-away" in err


def test_a_dump_says_who_places_on_each_host(cloud, tmp_path, run):
    cloud.configure("pinning_filter", core_choice="tight")
    cloud.add_compute("ours", synthetic.host("cell:1(memory=8GiB) core:4"))
    cloud.add_compute(
        "nova",
        synthetic.host("cell:1(memory=8GiB) core:4"),
        driver=STOCK_DRIVER,
    )
    path = tmp_path / "cloud.json"
    assert run("dump", "--file", path)[0] == 0
    hosts = json.loads(path.read_text())["hosts"]
    names = ("pack", "tight", "align_caches", "near_cells", "apart")
    plain = dict.fromkeys(names, False)
    assert {host["name"]: host["strategy"] for host in hosts} == {
        "nova": plain,
        "ours": {**plain, "tight": True},
    }
    runs_plain = {host["name"]: host["plain_nova"] for host in hosts}
    assert runs_plain == {"nova": True, "ours": False}


def test_nothing_is_written(small_cloud, run):
    cloud = small_cloud
    server = cloud.boot(cloud.flavor(2, hw__cpu_policy="dedicated"))
    statements = []

    def note(connection, cursor, statement, *args):
        if reading.active():
            statements.append(statement)

    event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", note)
    try:
        for command in (
            ("explain", server.id), ("capacity",), ("map",), ("dump",)
        ):
            assert run(*command)[0] == 0
    finally:
        event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", note)
    assert statements
    assert {each.split()[0] for each in statements} == {"BEGIN", "SELECT"}


def test_a_server_whose_record_is_junk_is_named_and_no_other_lost(
    small_cloud, run
):
    cloud = small_cloud
    flavor = cloud.flavor(1, hw__cpu_policy="dedicated")
    good, bad = (cloud.boot(flavor, host="plain") for _ in range(2))
    admin = context.get_admin_context()
    with context.target_cell(
        admin, objects.CellMappingList.get_all(admin)[1]
    ) as cell:
        _spoil(cell, bad.id)
    status, out, err = run("map")
    assert status == 4
    assert f"server {bad.name}: its record cannot be read" in err
    assert f"{good.name}: " in out
    assert f"{bad.name}: not placed" in out
    assert "plain: 2 of 4 pCPUs free" in out


@main_db.pick_context_manager_writer
def _spoil(cell, server):
    extra = models.InstanceExtra
    cell.session.query(extra).filter_by(instance_uuid=server).update(
        {"numa_topology": '{"nova_object.name": "junk"'}
    )


def test_a_thread_of_ours_cannot_write(small_cloud):
    def write(admin):
        objects.KeyPair(admin, user_id="me", name="key", type="ssh",
                        public_key="", fingerprint="").create()

    running = session.Session()
    with pytest.raises(Exception, match="only reads"):
        reading.Reader(write, running.context).result(20)
