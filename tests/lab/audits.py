"""Has Nova count anew what is used on a host, as it does now and then.

After a move within a host, or a live migration to it, Nova does not count the
server among the host's own, and forgets to free its pCPUs when it goes, until
its audit; the lab's comes at nova-compute's start.
"""

from lab import layout, node, node_layout, process, services
from tests.lab import seen


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
