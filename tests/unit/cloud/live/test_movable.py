"""How a server can be migrated, by Nova's rules."""

import json

import pytest
from nova import objects

from pinning_filter.cloud.live import movable, rows

objects.register_all()


def request(source, **spec):
    return objects.InstancePCIRequest(
        count=1,
        spec=[{"vendor_id": "8086", **spec}],
        # Nova tells by it whether Neutron asked.
        alias_name="nic" if source == "alias" else None,
        numa_policy="required",
        request_id=None,
    )


def server(vm_state="active", task_state=None, specs=(), image=(), pci=()):
    flavor = objects.Flavor(name="any", extra_specs=dict(specs))
    kept = rows.Kept(
        uuid="a-server",
        vm_state=vm_state,
        task_state=task_state,
        flavor=json.dumps({"cur": flavor.obj_to_primitive()}),
        pci_requests=objects.InstancePCIRequests(requests=list(pci)).to_json(),
    )
    image = frozenset((f"image_{key}", value) for key, value in image)
    return rows.Row(None, kept, image)


@pytest.mark.parametrize(
    ("made", "fixed", "stays"),
    [
        pytest.param({}, "", "", id="active: live"),
        pytest.param({"vm_state": "paused"}, "", "", id="paused: live"),
        pytest.param(
            {"vm_state": "stopped"}, "it is stopped", "", id="stopped: cold"
        ),
        pytest.param(
            {"vm_state": "resized"},
            "it is resized",
            "it is resized",
            id="a resize that is not confirmed: not at all",
        ),
        pytest.param(
            {"vm_state": "suspended"},
            "it is suspended",
            "it is suspended",
            id="suspended: not at all",
        ),
        pytest.param(
            {"task_state": "migrating"},
            "it is migrating",
            "it is migrating",
            id="on its way",
        ),
        pytest.param(
            {"pci": [request("alias")]},
            "it has PCI devices",
            "",
            id="devices of an alias: cold",
        ),
        pytest.param(
            {"pci": [request("alias")], "vm_state": "paused"},
            "it is paused, and it has PCI devices",
            "it is paused, and it has PCI devices",
            id="paused with devices: not at all",
        ),
        pytest.param(
            {"pci": [request("port")]}, "", "", id="devices of a port: live"
        ),
        pytest.param(
            {"specs": {"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb"}},
            "it has a TPM",
            "",
            id="a TPM: cold",
        ),
        pytest.param(
            {
                "specs": {"hw:mem_encryption": "true"},
                "image": [("hw_firmware_type", "uefi")],
            },
            "its memory is encrypted",
            "",
            id="encrypted memory: cold",
        ),
        pytest.param(
            {"specs": {"accel:device_profile": "gpu"}},
            "it has accelerators",
            "it has accelerators",
            id="accelerators: not at all",
        ),
    ],
)
def test_live_cold_or_not_at_all(made, fixed, stays):
    made = server(**made)
    assert (movable.fixed(made), movable.stays(made)) == (fixed, stays)


def test_devices_are_kept_as_nova_s_fit_would_be_given_them():
    made = server(pci=[request("alias", rp_uuids="x,y")])
    (text,) = movable.devices(made)
    assert json.loads(text) == {
        "count": 1,
        "spec": [{"vendor_id": "8086"}],
        "alias_name": "nic",
        "numa_policy": "required",
    }
