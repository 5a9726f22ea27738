"""The XML beside the one that Nova's own libvirt driver writes."""

import pytest
from nova import exception, objects

from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.libvirt.domain import Settings, Topology
from pinning_filter.nova import settings as nova_settings
from tests.unit.guests import GUESTS, capabilities, options, placed
from tests.unit.nova_libvirt import guest_xml, libvirt_driver, ours

objects.register_all()


@pytest.mark.parametrize("name", GUESTS)
def test_every_element_says_what_nova_s_says(name):
    guest = GUESTS[name]
    with libvirt_driver(capabilities(guest.host), options(guest)) as on:
        found = placed(guest, mirror=False)
        nova_s = guest_xml(on, found.flavor, found.image, found.topology)
    written = domain_xml.domain(found.placement, found.settings, "guest")
    assert ours(written) == ours(nova_s)


def flavor(vcpus=2, **specs):
    return objects.Flavor(vcpus=vcpus, memory_mb=2048, extra_specs=specs)


def image(**properties):
    return objects.ImageMeta.from_dict({"properties": properties})


def test_nothing_asked_is_the_default():
    assert nova_settings.settings(flavor(), image()) == Settings(
        iothreads=nova_settings.IOTHREADS
    )


def test_as_many_io_threads_as_the_installed_nova_gives():
    with libvirt_driver(capabilities("1-cell")) as on:
        theirs = getattr(on, "_get_guest_iothread", lambda: 0)()
    assert theirs == nova_settings.IOTHREADS


ASKED = {
    "sockets": ({"hw:cpu_sockets": "1"}, {}, (1, 4, 1)),
    "cores": ({"hw:cpu_cores": "2"}, {}, (2, 2, 1)),
    "threads": ({"hw:cpu_threads": "4"}, {}, (1, 1, 4)),
    "cores, by the image": ({}, {"hw_cpu_cores": "4"}, (1, 4, 1)),
    "at most two sockets": ({"hw:cpu_max_sockets": "2"}, {}, (2, 2, 1)),
    "at most four sockets": ({"hw:cpu_max_sockets": "4"}, {}, (4, 1, 1)),
    "at most two cores, by the image": (
        {},
        {"hw_cpu_max_cores": "2"},
        (4, 1, 1),
    ),
    "a wish that the image's limit forbids": (
        {"hw:cpu_threads": "4"},
        {"hw_cpu_max_threads": "2"},
        (4, 1, 1),
    ),
}


@pytest.mark.parametrize("specs, properties, expected", ASKED.values(),
                         ids=ASKED)
def test_a_topology_asked_for_is_nova_s(specs, properties, expected):
    found = nova_settings.settings(flavor(4, **specs), image(**properties))
    assert found.topology == Topology(*expected)


def test_the_options_of_the_plugin_are_handed_on():
    found = nova_settings.settings(
        flavor(),
        image(),
        mirror=False,
        emulator_near_first_cell=True,
        distances=True,
    )
    assert (found.mirror, found.emulator_near_first_cell, found.distances) == (
        False,
        True,
        True,
    )


SHARE = {"hw:emulator_threads_policy": "share"}


def test_the_pool_is_what_is_online_of_the_shared_set():
    found = nova_settings.settings(
        flavor(**SHARE), image(), shared_set={1, 2, 3}, online={0, 2, 3}
    )
    assert found.emulator_pool == {2, 3}


def test_a_pool_that_is_not_asked_for_is_none():
    found = nova_settings.settings(flavor(), image(), shared_set={1, 2, 3})
    assert found.emulator_pool == set()


def test_a_pool_that_is_not_online_is_an_error():
    with pytest.raises(exception.Invalid, match="2-3 of cpu_shared_set"):
        nova_settings.settings(
            flavor(**SHARE), image(), shared_set={2, 3}, online={0, 1}
        )


REFUSED = {
    "a quota that is no number": (
        {"quota:cpu_shares": "many"},
        {},
        ValueError,
    ),
    "more sockets than the flavor allows": (
        {"hw:cpu_max_sockets": "1"},
        {"hw_cpu_sockets": "2"},
        exception.ImageVCPUTopologyRangeExceeded,
    ),
    "a topology of fewer vCPUs": (
        {"hw:cpu_max_sockets": "1", "hw:cpu_max_cores": "1",
         "hw:cpu_max_threads": "1"},
        {},
        exception.ImageVCPULimitsRangeImpossible,
    ),
    "real time on every vCPU": (
        {"hw:cpu_realtime": "yes"},
        {},
        exception.RealtimeMaskNotFoundOrInvalid,
    ),
    "real time beside a pool that is not there": (
        {"hw:cpu_realtime": "yes", **SHARE},
        {},
        exception.RealtimeMaskNotFoundOrInvalid,
    ),
    "locked memory without a page size": (
        {"hw:locked_memory": "yes"},
        {},
        exception.LockMemoryForbidden,
    ),
}


@pytest.mark.parametrize("specs, properties, error", REFUSED.values(),
                         ids=REFUSED)
def test_what_nova_refuses_is_refused(specs, properties, error):
    with pytest.raises(error):
        nova_settings.settings(flavor(**specs), image(**properties))


def test_a_topology_of_many_vcpus_is_found_at_once():
    """Nova tries 4096 numbers, three times in one another."""
    found = nova_settings.settings(
        flavor(4096, **{"hw:cpu_sockets": "2", "hw:cpu_threads": "2"}), image()
    )
    assert found.topology == Topology(2, 1024, 2)
