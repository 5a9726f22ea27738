"""What both sides of the second compute node know: names, addresses, sizes."""

#: Its name in Nova.
NAME = "lab-node"
#: Its own address, and this machine's as seen from it: QEMU's user network.
ADDRESS = "10.0.2.15"
HOST_ADDRESS = "10.0.2.2"
#: ``[compute]`` of its nova.conf: cell 0 has pCPUs 0-3, cell 1 has 4-7.
DEDICATED = "0-3,6-7"
SHARED = "4-5"
#: Pages of 2 MiB in each cell.
HUGE_PAGES = 64
#: What the console says then.
SERVES = "node: nova-compute serves"

