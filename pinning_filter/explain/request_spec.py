"""A flavor and an image, or a server's own request -> a question.

By Nova's own functions, so that what Nova asks the Placement API for is what
is asked here. Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from nova import conf, context, objects
from nova.pci import request
from nova.virt import hardware

from pinning_filter.explain.question import Question
from pinning_filter.nova import guest as nova_guest
from pinning_filter.nova import placement_request, releases

objects.register_all()


def know_aliases(aliases: Iterable[str]) -> None:
    """Let flavors name these PCI devices, in place of nova.conf's."""
    conf.CONF.set_override("alias", list(aliases), "pci")
    releases.forget_pci_aliases()


def spec(guest: nova_guest.Guest) -> objects.RequestSpec:
    """What Nova's API would ask its scheduler for a new server."""
    policy = hardware.get_pci_numa_policy_constraint(guest.flavor, guest.image)
    made = objects.RequestSpec.from_components(
        context.get_admin_context(),
        instance_uuid=str(uuid.uuid4()),
        image=guest.image,
        flavor=guest.flavor,
        numa_topology=hardware.numa_get_constraints(guest.flavor, guest.image),
        pci_requests=request.get_pci_requests_from_flavor(
            guest.flavor, policy
        ),
        filter_properties={},
        instance_group=None,
        availability_zone=None,
    )
    made.is_bfv = False
    return made


def of_spec(
    spec: objects.RequestSpec,
    guest: nova_guest.Guest,
    fault: str = "",
    forced: tuple[str, ...] = (),
) -> Question:
    """What is asked for a server, by the request that Nova keeps of it.

    :param forced: the hosts that whoever asked insists on.
    """
    pci_requests = spec.pci_requests if "pci_requests" in spec else None
    zone = spec.availability_zone if "availability_zone" in spec else None
    return Question(
        request=guest.request,
        resources=placement_request.alternatives(spec),
        extra_specs=dict(guest.flavor.extra_specs),
        zone=zone or "",
        pci_requests=tuple(pci_requests.requests) if pci_requests else (),
        fault=fault,
        forced=forced,
        spec=spec,
    )
