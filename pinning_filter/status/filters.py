"""The scheduler's list of filters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pinning_filter.status.findings import Finding, Level

OURS = "PinningFilter"
STOCK = "NUMATopologyFilter"
CLASS = "pinning_filter.scheduler.filter.PinningFilter"
_ALL = "nova.scheduler.filters.all_filters"
_OPTION = "[filter_scheduler] enabled_filters"


def enabled(filters: Sequence[str]) -> Iterator[Finding]:
    """Whether ours is in the list, alone and last."""
    if dotted := [name for name in filters if "." in name]:
        yield Finding(
            Level.FAILURE,
            f"{_OPTION} takes names of classes, not {', '.join(dotted)}: "
            "nova-scheduler does not start.",
            "Write "
            + ", ".join(name.rpartition(".")[2] for name in dotted)
            + " there; the module's name belongs into available_filters.",
        )
    if OURS not in filters:
        if not any(name.endswith(f".{OURS}") for name in dotted):
            yield _not_enabled(filters)
        return
    if STOCK in filters:
        yield Finding(
            Level.WARNING,
            f"Both {STOCK} and {OURS} are enabled: the same question is "
            f"asked twice, and servers that {STOCK} refuses first are not "
            "told why.",
            f"Remove {STOCK} from {_OPTION}, and restart nova-scheduler.",
        )
    after = list(filters[filters.index(OURS) + 1 :])
    if after := [name for name in after if name not in (OURS, STOCK)]:
        yield Finding(
            Level.WARNING,
            f"{OURS} is not the last filter: it is asked of hosts that "
            f"{', '.join(after)} would refuse, and the reason that a server "
            "is given may count them.",
            f"Put {OURS} at the end of {_OPTION}.",
        )


def _not_enabled(filters: Sequence[str]) -> Finding:
    if STOCK in filters:
        return Finding(
            Level.WARNING,
            f"{OURS} is not enabled; {STOCK} of Nova's is.",
            f"In {_OPTION} put {OURS} in the place of {STOCK}, add "
            f"'available_filters = {CLASS}', and restart nova-scheduler.",
        )
    return Finding(
        Level.WARNING,
        f"Neither {OURS} nor {STOCK} is enabled: servers are sent to hosts "
        "that have no room for their NUMA cells.",
        f"Put {OURS} at the end of {_OPTION}, add 'available_filters = "
        f"{CLASS}', and restart nova-scheduler.",
    )


def available(
    filters: Sequence[str], classes: Collection[str]
) -> Iterator[Finding]:
    """Whether nova-scheduler finds what is enabled.

    :param filters: ``enabled_filters``.
    :param classes: ``available_filters``.
    """
    if OURS in filters and CLASS not in classes:
        yield Finding(
            Level.FAILURE,
            f"{OURS} is enabled and not among available_filters: "
            "nova-scheduler does not start ('Scheduler Host Filter "
            f"{OURS} could not be found').",
            f"Add 'available_filters = {CLASS}' to [filter_scheduler].",
        )
    named = {each.rpartition(".")[2] for each in classes} | {OURS}
    lost = [name for name in filters if name not in named and "." not in name]
    if lost and _ALL not in classes:
        yield Finding(
            Level.FAILURE,
            f"{', '.join(lost)}: enabled and not among available_filters, "
            "since that option was set without Nova's own: nova-scheduler "
            "does not start.",
            f"Add 'available_filters = {_ALL}' to [filter_scheduler]; the "
            "option may be given several times.",
        )
