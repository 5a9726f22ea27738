"""What Nova asks the Placement API for, by a server's request.

Read from Nova's own ``ResourceRequest``, so that what is looked for here is
what the scheduler looked for. Knows nothing of what there is.
"""

from __future__ import annotations

from nova import conf, objects
from nova.scheduler import utils

from pinning_filter.fleet.offers import Resources

#: What a compute node is given when it is not to be asked.
DISABLED = "COMPUTE_STATUS_DISABLED"


def translations() -> tuple[bool, ...]:
    """Whether pinned vCPUs are asked for as PCPU, question by question.

    As VCPU instead, unless ``[workarounds] disable_fallback_pcpu_query`` is
    set.
    """
    if conf.CONF.workarounds.disable_fallback_pcpu_query:
        return (True,)
    return (True, False)


def alternatives(spec: objects.RequestSpec) -> tuple[Resources, ...]:
    """What is asked for, translation by translation; any one is enough."""
    found = [_resources(spec, each) for each in translations()]
    return tuple(
        each
        for number, each in enumerate(found)
        if each not in found[:number]
    )


def _resources(spec: objects.RequestSpec, translate: bool) -> Resources:
    asked = utils.ResourceRequest.from_request_spec(spec, translate)
    group = asked.get_request_group(None)
    return Resources(
        {name: int(amount) for name, amount in group.resources.items()},
        frozenset(group.required_traits) | frozenset(spec.root_required),
        frozenset(group.forbidden_traits)
        | frozenset(spec.root_forbidden)
        | {DISABLED},
    )


def members(spec: objects.RequestSpec) -> list[tuple[str, str]]:
    """Query parameters that keep to the aggregates and the host asked for.

    Empty where every host will do.
    """
    asked = utils.ResourceRequest.from_request_spec(spec)
    return [
        (name, value)
        for name, value in asked.get_request_group(None).to_queryparams()
        if name in ("member_of", "in_tree")
    ]
