"""CPU lists as people write them: ``"0-3,^2,8"`` <-> a set of ids.

The grammar is the one of libvirt's ``cpuset`` attribute and of Nova's CPU
options: ids and inclusive ranges separated by commas, ``^`` takes away.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from pinning_filter.core.text import MOST_SHOWN, shown

#: No machine that Linux runs on has a CPU id near this; a range that ends
#: beyond it is a slip of the finger, and would only eat memory.
LARGEST_ID = 65535
#: A list that names more ids than these names many of them again and again,
#: and would only eat time.
_MOST_NAMED = 4 * (LARGEST_ID + 1)


def parse(text: str) -> frozenset[int]:
    """Read a CPU list.

    >>> sorted(parse("0-3,^2,8"))
    [0, 1, 3, 8]
    >>> parse("")
    frozenset()

    :raises ValueError: naming the part that is not an id, a range or an
        exclusion of one of these, or the list that repeats itself endlessly.
    """
    included: set[int] = set()
    excluded: set[int] = set()
    named = 0
    for part in text.split(","):
        part = part.strip()
        if not part and not text.strip():
            continue
        target = excluded if part.startswith("^") else included
        first, dash, last = part.removeprefix("^").partition("-")
        try:
            low = _id(first)
            high = _id(last) if dash else low
        except ValueError:
            raise ValueError(
                f"{part[:MOST_SHOWN]!r} in the CPU list {shown(text)} is none "
                f"of: a CPU id (at most {LARGEST_ID}), a range such as 0-3, "
                "an exclusion such as ^2"
            ) from None
        if high < low:
            raise ValueError(
                f"the range {part!r} in the CPU list {shown(text)} runs "
                "backwards"
            )
        named += high - low + 1
        if named > _MOST_NAMED:
            raise ValueError(
                f"the CPU list {shown(text)} names the same CPUs again and "
                "again"
            )
        target.update(range(low, high + 1))
    return frozenset(included - excluded)


#: The same, remembered: guests of a flavor and hosts of a model say the same.
parsed = functools.lru_cache(maxsize=4096)(parse)


def _id(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    number = int(text)
    if number > LARGEST_ID:
        raise ValueError(text)
    return number


def format(ids: Iterable[int]) -> str:
    """Write ids as the shortest ascending list of ids and ranges.

    >>> format({8, 1, 0, 3})
    '0-1,3,8'
    """
    ranges: list[tuple[int, int]] = []
    for number in sorted(ids):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ",".join(
        str(low) if low == high else f"{low}-{high}" for low, high in ranges
    )


def named(pcpus: Iterable[int]) -> str:
    """pCPUs as a sentence has them.

    >>> named([3]), named([3, 2])
    ('pCPU 3', 'pCPUs 2-3')
    """
    numbers = frozenset(pcpus)
    return f"pCPU{'' if len(numbers) == 1 else 's'} {format(numbers)}"
