"""Tell the story: boot servers, and show who decided what, and why.

Every verdict is that of the engine, asked about each compute as Nova's own
database has it; the server is then booted through Nova's API, and what Nova
keeps of it must be what was said, or the demo ends with an error.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping

from lxml import etree
from nova import version

from pinning_filter.cli.pictures.placement import picture
from pinning_filter.compute import guest_xml
from pinning_filter.core.cpuset import format as cpus
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.demo import cloud as nova_cloud
from pinning_filter.demo import services
from pinning_filter.demo.scenes import (
    COMPUTES,
    EARLIER,
    SCENES,
    Compute,
    Scene,
)
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.nova import guest as nova_guest
from pinning_filter.nova import host as nova_host

_WIDTH = min(shutil.get_terminal_size().columns, 79)
_INDENT = "   "


class Surprise(Exception):
    """Nova did something else than what the engine said."""


def main() -> int:
    """The whole story."""
    began = time.monotonic()
    say(
        f"A whole Nova {version.version_string()} runs in this process: API, "
        "conductor, scheduler, the Placement API and several computes. Only "
        "the computes' machines and libvirt are fake. The scheduler runs "
        "PinningFilter instead of NUMATopologyFilter, the computes run "
        "PinningLibvirtDriver."
    )
    with nova_cloud.cloud(services.OURS) as cloud:
        start(cloud, COMPUTES)
        first = COMPUTES[0].name
        for vcpus in EARLIER:
            flavor = cloud.flavor(vcpus, hw__cpu_policy="dedicated")
            cloud.boot(flavor, host=first)
        for number, scene in enumerate(SCENES, 1):
            play(cloud, number, scene)
    for scene in SCENES:
        if scene.stock:
            show_stock(scene)
    took = time.monotonic() - began
    print(f"\nDone, in {took:.0f} seconds.")
    return 0


def start(cloud: nova_cloud.Cloud, computes: tuple[Compute, ...]) -> None:
    """Start computes, and say what they are."""
    if computes:
        print()
    for compute in computes:
        cloud.add_compute(
            compute.name,
            compute.host(),
            reports_topology=compute.reports_topology,
        )
        print(f"{_INDENT}compute {compute.name:<7} {compute.about}")


def play(cloud: nova_cloud.Cloud, number: int, scene: Scene) -> None:
    """One scene, from request to XML."""
    title(number, scene)
    start(cloud, scene.joins)
    try:
        ask_and_boot(cloud, scene)
    except nova_cloud.Refused as refused:
        (answer,) = refused.response.json().values()
        print(f"\n{_INDENT}Nova's API refuses at once: {answer['code']}")
        say(answer["message"], _INDENT * 2)


def title(number: int, scene: Scene) -> None:
    """What is asked for."""
    heading = f"{number}. {scene.title}"
    print(f"\n{heading}\n{'=' * len(heading)}")
    say(scene.about, _INDENT)
    plural = "" if scene.vcpus == 1 else "s"
    print(f"\n{_INDENT}{scene.vcpus} vCPU{plural}, {scene.ram_mib} MiB")
    for kind, keys in (("flavor", scene.flavor), ("image", scene.image)):
        for key, value in keys.items():
            print(f"{_INDENT}{kind:<6}  {key}={value}")


def ask_and_boot(cloud: nova_cloud.Cloud, scene: Scene) -> None:
    """Ask the engine about every compute, then let Nova boot the guest.

    :raises nova_cloud.Refused: if Nova's API refuses the request.
    :raises Surprise: if Nova does anything else than the engine said.
    """
    flavor = cloud.flavor(scene.vcpus, scene.ram_mib, **scene.flavor)
    image = cloud.image(**scene.image)
    before = read_hosts(cloud)
    server = cloud.boot(flavor, image)
    guest = nova_guest.guest(
        scene.vcpus, scene.ram_mib, scene.flavor, scene.image
    )
    assert guest.request is not None, "every scene asks for pinning"
    answers = {
        name: fit(host, guest.request)
        if host
        else Refusal((Fact(Code.NO_TOPOLOGY),))
        for name, host in before.items()
    }
    verdicts(answers, server.host)
    if scene.refused:
        show_fault(server, answers)
        return
    placement = answers.get(server.host or "")
    host = before.get(server.host or "")
    if not (host and placement) or placement.pinning != server.pinning:
        raise Surprise(f"{server} is not {placement}")
    print(f"\n{_INDENT}On {server.host}:\n")
    drawing = picture(host, placement)
    print(textwrap.indent(drawing, _INDENT))
    show_xml(placement, guest, server.xml)


def show_fault(
    server: nova_cloud.Server, answers: Mapping[str, Placement | Refusal]
) -> None:
    """What a tenant reads of a server that no compute can take.

    :raises Surprise: if one can, or if nothing is said.
    """
    if any(answers.values()) or "No host can take" not in server.fault:
        raise Surprise(f"{server}, and {answers}")
    print(f"\n{_INDENT}The server's fault:\n")
    say(server.fault, _INDENT * 2)


def read_hosts(cloud: nova_cloud.Cloud) -> dict[str, Host | None]:
    """The computes as Nova's database has them now."""
    return {
        name: topology and nova_host.host_from_nova(topology)
        for name, topology in cloud.host_topologies().items()
    }


