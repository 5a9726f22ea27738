r"""What is set up through the cloud's own APIs. Run by the lab's environment.

    lab/run/venv/bin/python -m lab.cloud \
        identities | resources | discovered HOST | choose HOST...

Each is a no-op where its work is done already.
"""

import io
import sys
import time

import openstack
from openstack.connection import Connection

from lab import layout

#: service type -> (name, path of its endpoint)
SERVICES = {
    "image": ("glance", ""),
    "placement": ("placement", ""),
    "network": ("neutron", ""),
    "compute": ("nova", "/v2.1"),
}
#: A disk that boots nothing: pinning is seen without a guest.
BLANK_DISK = bytes(4 * 1024 * 1024)
IMAGES = {"blank": {}, "blank-dedicated": {"hw_cpu_policy": "dedicated"}}
#: name -> (vCPUs, memory in MiB, extra specs); more come with the tests.
FLAVORS = {
    "plain": (1, 64, {}),
    "pinned": (2, 64, {"hw:cpu_policy": "dedicated"}),
    "pinned-require": (2, 64, {
        "hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "require"}),
    "pinned-isolate": (1, 64, {
        "hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "isolate"}),
}
DISCOVERY_SECONDS = 300


def connect() -> Connection:
    """The lab's cloud as its administrator."""
    return openstack.connect(
        auth_url=f"http://127.0.0.1:{layout.PORTS['keystone']}/v3",
        username="admin", password=layout.PASSWORD, project_name="admin",
        user_domain_id="default", project_domain_id="default",
        region_name=layout.REGION, compute_api_version="2.95",
    )


def identities(cloud: Connection) -> None:
    """The services' users, roles and endpoints."""
    identity = cloud.identity
    project = identity.find_project("service") or identity.create_project(
        name="service", domain_id="default")
    roles = [identity.find_role(name) for name in ("admin", "service")]
    for kind, (name, path) in SERVICES.items():
        user = identity.find_user(name) or identity.create_user(
            name=name, password=layout.PASSWORD, domain_id="default")
        for role in roles:
            identity.assign_project_role_to_user(project, user, role)
        service = identity.find_service(name) or identity.create_service(
            name=name, type=kind)
        there = {
            endpoint.interface
            for endpoint in identity.endpoints(service_id=service.id)
        }
        for interface in {"public", "internal"} - there:
            identity.create_endpoint(
                service_id=service.id, interface=interface,
                url=f"http://127.0.0.1:{layout.PORTS[name]}{path}",
                region_id=layout.REGION,
            )


def resources(cloud: Connection) -> None:
    """The images and flavors that the first try needs."""
    for name, properties in IMAGES.items():
        if cloud.image.find_image(name):
            continue
        cloud.image.create_image(
            name, data=io.BytesIO(BLANK_DISK), disk_format="raw",
            container_format="bare", visibility="public", wait=True,
            allow_duplicates=True, **properties,
        )
    for name, (vcpus, ram, specs) in FLAVORS.items():
        if cloud.compute.find_flavor(name):
            continue
        flavor = cloud.compute.create_flavor(
            name=name, vcpus=vcpus, ram=ram, disk=0)
        cloud.compute.create_flavor_extra_specs(flavor, specs)


def discovered(cloud: Connection, name: str = layout.HOST) -> None:
    """Wait until the compute host is up and mapped to its cell."""
    limit = time.monotonic() + DISCOVERY_SECONDS
    while time.monotonic() < limit:
        up = [
            host for host in cloud.compute.hypervisors(details=True)
            if host.service_details["host"] == name and host.state == "up"
        ]
        if up:
            return
        time.sleep(1)
    raise SystemExit(
        f"the compute host {name} did not come up in {DISCOVERY_SECONDS} s")


def choose(cloud: Connection, *hosts: str) -> None:
    """Let the scheduler choose these compute hosts and no other.

    The Placement API learns it of each host from nova-compute there, which
    may just have been started.
    """
    for host in hosts:
        discovered(cloud, host)
    for service in cloud.compute.services(binary="nova-compute"):
        wanted = service.host in hosts
        if wanted != (service.status == "enabled"):
            (cloud.compute.enable_service if wanted
             else cloud.compute.disable_service)(service)


def main() -> None:
    """Do what the first argument names."""
    actions = {"identities": identities, "resources": resources,
               "discovered": discovered, "choose": choose}
    actions[sys.argv[1]](connect(), *sys.argv[2:])


if __name__ == "__main__":
    main()
