"""What the packing benchmark found, as tables and as a picture.

Knows nothing of how it was found.
"""

from __future__ import annotations

import math
import pathlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any

#: In the order of the tables; the first two are no policies.
ROWS = {
    "bound": "bound",
    "pool": "all in one piece",
    "stock": "stock",
    "packing": "packing",
    "ours": "ours",
    "failover": "ours, failover room",
    "spread": "ours, spread",
    "flavors": "flavors",
}
#: Averages over time.
_SAMPLES = {
    "empty_hosts": "hosts without guests, in % of all:",
    "stranded": "pCPUs free, in %, when the cloud is filled with guests of "
    "the mix until one is refused:",
    "enough_free": "the others have as many pCPUs free as the fullest host's "
    "guests take, in % of the time:",
    "survivable": "the fullest host could be lost, in % of the time:",
}
#: At least so many pCPUs in use at the first refusal, in the first mix.
FIRST = ("general", 0.95)


def merged(files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several runs with the same loads as one.

    :raises SystemExit: if the loads differ.
    """
    found = files[0]
    for other in files[1:]:
        if other["loads"] != found["loads"]:
            raise SystemExit("the files have different loads")
        for name, mix in other["mixes"].items():
            known = found["mixes"].setdefault(name, mix)
            for seed, policies in mix["seeds"].items():
                known["seeds"].setdefault(seed, {}).update(policies)
    return found


def show(found: dict[str, Any], write: Callable[[str], Any]) -> None:
    """Tables for people; ! marks a figure below its bar."""
    for name, mix in found["mixes"].items():
        if mix["seeds"]:
            write(_table(name, mix, found["loads"]) + "\n\n")


def _table(name: str, mix: dict[str, Any], loads: Sequence[float]) -> str:
    seeds = list(mix["seeds"].values())
    count = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
    lines = [
        f"{mix['title']} ({name}), {mix['pcpus']} pCPUs, "
        f"{min(mix['requests'])}-{max(mix['requests'])} requests x {count}",
        f"{'accepted vCPUs at load':<24}"
        + "".join(f"{load:>8}" for load in loads)
        + "   first refusal at",
    ]
    for row, text in ROWS.items():
        if having := [seed for seed in seeds if row in seed]:
            shares = map(statistics.fmean, _by_load(having, row))
            lines.append(
                f"  {text:<22}"
                + "".join(f"{share:8.3f}" for share in shares)
                + _first(name, having, row)
                + _fewer(having, seeds)
            )
    both = [seed for seed in seeds if {"packing", "ours"} <= seed.keys()]
    if both:
        lines += _difference(both)
    return "\n".join(
        [*lines, *_refused(seeds), *_over_time(seeds), *_cures(seeds)]
    )


def _fewer(having: Sequence[Any], seeds: Sequence[Any]) -> str:
    """Said of rows that were not run with every seed."""
    return f" ({len(having)} of them)" if len(having) < len(seeds) else ""


def _by_load(
    seeds: Sequence[dict[str, Any]], row: str, key: str = "accepted"
) -> list[tuple[float, ...]]:
    """For each load the figures of all seeds."""
    figures = [
        seed[row] if isinstance(seed[row], list) else seed[row][key]
        for seed in seeds
    ]
    return list(zip(*figures, strict=True))


def _first(name: str, seeds: Sequence[dict[str, Any]], row: str) -> str:
    if isinstance(seeds[0][row], list):
        return ""
    share = statistics.fmean(seed[row]["first_refusal"] for seed in seeds)
    low = (row, name) == ("ours", FIRST[0]) and share < FIRST[1]
    return f"     {share:.3f}" + (" !" if low else "")


def _difference(seeds: Sequence[dict[str, Any]]) -> list[str]:
    """Ours less packing, in points, and how sure that is: paired by seed."""
    means, errors = "", ""
    pairs = zip(
        _by_load(seeds, "ours"), _by_load(seeds, "packing"), strict=True
    )
    for ours, packing in pairs:
        apart = [100 * (a - b) for a, b in zip(ours, packing, strict=True)]
        mean = statistics.fmean(apart)
        means += f"{mean:+7.2f}" + ("!" if mean < 0 else " ")
        if len(apart) > 1:
            error = statistics.stdev(apart) / math.sqrt(len(apart))
            errors += f"{error:7.2f} "
    lines = [f"{'ours - packing, points':<24}{means}"]
    if errors:
        lines.append(f"{'  standard error':<24}{errors}")
    return lines


def _refused(seeds: Sequence[dict[str, Any]]) -> list[str]:
    return _percentages(
        "pCPUs free, in %, when a guest was refused that they would have "
        "been enough for:",
        seeds,
        "free_when_refused",
    )


def _over_time(seeds: Sequence[dict[str, Any]]) -> list[str]:
    """What the samples say; older figures have none."""
    return [
        line
        for key, title in _SAMPLES.items()
        for line in _percentages(title, seeds, key)
    ]


def _percentages(
    title: str, seeds: Sequence[dict[str, Any]], key: str
) -> list[str]:
    """A line for each policy, by load; nothing where nobody has figures."""
    lines = []
    for row, text in ROWS.items():
        having = [
            seed
            for seed in seeds
            if isinstance(seed.get(row), dict) and key in seed[row]
        ]
        if having:
            shares = _by_load(having, row, key)
            lines.append(
                f"  {text:<22}"
                + "".join(f"{100 * statistics.fmean(s):8.1f}" for s in shares)
            )
    return [title, *lines] if lines else []


def _cures(seeds: Sequence[dict[str, Any]]) -> list[str]:
    """What migrations would do about such refusals of ours."""
    seeds = [seed for seed in seeds if "ours" in seed]
    planned = sum(sum(seed["ours"]["planned"]) for seed in seeds)
    curable = sum(sum(seed["ours"]["curable"]) for seed in seeds)
    if not planned:
        return []
    moves = [
        each
        for seed in seeds
        for each, cures in zip(
            seed["ours"]["moves"], seed["ours"]["curable"], strict=True
        )
        if cures
    ]
    typical = f", typically {statistics.median(moves):g}" if moves else ""
    return [
        f"of {planned} such refusals (ours), {curable} could be cured by "
        f"migrations{typical}"
    ]


_STYLES = {
    "bound": ("0.45", "--", ""),
    "stock": ("tab:red", "-", "s"),
    "packing": ("tab:orange", "-", "^"),
    "ours": ("tab:blue", "-", "o"),
}


def plot(found: dict[str, Any], path: pathlib.Path) -> None:
    """Accepted share by load, a picture for each mix, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "packing", "svg.fonttype": "none"}
    from matplotlib import pyplot

    mixes = [mix for mix in found["mixes"].values() if mix["seeds"]]
    columns = min(3, len(mixes) + 1)
    rows = -(-(len(mixes) + 1) // columns)
    figure, axes = pyplot.subplots(
        rows,
        columns,
        figsize=(3 * columns, 2.6 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    *pictures, last = list(axes.flat)[: len(mixes) + 1]
    for axis, mix in zip(pictures, mixes, strict=True):
        _picture(axis, mix, found["loads"])
    for axis in list(axes.flat)[len(mixes) :]:
        axis.axis("off")
    lines, names = pictures[0].get_legend_handles_labels()
    last.legend(lines, names, loc="center", frameon=False)
    figure.supxlabel("load: vCPUs asked for / pCPUs", fontsize=10)
    figure.supylabel("vCPUs taken in, %", fontsize=10)
    figure.tight_layout()
    # White, not transparent: text and lines are dark.
    figure.savefig(
        path, facecolor="white", metadata={"Date": None, "Creator": None}
    )


def _picture(axis: Any, mix: dict[str, Any], loads: Sequence[float]) -> None:
    seeds = list(mix["seeds"].values())
    for row, (colour, line, marker) in _STYLES.items():
        having = [seed for seed in seeds if row in seed]
        if not having:
            continue
        shares = map(statistics.fmean, _by_load(having, row))
        axis.plot(
            loads,
            [100 * share for share in shares],
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=4,
            label=row,
        )
    axis.set_title(mix["title"], fontsize=10)
    axis.set_xticks(loads)
    axis.tick_params(labelbottom=True)
    axis.grid(alpha=0.3)
