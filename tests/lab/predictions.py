"""What ``pinning-filter fit`` says of a host, held against libvirt's XML."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import host, layout, node_layout
from tests.lab import client, seen
from tests.lab.walks import Walk

#: What is compared, and how it is read from a document.
LOOKS = {
    "cputune": seen.pins, "numatune": seen.memory_binding,
    "guest topology": seen.topology, "guest cells": seen.guest_cells,
    "page size": seen.page_size_kib,
}
#: The command line's exit status -> the server's.
STATUS = {0: "ACTIVE", 3: "ERROR"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of the command line, before anything was created."""

    #: its exit status
    code: int
    #: the elements of the domain's XML, or why it fits nowhere
    text: str

    @property
    def status(self) -> str:
        """The status that the server should get."""
        return STATUS.get(self.code, self.text)

    def check(self, walk: Walk, xml: str) -> None:
        """The domain is what was predicted."""
        before = f"<domain>{self.text}</domain>"
        for what, look in LOOKS.items():
            walk.check(f"{what} as predicted", look(xml), look(before))


def sets_of(where: str) -> tuple[str, str]:
    """The dedicated and the shared pCPUs of a compute host."""
    if where != layout.HOST:
        return node_layout.DEDICATED, node_layout.SHARED
    view = host.load()
    return view.dedicated, view.shared


def predict(
    folder: Path,
    vcpus: int,
    specs: dict[str, str],
    *,
    where: str = layout.HOST,
    ram_mib: int = 64,
    used: str = "",
    used_memory: dict[int, int] | None = None,
) -> Prediction:
    """Ask of a compute host, as its nova-compute is configured.

    :param used: the pCPUs that guests are pinned to already
    :param used_memory: host cell -> the MiB that they have of it
    """
    capabilities = folder / "capabilities.xml"
    capabilities.write_text(seen.virsh("capabilities", host=where))
    dedicated, shared = sets_of(where)
    command = [
        str(layout.BIN / "pinning-filter"), "fit",
        "--host", str(capabilities), "--dedicated", dedicated,
        "--vcpus", str(vcpus), "--ram", str(ram_mib), "--xml",
        *client.properties(client.extra_specs(specs)),
    ]
    if shared:
        command += ["--shared", shared]
    if used:
        command += ["--used", used]
    for cell, mib in (used_memory or {}).items():
        command += ["--used-memory", f"{cell}={mib}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False)
    return Prediction(done.returncode, done.stdout or done.stderr)
