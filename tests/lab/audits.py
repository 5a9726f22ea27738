"""Has Nova count anew what is used on a host, as it does now and then.

After a move within a host, or a live migration to it, Nova does not count the
server among the host's own, and forgets to free its pCPUs when it goes, until
its audit; the lab's comes at nova-compute's start.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import layout, node, node_layout, process, services
from tests.lab import commands, seen

#: Seconds between two reports of nova-compute, and more than one takes.
INTERVAL = 10
#: The same by default.
USUAL = 60
#: What nova-compute is to do here, and not what the walks need elsewhere: it
#: reports by itself, and leaves to us what it finds of deleted servers.
SETTINGS = """\
[DEFAULT]
update_resources_interval = {interval}
running_deleted_instance_action = noop
"""


@contextlib.contextmanager
def often(folder: Path, interval: int = INTERVAL) -> Iterator[None]:
    """Within, nova-compute counts its guests every few seconds."""
    settings = folder / "nova-compute.conf"
    settings.write_text(SETTINGS.format(interval=interval))
    usual = services.nova_compute()
    usual.stop()
    dataclasses.replace(
        usual, argv=[*usual.argv, "--config-file", str(settings)]
    ).start()
    yield
    usual.stop()
    services.nova_compute().start()


def of_node(host: str, wait: int = 1) -> list[dict[str, Any]]:
    """What ``pinning-filter audit`` finds on an emulated compute node."""
    command = (f"{layout.BIN}/pinning-filter audit "
               f"{' '.join(commands.NODE)} --wait {wait} -f json; true")
    return json.loads(seen.on(host, command))


def audit(host: str = layout.HOST) -> None:
    """Restart the host's nova-compute."""
    if host == layout.HOST:
        compute = services.nova_compute()
        compute.stop()
        services.nova_compute().start()
        return
    serves = services.logged(host, node_layout.SERVES)
    seen.on(host, "pkill nova-compute")
    assert process.wait_for(serves, node.START_SECONDS)
