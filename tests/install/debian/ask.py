"""Ask nova-scheduler for a host, as nova-conductor does, and write its answer.

Within the chroot, with Debian's Nova.
"""

import json
import uuid
from pathlib import Path

from nova import config, context, exception, objects, rpc
from nova.scheduler.client import query
from nova.virt import hardware

ANSWERS = Path("/var/log/nova/answers.json")


def main() -> None:
    """A guest that fits, and one that fits nowhere."""
    config.parse_args(["ask", "--config-file", "/etc/nova/nova.conf"])
    objects.register_all()
    admin = context.RequestContext("operator", "project", is_admin=True)
    (node,) = nodes(admin)
    answers = {
        "stats": node.stats,
        **{str(vcpus): ask(admin, vcpus) for vcpus in (2, 16)},
    }
    ANSWERS.write_text(json.dumps(answers))
    rpc.cleanup()


def nodes(admin: context.RequestContext) -> list[objects.ComputeNode]:
    """The compute nodes that its cell knows."""
    mappings = objects.CellMappingList.get_all(admin)
    cell = next(each for each in mappings if each.name == "cell1")
    with context.target_cell(admin, cell) as within:
        return list(objects.ComputeNodeList.get_all(within))


def ask(admin: context.RequestContext, vcpus: int) -> str:
    """The host for a pinned guest, or why there is none."""
    flavor = objects.Flavor(
        id=1, flavorid="pinned", name="pinned", memory_mb=64, vcpus=vcpus,
        root_gb=0, ephemeral_gb=0, swap=0, rxtx_factor=1.0, vcpu_weight=0,
        is_public=True, disabled=False,
        extra_specs={"hw:cpu_policy": "dedicated"})
    image = objects.ImageMeta.from_dict({"properties": {}})
    spec = objects.RequestSpec.from_components(
        admin, str(uuid.uuid4()), image, flavor,
        hardware.numa_get_constraints(flavor, image),
        objects.InstancePCIRequests(requests=[]), {}, None, None)
    spec.instance_uuid = str(uuid.uuid4())
    try:
        ((found, *_),) = query.SchedulerQueryClient().select_destinations(
            admin, spec, [spec.instance_uuid], return_objects=True)
    except exception.NoValidHost as refused:
        # A second line has the scheduler's traceback.
        return str(refused).partition("\n")[0]
    return found.service_host


if __name__ == "__main__":
    main()
