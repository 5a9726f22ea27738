"""Laws of the XML, over guests that nobody thought of."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, event, given, reject, settings
from hypothesis import strategies as st
from nova import exception, objects

from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.libvirt import domain as domain_xml
from tests.property import worlds
from tests.unit import guests
from tests.unit.guests import Guest
from tests.unit.nova_libvirt import guest_xml, libvirt_driver, ours

objects.register_all()


@st.composite
def placements(draw: Any) -> Placement:
    """Guests that fit, most of them on hosts with cores to choose from."""
    host, request = draw(worlds.questions())
    if draw(st.integers(0, 3)):
        host = Host(
            tuple(
                cell._replace(pinned=frozenset(), free=cell.dedicated)
                for cell in host.cells
            )
        )
    found = fit(host, request)
    assume(isinstance(found, Placement))
    return found


@settings(max_examples=settings.default.max_examples // 3)
@given(placements())
def test_a_mirrored_topology_is_that_of_the_pcpus(
    placement: Placement,
) -> None:
    found = domain_xml.mirrored(placement)
    assume(found is not None)
    sockets, cores, threads = found
    event(f"{sockets} sockets, {cores} cores, {threads} threads")
    home = {
        vcpu: index
        for index, cell in enumerate(placement.cells)
        for vcpu in cell.guest_cell.vcpus
    }
    core_of = {
        vcpu: next(
            frozenset(core)
            for cell in placement.cells
            for core in cell.host_cell.siblings
            if pcpu in core
        )
        for vcpu, pcpu in placement.pinning.items()
    }
    assert sorted(home) == list(range(sockets * cores * threads))
    for one in home:
        for other in home:
            same_core = one // threads == other // threads
            assert same_core == (core_of[one] == core_of[other])
            if one // (cores * threads) == other // (cores * threads):
                assert home[one] == home[other]


@settings(max_examples=settings.default.max_examples // 3)
@given(placements())
def test_a_guest_s_vcpus_are_each_pinned_once(
    placement: Placement,
) -> None:
    pins = {
        int(pin.get("vcpu")): pin.get("cpuset")
        for pin in domain_xml.cputune(placement).findall("vcpupin")
    }
    vcpus = [
        vcpu for cell in placement.cells for vcpu in cell.guest_cell.vcpus
    ]
    assert list(pins) == sorted(vcpus)
    for vcpu, pcpu in placement.pinning.items():
        assert pins[vcpu] == str(pcpu)


#: Extra specs that go together; a guest gets up to four of these.
POLICIES = (
    {"hw:cpu_policy": "dedicated"},
    {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"},
    {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "1"},
)
EXTRAS = (
    {"hw:cpu_thread_policy": "require"},
    {"hw:cpu_thread_policy": "isolate"},
    {"hw:emulator_threads_policy": "isolate"},
    {"hw:emulator_threads_policy": "share"},
    {"hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": "^0"},
    {"hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": "1"},
    {"hw:mem_page_size": "small"},
    {"hw:mem_page_size": "large"},
    {"hw:mem_page_size": "2MB", "hw:locked_memory": "yes"},
    {"hw:mem_page_size": "any", "hw:locked_memory": "no"},
    {"hw:cpu_sockets": "1"},
    {"hw:cpu_threads": "2"},
    {"hw:cpu_max_cores": "2"},
    {"quota:cpu_shares": "2", "quota:cpu_quota": "-1"},
    {"quota:cpu_quota": "5000", "quota:cpu_period": "1000"},
)
IMAGES = (
    {},
    {},
    {"hw_cpu_policy": "dedicated", "hw_cpu_thread_policy": "prefer"},
    {"hw_cpu_max_sockets": "1"},
    {"hw_cpu_realtime_mask": "^0-1"},
)
#: Dedicated and shared set of the host.
SETS = (("", ""), ("4-15,20-31", ""), ("2-15,18-31", "0-1,16-17"))


@st.composite
def asked(draw: Any) -> Guest:
    nodes = draw(st.sampled_from((1, 1, 2)))
    specs = dict(draw(st.sampled_from(POLICIES)))
    for extra in draw(st.lists(st.sampled_from(EXTRAS), max_size=4)):
        specs |= extra
    if nodes > 1 or draw(st.booleans()):
        specs["hw:numa_nodes"] = str(nodes)
    mixed = specs["hw:cpu_policy"] == "mixed"
    dedicated, shared = draw(st.sampled_from(SETS[-1:] if mixed else SETS))
    return Guest(
        draw(st.sampled_from((guests.TWO_CELLS, guests.AMD))),
        draw(st.integers(1 + mixed, 4)) * nodes,
        specs,
        draw(st.sampled_from(IMAGES)),
        dedicated=dedicated,
        shared=shared,
    )


@settings(max_examples=settings.default.max_examples // 3)
@given(asked())
def test_what_nova_would_write(guest: Guest) -> None:
    with libvirt_driver(
        guests.capabilities(guest.host), guests.options(guest)
    ) as on:
        try:
            found = guests.placed(guest, mirror=False)
        except (exception.NovaException, guests.NotPlaced):
            reject()
        nova_s = guest_xml(on, found.flavor, found.image, found.topology)
    written = domain_xml.domain(found.placement, found.settings, "guest")
    assert ours(written) == ours(nova_s)
