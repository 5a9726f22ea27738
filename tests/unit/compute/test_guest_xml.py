"""What of Nova's document is changed, and what is left to the letter."""

import difflib

import pytest

from pinning_filter.compute import guest_xml
from pinning_filter.core.host import HostCell
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.libvirt.domain import Settings
from tests.unit.guests import GUESTS, capabilities, options, placed
from tests.unit.nova_libvirt import guest_document, libvirt_driver


@pytest.mark.parametrize("name", GUESTS)
def test_with_nova_s_topology_the_document_is_nova_s_to_the_letter(name):
    guest = GUESTS[name]
    with libvirt_driver(capabilities(guest.host), options(guest)) as on:
        found = placed(guest, mirror=False)
        nova_s = guest_document(on, found.flavor, found.image, found.topology)
    written = guest_xml.rewritten(nova_s, found.placement, found.settings)
    assert written == nova_s


def changes(before, after):
    """The lines that only one has, those of the first one first."""
    lines = [
        line.replace("  ", "")
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if line[0] in "+-"
    ]
    return sorted(lines, key=lambda line: line[0] == "+")


def test_a_mirrored_topology_is_the_only_line_that_differs():
    guest = GUESTS["two threads of one core"]
    with libvirt_driver(capabilities(guest.host), options(guest)) as on:
        found = placed(guest)
        nova_s = guest_document(on, found.flavor, found.image, found.topology)
    written = guest_xml.rewritten(nova_s, found.placement, found.settings)
    assert changes(nova_s, written) == [
        '- <topology sockets="2" cores="1" threads="1"/>',
        '+ <topology sockets="1" cores="1" threads="2"/>',
    ]


NOVA_S = """\
<domain type="kvm">
  <name>instance-1</name>
  <vcpu>2</vcpu>
  <cputune>
    <vcpupin vcpu="0" cpuset="0"/>
    <vcpupin vcpu="1" cpuset="4"/>
    <emulatorpin cpuset="0,4"/>
    <iothreadpin iothread="1" cpuset="0,4"/>
    <tomorrow/>
  </cputune>
  <cpu mode="host-model" match="exact">
    <topology sockets="2" cores="1" threads="1"/>
    <numa>
      <cell id="0" cpus="0" memory="1024"/>
      <cell id="1" cpus="1" memory="1024"/>
    </numa>
  </cpu>
  <numatune>
    <memory mode="strict" nodeset="0-1"/>
    <memnode cellid="0" mode="strict" nodeset="0"/>
    <memnode cellid="1" mode="strict" nodeset="1"/>
  </numatune>
</domain>
"""


def two_cells(first=0, second=4):
    """One vCPU on each of two host cells, 21 apart."""
    cells = []
    for number, pcpu in ((0, first), (1, second)):
        pcpus = {4 * number, 4 * number + 1}
        cells.append(
            CellPlacement(
                GuestCell(frozenset({number}), memory_kib=1024),
                HostCell(
                    number,
                    dedicated=pcpus,
                    siblings=[{each} for each in pcpus],
                    distances={number: 10, 1 - number: 21},
                ),
                {number: pcpu},
            )
        )
    request = Request(tuple(cell.guest_cell for cell in cells))
    return Placement(request, tuple(cells))


PLAIN = Settings(mirror=False)


def test_a_document_that_says_the_same_is_not_touched():
    assert guest_xml.rewritten(NOVA_S, two_cells(), PLAIN) == NOVA_S


def test_another_pcpu_is_written_and_unknown_elements_stay():
    written = guest_xml.rewritten(NOVA_S, two_cells(second=5), PLAIN)
    assert changes(NOVA_S, written) == [
        '- <vcpupin vcpu="1" cpuset="4"/>',
        '- <emulatorpin cpuset="0,4"/>',
        '- <iothreadpin iothread="1" cpuset="0,4"/>',
        '+ <vcpupin vcpu="1" cpuset="5"/>',
        '+ <emulatorpin cpuset="0,5"/>',
        '+ <iothreadpin iothread="1" cpuset="0,5"/>',
    ]
    assert "<tomorrow/>" in written


def test_distances_are_written_and_spaced_as_the_rest():
    settings = Settings(mirror=False, distances=True)
    written = guest_xml.rewritten(NOVA_S, two_cells(), settings)
    assert """\
    <numa>
      <cell id="0" cpus="0" memory="1024" unit="KiB">
        <distances>
          <sibling id="0" value="10"/>
          <sibling id="1" value="21"/>
        </distances>
      </cell>
      <cell id="1" cpus="1" memory="1024" unit="KiB">
        <distances>
          <sibling id="0" value="21"/>
          <sibling id="1" value="10"/>
        </distances>
      </cell>
    </numa>
""" in written


def test_emulator_threads_on_the_first_cell_change_two_lines():
    settings = Settings(mirror=False, emulator_near_first_cell=True)
    written = guest_xml.rewritten(NOVA_S, two_cells(), settings)
    assert changes(NOVA_S, written) == [
        '- <emulatorpin cpuset="0,4"/>',
        '- <iothreadpin iothread="1" cpuset="0,4"/>',
        '+ <emulatorpin cpuset="0"/>',
        '+ <iothreadpin iothread="1" cpuset="0"/>',
    ]


def test_what_nova_left_out_is_not_added():
    without = NOVA_S[: NOVA_S.index("  <numatune>")] + "</domain>\n"
    written = guest_xml.rewritten(without, two_cells(second=5), PLAIN)
    assert "numatune" not in written
    assert '<vcpupin vcpu="1" cpuset="5"/>' in written


def test_an_element_that_nova_did_not_think_of_goes_to_the_others():
    without = NOVA_S.replace(
        '    <iothreadpin iothread="1" cpuset="0,4"/>\n', ""
    ).replace("    <tomorrow/>\n", "")
    written = guest_xml.rewritten(without, two_cells(), PLAIN)
    assert changes(without, written) == [
        '+ <iothreadpin iothread="1" cpuset="0,4"/>'
    ]
