"""The tables of the documentation: what came out, and every exception.

Rows of releases that were not run this time stay as they are, and so do the
columns of steps that were not.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.releases.outcome import Outcome
from tests.releases.steps import COLUMNS

DOC = Path(__file__).parents[2] / "doc" / "source"
RESULTS = DOC / "releases.csv"
EXCEPTIONS = DOC / "releases-exceptions.csv"

_HEADS = ("Nova", "Python", *COLUMNS, "run on")
_EXCEPTION_HEADS = ("Nova", "Python", "step", "tests", "came out", "reason")
#: Of one module, more exceptions than these are only counted.
_NAMED = 3
_REASON_WIDTH = 240


def note(
    nova: str, python: str, column: str, outcomes: Sequence[Outcome], day: str
) -> None:
    """Write down what one column of one release came to, on one Python."""
    here = {"Nova": nova, "Python": python}
    # Another version of the two takes the place of the one before.
    rows, old = _apart(_read(RESULTS), here)
    same = next((row for row in old if row.items() >= here.items()), None)
    row = same or dict.fromkeys(_HEADS, "")
    row |= here | {"run on": day, column: _cell(column, outcomes)}
    _write(RESULTS, _HEADS, sorted([*rows, row], key=_by_release))

    kept, old = _apart(_read(EXCEPTIONS), here)
    if same:
        kept += [row for row in old if row["step"] != column]
    kept += [
        here | dict(zip(_EXCEPTION_HEADS[2:], (column, *texts), strict=True))
        for texts in _exceptions(outcomes)
    ]
    _write(EXCEPTIONS, _EXCEPTION_HEADS, sorted(kept, key=_by_release))


def _apart(
    rows: Iterable[dict[str, str]], here: dict[str, str]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows of other releases of Nova or Python, and those of these two."""
    others: list[dict[str, str]] = []
    ours: list[dict[str, str]] = []
    for row in rows:
        (ours if _release(row) == _release(here) else others).append(row)
    return others, ours


def _release(row: dict[str, str]) -> tuple[str, str]:
    """Which release of Nova, on which of Python.

    >>> _release({"Nova": "31.3.1", "Python": "3.11.7"})
    ('31', '3.11')
    """
    return row["Nova"].partition(".")[0], row["Python"].rpartition(".")[0]


def _cell(column: str, outcomes: Sequence[Outcome]) -> str:
    """What a cell of the table says.

    >>> _cell("unit", [Outcome(7, (("test_a", "why"),))])
    '7 passed, 1 failed'
    >>> _cell("suites", [Outcome(3), Outcome(2, (("test_b", "why"),))])
    '1 of 2: 5 passed, 1 failed'
    >>> _cell("threads", [])
    'not there'
    """
    if not outcomes:
        return "not there"
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(len(outcome.failed) for outcome in outcomes)
    whole = sum(not outcome.failed for outcome in outcomes)
    said = f"{passed} passed" + (f", {failed} failed" if failed else "")
    if column == "demo":
        return said.partition(" ")[2] if not failed else "failed"
    if len(outcomes) > 1:
        return f"{whole} of {len(outcomes)}: {said}"
    return said


def _exceptions(
    outcomes: Iterable[Outcome],
) -> Iterable[tuple[str, str, str]]:
    """Tests, how they came out, and why; those alike together."""
    for outcome in outcomes:
        for kind in ("failed", "skipped"):
            found = sorted(
                (test.rpartition(".")[0].partition("[")[0], why, test)
                for test, why in getattr(outcome, kind)
            )
            for (module, why), tests in itertools.groupby(
                found, key=lambda each: each[:2]
            ):
                names = [test for *_, test in tests]
                if len(names) > _NAMED:
                    names = [f"{module}: {len(names)} tests"]
                yield "\n".join(map(_safe, names)), kind, _safe(why)


def _safe(text: str) -> str:
    """Text that reStructuredText takes for text.

    >>> _safe("a  `b`_")
    'a \\\\`b\\\\`\\\\_'
    """
    cut = " ".join(text.split())[:_REASON_WIDTH]
    return re.sub(r"([\\*`|_])", r"\\\1", cut)


def _by_release(row: dict[str, str]) -> list[int]:
    versions = f"{row['Nova']} {row['Python']}"
    return [int(number) for number in re.findall(r"\d+", versions)]


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(
    path: Path, heads: Sequence[str], rows: Iterable[dict[str, str]]
) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, heads, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
