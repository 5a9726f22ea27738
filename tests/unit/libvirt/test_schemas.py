"""Our XML, and the XML that we read, by libvirt's own schemas."""

import functools
import pathlib
import sys

import pytest
from lxml import etree

from pinning_filter.core.fit import fit
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.libvirt import capabilities
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.libvirt.domain import Settings
from tests.unit.guests import DATA

#: Where ``make schemas`` puts them, and where libvirt has them.
FOLDERS = (
    pathlib.Path(sys.prefix, "share", "libvirt", "schemas"),
    pathlib.Path("/usr/share/libvirt/schemas"),
)


@functools.cache
def schema(name):
    for folder in FOLDERS:
        if (folder / name).exists():
            return etree.RelaxNG(file=str(folder / name))
    pytest.skip(
        f"libvirt's {name} is not here; 'make schemas' fetches it, and "
        "Debian's libvirt0 or libvirt-common installs it"
    )


def problems(name, document):
    validator = schema(name)
    validator.validate(document)
    return [error.message for error in validator.error_log]


@pytest.mark.parametrize(
    "path", sorted(DATA.glob("domain/*.xml")), ids=lambda path: path.stem
)
def test_a_guest_is_a_domain_to_libvirt(path):
    assert problems("domain.rng", etree.parse(path)) == []


@pytest.mark.parametrize(
    "path", sorted(DATA.glob("capabilities-*.xml")), ids=lambda path: path.stem
)
def test_the_hosts_of_the_tests_are_such_as_libvirt_prints(path):
    assert problems("capability.rng", etree.parse(path)) == []


def two_cells(settings, *guest_cells):
    host = capabilities.read(
        (DATA / "capabilities-2-cells-smt.xml").read_bytes()
    )
    placement = fit(host, Request(guest_cells))
    return domain_xml.domain(placement, settings, "guest")


def test_distances_are_valid():
    document = two_cells(
        Settings(distances=True),
        GuestCell(frozenset({0}), memory_kib=1024),
        GuestCell(frozenset({1}), memory_kib=1024),
    )
    assert len(document.findall(".//distances")) == 2
    assert problems("domain.rng", document) == []


def test_a_guest_cell_without_vcpus_is_valid():
    document = two_cells(
        Settings(),
        GuestCell(frozenset({0}), memory_kib=1024),
        GuestCell(memory_kib=1024),
    )
    assert problems("domain.rng", document) == []


def test_the_schema_tells_right_from_wrong():
    document = two_cells(
        Settings(), GuestCell(frozenset({0}), memory_kib=1024)
    )
    document.find("cputune/emulatorpin").set("cpuset", "some")
    assert problems("domain.rng", document) != []
