"""What the guests' XML says of CPUs and memory, of one run of the suite.

The rest of each domain is of the machine that it ran on: paths and sockets.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

#: The elements that say where a guest's vCPUs and memory are.
KEPT = ("memory", "memoryBacking", "vcpu", "iothreads", "cputune",
        "numatune", "cpu")
#: Nova's own name for the server; the suite's begins with the test's class.
NAME = ("metadata/{http://openstack.org/xmlns/libvirt/nova/1.1}instance/"
        "{http://openstack.org/xmlns/libvirt/nova/1.1}name")


def placements(folder: Path) -> str:
    """Each guest's elements, guest by guest, as one document.

    :param folder: the domains' XML, a file each, named by domain and host
    """
    root = ET.Element("guests")
    for path in sorted(folder.glob("*.xml")):
        domain = ET.parse(path).getroot()
        guest = ET.SubElement(root, "guest", {
            "file": path.stem, "server": domain.findtext(NAME, "")})
        guest.extend(
            each for name in KEPT for each in domain.findall(name))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
