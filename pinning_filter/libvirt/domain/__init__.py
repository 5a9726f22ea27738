"""Placement -> the elements of libvirt's domain XML that pin a guest.

Last in the flow ``request -> fit -> placement -> domain XML``. Knows core's
values and lxml, and neither Nova nor a running libvirt: what a flavor, an
image or an option say about a guest arrives here as :class:`Settings`
(``pinning_filter.nova.settings`` makes one from Nova's objects).

    vcpu(placement)                      <vcpu>
    iothreads(settings)                  <iothreads>, or None
    cputune(placement, settings)         <cputune>
    numatune(placement)                  <numatune>
    cpu(placement, settings)             <cpu>: <topology> and <numa> only
    memory_backing(placement, settings)  <memoryBacking>, or None
    elements(placement, settings)        all of these, in libvirt's order
    domain(placement, settings, name)    a whole, if bare, <domain>
    dumps(element, ...)                  text, spaced and quoted as libvirt

``topology(placement, settings)`` is the guest's CPU topology by itself, and
``mirrored(placement)`` the one that follows the host's threads.

Every element says what Nova's libvirt driver says for the same guest
(``LibvirtDriver._get_guest_config``, nova 34), order and spelling being those
in which ``virsh dumpxml`` shows it: attributes that libvirt would fill in
with one fixed value (``placement='static'``, ``unit='KiB'``) are written.
Where they differ from Nova's on purpose, the function says so.
"""

from pinning_filter.libvirt.domain.builder import domain, dumps, elements
from pinning_filter.libvirt.domain.cpu import cpu
from pinning_filter.libvirt.domain.cputune import (
    cputune,
    emulator_pcpus,
    iothreads,
    vcpu,
)
from pinning_filter.libvirt.domain.memory import memory_backing, numatune
from pinning_filter.libvirt.domain.settings import (
    DEFAULT,
    InvalidSettings,
    Settings,
    Topology,
)
from pinning_filter.libvirt.domain.topology import (
    false_siblings,
    mirrored,
    topology,
)

__all__ = [
    "DEFAULT",
    "InvalidSettings",
    "Settings",
    "Topology",
    "cpu",
    "cputune",
    "domain",
    "dumps",
    "elements",
    "emulator_pcpus",
    "false_siblings",
    "iothreads",
    "memory_backing",
    "mirrored",
    "numatune",
    "topology",
    "vcpu",
]
