"""How much a guest may ask for before Nova is handed what it says.

Nova writes out every vCPU that a flavor or an image names, and every guest
cell, before it asks whether there can be so many: a list such as
``0-99999999`` takes it minutes and gigabytes. What no machine has is refused
here, before that.
"""

from __future__ import annotations

from nova import objects

from pinning_filter.core.errors import InputError
from pinning_filter.core.request import MOST_VCPUS
from pinning_filter.core.text import shown

#: The keys of a flavor, and of an image with ``_`` in place of ``:``, that
#: hold lists of vCPUs.
_LISTS = ("hw:numa_cpus", "hw:cpu_dedicated_mask", "hw:cpu_realtime_mask")
_CELLS = "hw:numa_nodes"
#: So many guest cells may have lists of their own; QEMU takes no more.
_MOST_CELLS = objects.ImageMetaProps.NUMA_NODES_MAX


def check_flavor(what: str, flavor: objects.Flavor) -> None:
    """Look at a flavor of whatever origin.

    :param what: to name in complaints.
    :raises InputError: if it asks for more than any machine has.
    """
    if flavor.vcpus > MOST_VCPUS:
        raise InputError(
            f"{what}: {flavor.vcpus} vCPUs, at most {MOST_VCPUS} can be"
        )
    for key, value in flavor.extra_specs.items():
        check(f"{what}: {key}", key, value)


def check(what: str, key: str, value: str) -> None:
    """Look at an extra spec, or at a property of an image.

    :param what: to name in complaints.
    :raises InputError: if it names more than any machine has.
    """
    kind = key.replace("hw_", "hw:", 1).partition(".")[0]
    if kind in _LISTS and _is_large(value):
        raise InputError(
            f"{what}: {shown(value)} is too large; a list of vCPUs "
            f"names those from 0 to {MOST_VCPUS - 1}, and few of them twice"
        )
    if kind == _CELLS and (_number(value) or 0) > _MOST_CELLS:
        raise InputError(
            f"{what}: {shown(value)} guest NUMA cells, at most "
            f"{_MOST_CELLS} can be"
        )


def _is_large(text: str) -> bool:
    """Whether a list of vCPUs, as Nova reads it, takes long to write out."""
    named = 0
    for part in text.split(","):
        first, _, last = part.strip().removeprefix("^").partition("-")
        low, high = _number(first), _number(last or first)
        if low is None or high is None:
            continue  # Nova complains of it
        if high >= MOST_VCPUS:
            return True
        named += max(high - low + 1, 0)
    return named > 2 * MOST_VCPUS


def _number(text: str) -> int | None:
    """As Nova reads numbers, so with all that Python takes for one."""
    try:
        return int(text)
    except ValueError:
        return None
