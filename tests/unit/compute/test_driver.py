"""The driver, over the fake libvirt that Nova's own tests use."""

import re
from unittest import mock

import nova.conf
import pytest
from lxml import etree
from nova.virt import driver as virt_driver
from nova.virt import hardware
from nova.virt.libvirt import driver as libvirt_driver_module
from oslo_utils import importutils

from pinning_filter.compute import launcher
from pinning_filter.compute.driver import PinningLibvirtDriver
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats
from tests.unit.guests import GUESTS, capabilities, options, placed
from tests.unit.nova_libvirt import guest_document, libvirt_driver


@pytest.fixture(autouse=True)
def stock_again():
    yield
    nova_fit.uninstall()


def set_to(**values):
    return {("pinning_filter", key): value for key, value in values.items()}


def document(guest, kind=PinningLibvirtDriver, **ours):
    """What the driver writes for a guest of the table."""
    settings = {**options(guest), **set_to(**ours)}
    with libvirt_driver(capabilities(guest.host), settings, kind) as on:
        found = placed(guest)
        xml = guest_document(on, found.flavor, found.image, found.topology)
        xml = re.sub("<nova:creationTime>[^<]*</nova:creationTime>", "", xml)
        return xml.replace(nova.conf.CONF.instances_path, "/instances")


def stock_document(guest):
    return document(guest, libvirt_driver_module.LibvirtDriver)


def test_nova_finds_the_driver_where_the_launcher_puts_it():
    launcher.register()
    found = importutils.import_class("nova.virt.pinning.PinningLibvirtDriver")
    assert found is PinningLibvirtDriver
    assert issubclass(found, virt_driver.ComputeDriver)


def test_a_driver_that_is_made_has_installed_the_fit():
    assert hardware.numa_fit_instance_to_host is nova_fit.stock_fit
    guest = GUESTS["no SMT"]
    with libvirt_driver(
        capabilities(guest.host), options(guest), PinningLibvirtDriver
    ):
        assert (
            hardware.numa_fit_instance_to_host
            is nova_fit.numa_fit_instance_to_host
        )


def topology_of(xml):
    return dict(etree.fromstring(xml).find("cpu/topology").attrib)


def test_the_guest_sees_the_threads_that_it_is_pinned_to():
    guest = GUESTS["two threads of one core"]
    assert topology_of(document(guest)) == {
        "sockets": "1",
        "cores": "1",
        "threads": "2",
    }


def test_with_nova_s_topology_the_document_is_stock_s():
    guest = GUESTS["two unlike guest cells"]
    assert document(guest, guest_cpu_topology="nova") == stock_document(guest)


