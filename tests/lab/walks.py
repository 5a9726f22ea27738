"""What was expected, what was seen, and the table at the end of the run."""

import re
import textwrap
import time
from dataclasses import dataclass, field
from typing import Any

from lab import layout

#: Where each walk's domain XML is kept.
XML = layout.RUN / "xml"
WIDTH = 44


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was checked."""

    walk: str
    what: str
    expected: str
    seen: str
    good: bool
    seconds: float


@dataclass(slots=True)
class Walk:
    """The record of one test."""

    name: str
    rows: list[Row] = field(default_factory=list)
    #: When the thing that is checked next began.
    since: float = field(default_factory=time.monotonic)

    def check(self, what: str, seen: Any, expected: Any) -> None:
        """Record what was seen, and fail where it is not as expected."""
        good = seen == expected
        self._add(what, "as expected" if good else seen, expected, good)
        assert good, f"{what}: expected {expected}, saw {seen}"

    def check_says(self, what: str, seen: str, expected: str) -> None:
        """The same for a text that must contain what is expected."""
        good = expected in seen
        self._add(what, seen, f"... {expected} ...", good)
        assert good, f"{what}: expected {expected!r} in {seen!r}"

    def note(self, what: str, found: list[str]) -> None:
        """Record what was found that was not looked for."""
        self._add(what, "; ".join(found) or "nothing", "", not found)

    def since_now(self) -> None:
        """What is checked next begins now."""
        self.since = time.monotonic()

    def keep(self, xml: str) -> None:
        """Keep a domain's XML under the walk's name."""
        XML.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w-]+", "-", self.name)
        (XML / f"{name}.xml").write_text(xml)

    def _add(self, what: str, seen: Any, expected: Any, good: bool) -> None:
        now = time.monotonic()
        self.rows.append(Row(
            self.name, what, str(expected), str(seen), good, now - self.since
        ))
        self.since = now


def table(rows: list[Row]) -> str:
    """The rows under one another, long texts cut."""
    lines = []
    walk = None
    for row in rows:
        if row.walk != walk:
            walk = row.walk
            lines.append(f"\n{walk}")
        mark = "  " if row.good else "! "
        lines.append(
            f"{mark}{_short(row.what, 38):<38} {_short(row.expected):<{WIDTH}}"
            f" {_short(row.seen):<{WIDTH}} {row.seconds:6.1f} s"
        )
    head = f"  {'':<38} {'expected':<{WIDTH}} {'seen':<{WIDTH}}"
    return "\n".join([head, *lines])


def _short(text: str, width: int = WIDTH) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")
