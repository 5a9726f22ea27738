"""Nova's options, for who asks Nova's code without running a service.

Beside the flow. A command that reads no nova.conf still needs the options to
have values, since Nova's own functions read them; and what they say of a
compute node's pCPUs is asked here by whoever looks at one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nova import conf
from nova.virt import hardware
from oslo_config import cfg

#: As Nova's libvirt driver has it for KVM and QEMU.
_LIBVIRT = "qemu:///system"


def ensure_configured() -> None:
    """Give Nova's options their defaults, unless a file was read already."""
    try:
        _ = conf.CONF.compute.cpu_shared_set
    except Exception:
        conf.CONF([], project="nova", default_config_files=[])


def read(files: Sequence[str] = (), dirs: Sequence[str] = ()) -> None:
    """Read what nova-compute reads: these files, or where it looks for them.

    :raises Exception: oslo.config's, for what it cannot read.
    """
    named = [f"--config-file={name}" for name in files]
    named += [f"--config-dir={name}" for name in dirs]
    conf.CONF(
        named,
        project="nova",
        default_config_files=cfg.find_config_files(
            project="nova", prog="nova-compute"
        ),
    )


def host_and_libvirt() -> tuple[str, str]:
    """The name of this compute node, and where its libvirt is."""
    return conf.CONF.host, conf.CONF.libvirt.connection_uri or _LIBVIRT


class CpuSets(NamedTuple):
    """What a compute node's options give to whom."""

    #: pCPUs open to pinning; None: any that is online.
    dedicated: frozenset[int] | None
    #: pCPUs for floating vCPUs; None: any that is online.
    shared: frozenset[int] | None
    #: Whether Nova switches dedicated pCPUs off that nobody is pinned to.
    power_managed: bool


def cpu_sets() -> CpuSets:
    """The pCPUs that the options give out, ``vcpu_pin_set`` included.

    Source: ``LibvirtDriver._get_vcpu_available``, ``_get_pcpu_available`` and
    what ``_get_host_numa_topology`` makes of them.

    :raises Exception: Nova's, for a set that names no pCPUs.
    """
    pinned = hardware.get_cpu_dedicated_set()
    legacy = hardware.get_vcpu_pin_set()
    shared = legacy or hardware.get_cpu_shared_set()
    managed = conf.CONF.libvirt
    by_state = (
        managed.cpu_power_management
        and managed.cpu_power_management_strategy == "cpu_state"
    )
    if shared is None and pinned is not None:
        shared = set()
    if pinned is None:
        # As before Train: one set for all, unless that is said to be shared.
        pinned = set() if shared is not None and not legacy else shared
    return CpuSets(_frozen(pinned), _frozen(shared), bool(by_state))


def _frozen(pcpus: set[int] | None) -> frozenset[int] | None:
    return None if pcpus is None else frozenset(pcpus)
