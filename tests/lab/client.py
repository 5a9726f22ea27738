"""The real ``openstack`` client, and servers made with it.

What only waits, looks or tidies up asks the client's own library instead: a
process of the client takes seconds.
"""

import functools
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openstack import exceptions
from openstack.connection import Connection

from lab import cloud, layout

_numbers = itertools.count(1)
#: Seconds that anything asynchronous may take, and between two looks.
PATIENCE = 300
#: Seconds after which a server that is still there is deleted again.
ASK_AGAIN = 30
TICK = 0.5


class Refused(Exception):
    """The client said no; the text is what its user reads."""


def openstack(*arguments: str, as_json: bool = True) -> Any:
    """Run the client; its JSON as Python values, or its text."""
    command = [str(layout.BIN / "openstack"), *arguments]
    if as_json:
        command += ["-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout) if as_json else done.stdout.strip()


@functools.cache
def sdk() -> Connection:
    """The library below the client, as the administrator."""
    return cloud.connect()


def unique(kind: str) -> str:
    """A name that nothing has yet."""
    return f"{kind}-{int(time.time())}-{next(_numbers)}"


def properties(values: dict[str, str]) -> list[str]:
    """``--property`` for each of them."""
    return [
        part for key, value in values.items()
        for part in ("--property", f"{key}={value}")
    ]


def extra_specs(specs: dict[str, str]) -> dict[str, str]:
    """``cpu_policy="dedicated"`` is hw:cpu_policy."""
    return {f"hw:{key}": value for key, value in specs.items()}


def flavor(
    vcpus: int, ram_mib: int = 64, name: str = "", **specs: str
) -> str:
    """A new flavor, with :func:`extra_specs`; its name."""
    name = name or unique("flavor")
    keys = extra_specs(specs)
    openstack(
        "flavor", "create", name, "--vcpus", str(vcpus),
        "--ram", str(ram_mib), "--disk", "0", *properties(keys),
    )
    return name


@dataclass(frozen=True, slots=True)
class Server:
    """A server as ``openstack server show`` tells it."""

    id: str
    name: str
    status: str
    #: the compute host that it is on
    host: str
    #: libvirt's name of it
    domain: str
    #: What its user reads when it failed; empty otherwise.
    fault: str

    def again(self) -> "Server":
        """The same server as it is now."""
        return show(self.id)

    def act(self, *action: str, until: str) -> "Server":
        """``openstack server ACTION``, then wait for a status."""
        openstack("server", *action, self.id, as_json=False)
        return wait(self.id, until)


def show(server: str) -> Server:
    """Look at a server."""
    return _server(openstack("server", "show", server))


def _server(shown: dict[str, Any]) -> Server:
    fault = shown.get("fault") or {}
    return Server(
        shown["id"], shown["name"], shown["status"],
        shown["OS-EXT-SRV-ATTR:host"] or "",
        shown["OS-EXT-SRV-ATTR:instance_name"] or "",
        fault.get("message", ""),
    )


def request(flavor_name: str, image: str = "blank", *more: str) -> str:
    """Ask for a server and do not wait; its id."""
    return openstack(
        "server", "create", "--flavor", flavor_name, "--image", image,
        "--nic", "none", *more, unique("server"),
    )["id"]


def create(
    flavor_name: str, image: str = "blank", *more: str, name: str = ""
) -> Server:
    """Create a server and wait until it is ACTIVE or in ERROR.

    :raises Refused: where the API refuses it, so that there is no server.
    """
    name = name or unique("server")
    try:
        return _server(openstack(
            "server", "create", "--flavor", flavor_name, "--image", image,
            "--nic", "none", "--wait", *more, name,
        ))
    except Refused as refused:
        # A build that failed and a request that was refused both end here.
        try:
            return show(name)
        except Refused:
            raise refused from None


def settled(server: str) -> Server:
    """Wait until a server is no longer in BUILD."""
    return _poll(server, lambda status: status != "BUILD")


def wait(server: str, status: str) -> Server:
    """Wait until a server has a status; also ends at ERROR."""
    return _poll(server, lambda seen: seen in {status, "ERROR"})


def _poll(server: str, done: Callable[[str], bool]) -> Server:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if done(sdk().compute.get_server(server).status):
            break
        time.sleep(TICK)
    return show(server)


def servers() -> list[str]:
    """The ids of all servers."""
    return [each.id for each in sdk().compute.servers(
        details=False, all_projects=True)]


def delete_all(patience: float = PATIENCE) -> None:
    """Delete every server and wait until they are gone.

    Nova forgets a request for which its broker was not there, so it is asked
    again, as its user would.

    :param patience: seconds that it may take.
    :raises TimeoutError: if it takes longer.
    """
    limit = time.monotonic() + patience
    again = 0.0
    while left := servers():
        if time.monotonic() > limit:
            raise TimeoutError(f"not deleted in {patience} s: {left}")
        if time.monotonic() >= again:
            again = time.monotonic() + ASK_AGAIN
            for server in left:
                sdk().compute.delete_server(server, ignore_missing=True)
        time.sleep(TICK)


def delete_flavors() -> None:
    """Delete every flavor that a walk made."""
    for each in sdk().compute.flavors():
        if each.name not in cloud.FLAVORS:
            sdk().compute.delete_flavor(each)


def enable(host: str, enabled: bool) -> None:
    """Let the scheduler choose a compute host, or not."""
    compute = sdk().compute
    [service] = compute.services(host=host, binary="nova-compute")
    (compute.enable_service if enabled else compute.disable_service)(service)


def force_down(host: str, down: bool) -> None:
    """Let Nova take a compute service for down, whatever it hears of it."""
    compute = sdk().compute
    [service] = compute.services(host=host, binary="nova-compute")
    compute.update_service_forced_down(service, forced=down)


def usage(provider: str) -> dict[str, int]:
    """What Placement counts as used on a compute node."""
    answer = sdk().placement.get(f"/resource_providers/{provider}/usages")
    exceptions.raise_from_response(answer)
    return answer.json()["usages"]
