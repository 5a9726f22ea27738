"""Kinds of arguments: what their text may be, and what becomes of it.

Before everything else: argparse calls these, and names the option in what
they complain of.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from pinning_filter.core import cpuset
from pinning_filter.core.text import shown

#: The largest number that Nova's API takes, and its databases.
LARGEST = (1 << 31) - 1


def whole(most: int = LARGEST) -> Callable[[str], int]:
    """A whole number from 1 to ``most``, in plain digits.

    >>> whole(most=8)("3")
    3
    """

    def number(text: str) -> int:
        digits = text.lstrip("0")
        plain = digits.isascii() and digits.isdigit()
        if not plain or len(digits) > len(str(most)) or int(digits) > most:
            raise argparse.ArgumentTypeError(
                f"{shown(text)} is not a whole number from 1 to {most}"
            )
        return int(digits)

    return number


def given(text: str) -> str:
    """Any text that is not blank."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def pair(text: str) -> tuple[str, str]:
    """``KEY=VALUE``; the value may be empty."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not KEY=VALUE")
    return key.strip(), value


def pcpus(text: str) -> frozenset[int]:
    """A list of CPUs, such as ``0-3,^2,8``."""
    try:
        return cpuset.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def cell_memory(text: str) -> tuple[int, int]:
    """``CELL=MIB``: a NUMA cell, and memory in MiB.

    >>> cell_memory("1=2048")
    (1, 2048)
    """
    match = re.fullmatch(r"(\d{1,9})=(\d{1,9})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not CELL=MIB, such as 0=2048"
        )
    cell, mib = map(int, match.groups())
    return cell, mib


def cell_pages(text: str) -> tuple[int, int, int]:
    """``CELL:KIB=COUNT``: a NUMA cell, a page size in KiB, pages.

    >>> cell_pages("0:2048=512")
    (0, 2048, 512)
    """
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})=(\d{1,12})", text, re.ASCII)
    if not match:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not CELL:KIB=COUNT, such as 0:2048=512"
        )
    cell, size, count = map(int, match.groups())
    return cell, size, count


def address(text: str) -> tuple[str, int]:
    """``[HOST:]PORT``; the loopback interface unless there is a host.

    >>> address("9779"), address("0.0.0.0:9779"), address("[::1]:9779")
    (('127.0.0.1', 9779), ('0.0.0.0', 9779), ('::1', 9779))
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not re.fullmatch(r"\d{1,5}", port, re.ASCII)
        or int(port) > 65535
        or (":" in host and not bracketed)
        or any(map(str.isspace, host))
    ):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not [HOST:]PORT, such as 9779 or [::1]:9779"
        )
    return (host[1:-1] if bracketed else host) or "127.0.0.1", int(port)
