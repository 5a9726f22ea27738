"""Nova's libvirt driver over a fake libvirt, for comparison.

The driver is the installed Nova's; what stands in for libvirt is the fixture
that its own tests use.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import fixtures
import os_vif
from lxml import etree
from nova import context, objects
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import conf as nova_conf
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt import fake
from nova.virt.libvirt import blockinfo, driver
from oslo_utils.fixture import uuidsentinel as uuids

#: Option values by (group, name); the group None is [DEFAULT].
Options = Mapping[tuple[str | None, str], Any]


@contextlib.contextmanager
def libvirt_driver(
    capabilities: bytes,
    options: Options | None = None,
    kind: type[driver.LibvirtDriver] = driver.LibvirtDriver,
) -> Iterator[driver.LibvirtDriver]:
    """A driver on the host that these capabilities describe.

    Only the host's ``<topology>`` and ``<cache>`` are taken from them.

    :param kind: Nova's own driver, or one made from it.
    """
    host = etree.fromstring(capabilities).find("host")
    topology = host.find("topology")
    info = fakelibvirt.HostInfo()
    info.numa_topology = "".join(
        etree.tostring(each, encoding="unicode")
        for each in host
        if each.tag in ("topology", "cache")
    )
    info.cpus = len(topology.findall(".//cpu"))
    with contextlib.ExitStack() as stack:
        conf = stack.enter_context(nova_conf.ConfFixture(driver.CONF))
        folder = stack.enter_context(fixtures.TempDir()).path
        conf.config(instances_path=folder)
        for (group, name), value in (options or {}).items():
            conf.config(group=group, **{name: value})
        os_vif.initialize()
        for fixture in (
            nova_fixtures.LibvirtImageBackendFixture(),
            nova_fixtures.CGroupsFixture(),
            nova_fixtures.LibvirtFixture(),
            fixtures.MockPatch(
                "nova.virt.libvirt.host.Host.get_connection",
                return_value=fakelibvirt.Connection(
                    "qemu:///system", host_info=info
                ),
            ),
        ):
            stack.enter_context(fixture)
        yield kind(fake.FakeVirtAPI(), True)


def guest_xml(
    on: driver.LibvirtDriver,
    flavor: objects.Flavor,
    image: objects.ImageMeta,
    topology: objects.InstanceNUMATopology | None,
) -> etree._Element:
    """The ``<domain>`` that the driver writes for a placed guest."""
    return etree.fromstring(guest_document(on, flavor, image, topology))


def guest_document(
    on: driver.LibvirtDriver,
    flavor: objects.Flavor,
    image: objects.ImageMeta,
    topology: objects.InstanceNUMATopology | None,
) -> str:
    """The same as the text that libvirt is given."""
    instance = objects.Instance(
        context.get_admin_context(),
        uuid=uuids.instance,
        id=1,
        flavor=flavor,
        numa_topology=topology,
        system_metadata={},
        metadata={},
        image_ref=uuids.image,
        os_type="linux",
        vcpu_model=None,
        vm_mode=None,
        ephemeral_gb=0,
        swap=0,
        kernel_id=None,
        ramdisk_id=None,
        config_drive=None,
        project_id="project",
        user_id="user",
        display_name="a guest",
        host="host",
        node="host",
        resources=None,
        pci_devices=objects.PciDeviceList(),
        root_device_name=None,
    )
    virt_type = driver.CONF.libvirt.virt_type
    disks = blockinfo.get_disk_info(virt_type, instance, image)
    return on._get_guest_xml(
        context.get_admin_context(), instance, [], disks, image
    )


#: What libvirt fills in where it is not said, as Nova leaves it to.
_FILLED_IN = {"vcpu": {"placement": "static"}, "cell": {"unit": "KiB"}}
_OURS = ("memoryBacking", "vcpu", "iothreads", "cputune", "numatune", "cpu")


def said(element: etree._Element) -> tuple[Any, ...]:
    """An element by what it says: order and spelling do not matter."""
    attributes = {**_FILLED_IN.get(element.tag, {}), **element.attrib}
    return (
        element.tag,
        sorted(attributes.items()),
        (element.text or "").strip(),
        sorted(map(said, element)),
    )


def ours(domain: etree._Element) -> dict[str, Any]:
    """The elements that are ours to write; of ``<cpu>`` not the model."""
    found: dict[str, Any] = {}
    for tag in _OURS:
        for element in domain.findall(tag):
            assert tag not in found
            found[tag] = said(element)
            if tag == "cpu":
                found[tag] = sorted(
                    said(child)
                    for child in element
                    if child.tag in ("topology", "numa")
                )
    return found
