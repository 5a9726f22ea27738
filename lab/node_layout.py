"""What both sides of the emulated compute nodes know: names, ports, sizes."""

from dataclasses import dataclass

from lab import layout


@dataclass(frozen=True, slots=True)
class Node:
    """One of them."""

    #: its name in Nova, and of its process here
    name: str
    #: the port of this machine's loopback interface where its sshd answers
    ssh_port: int
    #: the first of the ports where its QEMU takes in a live migration, there
    #: and on this machine's loopback interface
    migration_port: int

    @property
    def migration_ports(self) -> range:
        """All of those ports: its memory and its disks come in apart."""
        return range(self.migration_port, self.migration_port + 4)


NODES = (
    Node("lab-node", layout.PORTS["node-ssh"], 19152),
    Node("lab-node-2", layout.PORTS["node-2-ssh"], 19156),
)
FIRST, SECOND = NODES
#: The first one's name in Nova.
NAME = FIRST.name
#: The own address of each, and this machine's as seen from there: each is
#: alone in a user network of QEMU's.
ADDRESS = "10.0.2.15"
HOST_ADDRESS = "10.0.2.2"
#: Opens each of them; they have it as well.
KEY = layout.RUN / "node" / "ssh-key"
#: ``[compute]`` of its nova.conf: cell 0 has pCPUs 0-3, cell 1 has 4-7.
DEDICATED = "0-3,6-7"
SHARED = "4-5"
#: Pages of 2 MiB in each cell.
HUGE_PAGES = 64
#: What the console says then.
SERVES = "node: nova-compute serves"


def named(name: str) -> Node:
    """The node of that name in Nova."""
    return next(node for node in NODES if node.name == name)


def peer(node: Node) -> Node:
    """The node that its servers can move to."""
    return SECOND if node == FIRST else FIRST
