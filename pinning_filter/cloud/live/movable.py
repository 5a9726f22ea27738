"""How a server can be migrated, as Nova's API and conductor decide it.

The rules are those of ``nova.compute.api`` (``live_migrate`` and ``resize``)
and of ``nova.conductor.tasks.live_migrate``. What they ask of compute
services, versions and hypervisors, is not asked here.
"""

from __future__ import annotations

import json
from typing import Any

from nova import objects
from nova.virt import hardware

from pinning_filter.cloud.live import rows
from pinning_filter.nova import releases

#: States that Nova migrates a server in: live, and cold.
_LIVE = ("active", "paused")
_COLD = ("active", "stopped")
_ACCELERATORS = "accel:device_profile"


def stays(server: rows.Row) -> str:
    """Why it cannot be migrated at all, as a clause; empty: it can."""
    if server.task_state:
        return f"it is {server.task_state}"
    if server.vm_state not in {*_LIVE, *_COLD}:
        return f"it is {server.vm_state}"
    if _ACCELERATORS in server.flavor.extra_specs:
        return "it has accelerators"
    if server.vm_state not in _COLD and (why := _not_live(server)):
        return f"it is {server.vm_state}, and {why}"
    return ""


def fixed(server: rows.Row) -> str:
    """Why it cannot be migrated live, as a clause; empty: it can."""
    if server.vm_state not in _LIVE:
        return f"it is {server.vm_state}"
    return stays(server) or _not_live(server)


def _not_live(server: rows.Row) -> str:
    """What of the server itself stands against it."""
    for request in server.pci_requests:
        if request.source == request.FLAVOR_ALIAS and (
            not releases.is_live_migratable(request)
        ):
            return "it has PCI devices"
    return server.of_kind(_kind_not_live)


def _kind_not_live(flavor: objects.Flavor, image: objects.ImageMeta) -> str:
    """The same of its flavor and image."""
    if hardware.get_vtpm_constraint(flavor, image) and (
        flavor.extra_specs.get("hw:tpm_secret_security") != "host"
    ):
        return "it has a TPM"
    if hardware.get_mem_encryption_constraint(flavor, image):
        return "its memory is encrypted"
    return ""


def devices(server: rows.Row) -> tuple[str, ...]:
    """Its PCI requests, as JSON: those that Nova's own fit would be given."""
    return tuple(
        json.dumps(_plain(request), sort_keys=True)
        for request in server.pci_requests
    )


def _plain(request: objects.InstancePCIRequest) -> dict[str, Any]:
    numa_policy = request.numa_policy if "numa_policy" in request else None
    return {
        "count": request.count,
        # What only says where a device is, or who asked for it, is left out.
        "spec": [
            {key: value for key, value in each.items() if key != "rp_uuids"}
            for each in request.spec
        ],
        "alias_name": request.alias_name,
        "numa_policy": numa_policy,
    }