def test_a_guest_without_a_numa_topology_is_nova_s_alone(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("asked")

    guest = GUESTS["no SMT"]
    monkeypatch.setattr("pinning_filter.compute.guest_xml.rewritten", never)
    with libvirt_driver(
        capabilities(guest.host), options(guest), PinningLibvirtDriver
    ) as on:
        found = placed(guest)
        written = guest_document(on, found.flavor, found.image, None)
    assert "<cputune" not in written


def test_distances_come_from_the_host_s_capabilities():
    xml = document(GUESTS["two alike guest cells"], guest_numa_distances=True)
    distances = etree.fromstring(xml).findall("cpu/numa/cell/distances")
    assert [
        [each.get("value") for each in cell] for cell in distances
    ] == [["10", "21"], ["21", "10"]]


def test_emulator_threads_stay_on_the_first_cell_if_asked():
    guest = GUESTS["two alike guest cells"]
    pins = [
        etree.fromstring(
            document(guest, emulator_threads_on_first_cell=first)
        )
        .find("cputune/emulatorpin")
        .get("cpuset")
        for first in (False, True)
    ]
    placement = placed(guest).placement
    every = set(placement.pinning.values())
    on_first = set(placement.cells[0].pinning.values())
    assert [hardware.parse_cpu_spec(pin) for pin in pins] == [every, on_first]


def live_migration_info(guest, **ours):
    settings = {**options(guest), **set_to(**ours)}
    with libvirt_driver(
        capabilities(guest.host), settings, PinningLibvirtDriver
    ) as on:
        found = placed(guest)
        return found.placement, on._get_live_migrate_numa_info(
            found.topology, found.flavor, found.image
        )


def test_a_live_migration_is_told_of_the_pinning_here():
    placement, info = live_migration_info(GUESTS["two alike guest cells"])
    pinned = {str(vcpu): {pcpu} for vcpu, pcpu in placement.pinning.items()}
    assert info.cpu_pins == pinned
    assert info.emulator_pins == set(placement.pinning.values())


def test_a_live_migration_keeps_emulator_threads_on_the_first_cell():
    placement, info = live_migration_info(
        GUESTS["two alike guest cells"], emulator_threads_on_first_cell=True
    )
    assert info.emulator_pins == set(placement.cells[0].pinning.values())


def test_a_guest_on_a_cell_that_is_gone_keeps_nova_s_document(monkeypatch):
    guest = GUESTS["two threads of one core"]
    read = "pinning_filter.nova.guest_topology.placement_from_nova"

    def gone(host, topology):
        raise nova_fit.guest_topology.InvalidHost("host", ["no cell 7"])

    monkeypatch.setattr(read, gone)
    assert document(guest) == stock_document(guest)


def report(host, **ours):
    settings = set_to(**ours)
    with libvirt_driver(
        capabilities(host), settings, PinningLibvirtDriver
    ) as on:
        on._get_host_numa_topology = lambda: None
        on._get_local_gb_info = lambda: {"total": 1, "used": 0, "free": 1}
        on.get_host_uptime = lambda: "up"
        return on.get_available_resource("host")["stats"]


def test_the_report_says_which_engine_claims():
    stats = report("2-cells-smt")
    assert stats["uptime"] == "up"
    assert stats["pinning_filter"] == nova_stats.version()
    assert stats["pinning_filter_aligns"] == ""
    assert nova_stats.read(stats).ours


@pytest.mark.parametrize(
    ("settings", "word"),
    [({}, "nova"), ({"core_choice": "tight"}, "tight")],
)
def test_the_report_says_what_claims_prefer(settings, word):
    stats = report("2-cells-smt", **settings)
    assert nova_stats.read(stats).prefers == word


def test_the_report_of_a_host_that_aligns_lists_its_caches():
    told = nova_stats.read(report("amd-l3", align_last_level_cache=True))
    assert told.aligns
    assert [len(bank) for bank in told.caches[0]] == [16, 16]


def test_a_host_that_does_not_align_keeps_its_caches_to_itself():
    assert nova_stats.read(report("amd-l3")).caches == {}


def test_the_report_of_a_host_that_prefers_near_cells_has_distances():
    told = nova_stats.read(report("2-cells-smt", nearest_numa_cells=True))
    assert told.distances == {0: {0: 10, 1: 21}, 1: {0: 21, 1: 10}}


def test_a_host_that_does_not_keeps_its_distances_to_itself():
    told = nova_stats.read(report("2-cells-smt", guest_numa_distances=True))
    assert told.distances == {}


def said_at_start(reported, caplog, **ours):
    """What the driver logs when nova-compute has made it ready."""
    caplog.set_level("INFO", "pinning_filter")
    settings = set_to(**ours)
    with (
        mock.patch.object(libvirt_driver_module.LibvirtDriver, "init_host"),
        libvirt_driver(reported, settings, PinningLibvirtDriver) as on,
    ):
        on.init_host("host")
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("pinning_filter")
    ]


def test_the_log_says_that_the_driver_is_on(caplog):
    reported = capabilities("amd-l3")
    said = said_at_start(reported, caplog, align_last_level_cache=True)
    assert said == [
        (
            "INFO",
            f"PinningLibvirtDriver {nova_stats.version()} is on: "
            "guest_cpu_topology is mirror, align_last_level_cache is True, "
            "guest_numa_distances is False, emulator_threads_on_first_cell "
            "is False, nearest_numa_cells is False.",
        )
    ]


def test_caches_that_are_to_be_aligned_and_are_not_known_are_warned_of(caplog):
    reported = re.sub(
        b"<cache>.*</cache>", b"", capabilities("amd-l3"), flags=re.DOTALL
    )
    said = said_at_start(reported, caplog, align_last_level_cache=True)
    assert [level for level, _ in said] == ["INFO", "WARNING"]
    assert "align_last_level_cache has no effect" in said[1][1]


def test_distances_that_are_to_be_used_and_are_not_known_are_warned_of(caplog):
    reported = re.sub(
        b"<distances>.*?</distances>",
        b"",
        capabilities("2-cells-smt"),
        flags=re.DOTALL,
    )
    said = said_at_start(reported, caplog, nearest_numa_cells=True)
    assert [level for level, _ in said] == ["INFO", "WARNING"]
    assert "nearest_numa_cells has no effect" in said[1][1]
