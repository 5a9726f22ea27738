"""PinningWeigher: whether it is on, and how much it counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pinning_filter.status.findings import Finding, Level, names

CLASS = "pinning_filter.scheduler.weigher.PinningWeigher"
OPTION = "pinning_weight_multiplier"


def enabled(
    classes: Collection[str],
    multiplier: float | None,
    aggregates: Mapping[str, str],
) -> Iterator[Finding]:
    """Whether it weighs hosts at all.

    :param classes: ``weight_classes``.
    :param multiplier: of the option; None: its value is no number.
    :param aggregates: aggregate -> the multiplier that its metadata sets.
    """
    if CLASS not in classes:
        yield Finding(
            Level.NOTE,
            "PinningWeigher is not enabled: pinned servers are spread as "
            "Nova's own weighers have it.",
            "If later servers are to find room, add 'weight_classes = "
            f"{CLASS}' to [filter_scheduler], beside what is there.",
        )
        return
    if multiplier == 0 and not any(map(_number, aggregates.values())):
        yield Finding(
            Level.WARNING,
            f"PinningWeigher is enabled and [pinning_filter] {OPTION} is 0: "
            "it weighs nothing.",
            f"Remove the line to have the default, or {CLASS} from "
            "weight_classes.",
        )
    if multiplier is not None and multiplier < 0:
        yield Finding(
            Level.WARNING,
            f"[pinning_filter] {OPTION} is {multiplier:g}: servers go where "
            "they do most harm to later ones.",
            "Make it a positive number.",
        )
    wrong = [name for name, value in aggregates.items()
             if _number(value) is None]
    if wrong:
        yield Finding(
            Level.WARNING,
            f"{OPTION} is not a number in the metadata of aggregates "
            f"{names(wrong)}: Nova passes over it.",
            f"openstack aggregate set --property {OPTION}=NUMBER AGGREGATE",
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
