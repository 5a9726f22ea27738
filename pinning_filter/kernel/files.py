"""The kernel's own files: where they are, and how they say pCPUs.

Below ``host`` and ``guests``. A file that is not there, or that may not be
read, is no error: None.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

from pinning_filter.core import cpuset


class Roots(NamedTuple):
    """Where the kernel's file systems are mounted."""

    proc: pathlib.Path = pathlib.Path("/proc")
    sys: pathlib.Path = pathlib.Path("/sys")
    cgroup: pathlib.Path = pathlib.Path("/sys/fs/cgroup")


#: This machine's.
HERE = Roots()


def text(path: pathlib.Path | str) -> str | None:
    """What a file says, without spaces at its ends."""
    try:
        # Thousands of these are read, so without a buffer.
        with open(path, "rb", buffering=0) as file:
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return None


def pcpus(said: str | None) -> frozenset[int] | None:
    """A list such as ``0-3,8``; an empty one, or ``(null)``, names none.

    >>> pcpus("0-1"), pcpus("(null)"), pcpus("?")
    (frozenset({0, 1}), frozenset(), None)
    """
    if said is None:
        return None
    try:
        return cpuset.parsed("" if said == "(null)" else said)
    except ValueError:
        return None


def mask(said: str | None) -> frozenset[int] | None:
    """A mask such as ``ff,ffffffff``, 32 pCPUs between two commas.

    >>> sorted(mask("1,00000003"))
    [0, 1, 32]
    """
    try:
        bits = int((said or "").replace(",", ""), 16)
    except ValueError:
        return None
    return frozenset(
        number for number in range(bits.bit_length()) if bits >> number & 1
    )


def whole(said: str | None) -> int:
    """A number; 0 where there is none."""
    try:
        return int(said or "0")
    except ValueError:
        return 0