def verdicts(
    answers: Mapping[str, Placement | Refusal], chosen: str | None
) -> None:
    """The table of hosts."""
    print(f"\n{_INDENT}{'compute':<9}{'verdict':<9}why")
    for name, answer in answers.items():
        if isinstance(answer, Refusal):
            verdict, whys = "no", reasons(answer)
        elif name == chosen:
            verdict, whys = "fits", ["chosen"]
        else:
            verdict, whys = "fits", ["another has more memory"]
        margin = f"{_INDENT}{name:<9}{verdict:<9}"
        for why in whys:
            say(why, margin, " " * (len(margin) + 2))
            margin = " " * len(margin)


def reasons(refusal: Refusal) -> list[str]:
    """Every reason once, with the host cells that it holds for."""
    cells: dict[str, list[int]] = {}
    for fact in refusal.in_order:
        where = cells.setdefault(fact.clause, [])
        if fact.host_cell is not None:
            where.append(fact.host_cell)
    return [
        f"host cell{'s' * (len(where) > 1)} {cpus(where)}: {clause}"
        if where
        else clause
        for clause, where in cells.items()
    ]


def show_xml(
    placement: Placement, guest: nova_guest.Guest, written: str
) -> None:
    """What libvirt got, and the topology that Nova would have written.

    :raises Surprise: if libvirt got anything else.
    """
    settings = guest.settings(())
    if guest_xml.rewritten(written, placement, settings) != written:
        raise Surprise(written)
    print(f"\n{_INDENT}What libvirt got:\n")
    ours = domain_xml.dumps(*domain_xml.elements(placement, settings))
    print(textwrap.indent(ours, _INDENT * 2), end="")
    as_nova = dataclasses.replace(settings, mirror=False)
    nova_s = domain_xml.topology(placement, as_nova)
    if nova_s != domain_xml.topology(placement, settings):
        print()
        say(
            "With Nova's own driver the topology would be {} sockets of {} "
            "core and {} thread.".format(*nova_s),
            _INDENT,
        )


def show_stock(scene: Scene) -> None:
    """The same guest with Nova's own filter and fit."""
    names = ", ".join(compute.name for compute in scene.joins)
    print(
        f"\n{_INDENT}The same guest and compute {names}, with stock Nova:"
    )
    with nova_cloud.cloud(services.STOCK) as cloud:
        for compute in scene.joins:
            cloud.add_compute(compute.name, compute.host())
        server = cloud.boot(
            cloud.flavor(scene.vcpus, scene.ram_mib, **scene.flavor)
        )
    print(f"\n{_INDENT * 2}{server.status} {server.fault}".rstrip())
    lost = set()
    for pin in etree.fromstring(server.xml or "<domain/>").iter("vcpupin"):
        print(f"{_INDENT * 2}{domain_xml.dumps(pin)}", end="")
        if not pin.get("cpuset"):
            lost.add(int(pin.attrib["vcpu"]))
    if lost:
        print()
        say(
            f"vCPUs {cpus(lost)} are pinned nowhere, and nothing says so: "
            "neither the scheduler, nor the compute, nor the server's status.",
            _INDENT,
        )


def say(text: str, indent: str = "", then: str | None = None) -> None:
    """Print a paragraph."""
    print(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent if then is None else then,
        ),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
