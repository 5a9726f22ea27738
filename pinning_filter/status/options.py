"""Names in nova.conf that nobody reads, or not for much longer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from pinning_filter.status.facts import Entry, Option
from pinning_filter.status.findings import Finding, Level

OURS = "pinning_filter"
#: The sections that decide on pinning. Other names are not looked at.
_SECTIONS = ("filter_scheduler", "compute", OURS)
#: Those that have other names now; for the rest only a prefix went.
_RENAMED = {"scheduler_default_filters": "enabled_filters"}
_PREFIX = "scheduler_"
#: In no section of these.
_ELSEWHERE = {"vcpu_pin_set": "DEFAULT"}

Known = Mapping[str, Mapping[str, Option]]


def names(entries: Iterable[Entry], known: Known) -> Iterator[Finding]:
    """What the files set, and nobody reads.

    :param known: what is read, by section and name.
    """
    for entry in dict.fromkeys(entries):
        if entry.section not in known:
            yield from _section(entry, known)
        elif entry.name in known[entry.section]:
            yield from _deprecated(entry, known[entry.section][entry.name])
        elif place := _moved(entry, known):
            yield Finding(
                Level.WARNING,
                f"{_where(entry)} is read by nobody.",
                f"Write it as {place}, or remove the line.",
            )
        elif entry.section in _SECTIONS:
            yield from _unknown(entry, known[entry.section])


def values(invalid: Mapping[str, str]) -> Iterator[Finding]:
    """What options of ours cannot be set to.

    :param invalid: option -> what is wrong.
    """
    for name, why in invalid.items():
        yield Finding(
            Level.FAILURE,
            f"[{OURS}] {name} cannot be read: {why}. Services that read it "
            "do not start.",
            "Correct the value; the configuration page says what it may be.",
        )


def _where(entry: Entry) -> str:
    return f"[{entry.section}] {entry.name} in {entry.file}"


def _section(entry: Entry, known: Known) -> Iterator[Finding]:
    """A section that is meant to be one of ours."""
    plain = entry.section.lower().replace("-", "_")
    meant = difflib.get_close_matches(plain, _SECTIONS, 1, 0.85)
    if meant and entry.name in known[meant[0]]:
        yield Finding(
            Level.WARNING,
            f"{_where(entry)} is read by nobody: there is no such section.",
            f"Write it as [{meant[0]}] {entry.name}.",
        )


def _deprecated(entry: Entry, option: Option) -> Iterator[Finding]:
    relevant = entry.section in _SECTIONS or entry.name in _ELSEWHERE
    if option.deprecated and relevant:
        yield Finding(
            Level.WARNING,
            f"{_where(entry)} is deprecated: {option.deprecated}",
            _INSTEAD.get(entry.name, "See Nova's configuration reference."),
        )


_INSTEAD = {
    "vcpu_pin_set": (
        "On compute nodes replace it by [compute] cpu_dedicated_set for "
        "pinned and cpu_shared_set for floating vCPUs; pinned servers that "
        "run there need their pCPUs in the first. Elsewhere remove the line."
    ),
}


def _moved(entry: Entry, known: Known) -> str:
    """Where an option of this name is read now; empty: nowhere."""
    name = _RENAMED.get(entry.name, entry.name.removeprefix(_PREFIX))
    for section in _SECTIONS:
        if name in known.get(section, ()):
            return f"[{section}] {name}"
    return ""


def _unknown(
    entry: Entry, options: Mapping[str, Option]
) -> Iterator[Finding]:
    """Others may have options in Nova's sections: there only what is nearly
    a name of Nova's is told."""
    close = difflib.get_close_matches(entry.name, options, 1, 0.8)
    if close or entry.section == OURS:
        yield Finding(
            Level.WARNING,
            f"{_where(entry)} is read by nobody: there is no such option.",
            f"Do you mean {close[0]}?"
            if close
            else "There are " + ", ".join(sorted(options)) + ".",
        )
