"""A flavor and an image, or a server's own request -> a question.

By Nova's own functions, so that what Nova asks the Placement API for is what
is asked here. Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

from nova import conf, objects
from nova.scheduler import utils as scheduler_utils

from pinning_filter.cli import nova_inputs
from pinning_filter.cli.question import Question, Resources
from pinning_filter.cli.snapshot import Flavor

#: What a compute node is given when it is not to be asked.
_DISABLED = "COMPUTE_STATUS_DISABLED"


def flavor_of(flavor: Flavor) -> objects.Flavor:
    """A flavor as Nova's own object."""
    return objects.Flavor(
        name=flavor.name,
        flavorid=flavor.name,
        vcpus=flavor.vcpus,
        memory_mb=flavor.ram_mib,
        root_gb=flavor.disk_gib,
        ephemeral_gb=0,
        swap=0,
        extra_specs=dict(flavor.extra_specs),
    )


def question(guest: nova_inputs.Guest) -> Question:
    """What is asked for a new server of a flavor and an image.

    :raises InputError: with Nova's own words for what it would refuse.
    """
    with nova_inputs.complaints("the guest"):
        return of_spec(
            objects.RequestSpec(
                flavor=guest.flavor,
                image=guest.image,
                is_bfv=False,
                requested_resources=[],
                request_level_params=objects.RequestLevelParams(),
            ),
            guest,
        )


def of_spec(
    spec: objects.RequestSpec, guest: nova_inputs.Guest, fault: str = ""
) -> Question:
    """What is asked for a server, by the request that Nova keeps of it."""
    asked = [True]
    if not conf.CONF.workarounds.disable_fallback_pcpu_query:
        asked.append(False)
    alternatives = [_resources(spec, translate) for translate in asked]
    pci_requests = spec.pci_requests if "pci_requests" in spec else None
    zone = spec.availability_zone if "availability_zone" in spec else None
    return Question(
        request=guest.request,
        resources=tuple(
            each
            for number, each in enumerate(alternatives)
            if each not in alternatives[:number]
        ),
        extra_specs=dict(guest.flavor.extra_specs),
        zone=zone or "",
        pci_requests=tuple(pci_requests.requests) if pci_requests else (),
        fault=fault,
    )


def _resources(spec: objects.RequestSpec, translate: bool) -> Resources:
    asked = scheduler_utils.ResourceRequest.from_request_spec(spec, translate)
    group = asked.get_request_group(None)
    return Resources(
        {name: int(amount) for name, amount in group.resources.items()},
        frozenset(group.required_traits),
        frozenset(group.forbidden_traits) | {_DISABLED},
    )
