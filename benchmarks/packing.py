"""How much of a cloud can be used, by who decides between its hosts?

Guests come and go at random; Nova's own ``HostState``, weighers and
accounting, with PinningFilter before them, in one process:

* stock: Nova's weighers as they are, which spread;
* packing: the same with negative multipliers for RAM and CPU;
* ours: Nova's weighers as they are and PinningWeigher, and
  ``core_choice = tight``.

``--stock-filter`` takes Nova's NUMATopologyFilter and fit for the first two,
which decides the same here and takes thirty times as long.

    python benchmarks/packing.py --quick
    python benchmarks/packing.py --json packing.json --plot packing.svg
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from cloud_of_states import POLICIES, States
from filter import prepare
from mixes import MIXES, Guest, Mix, arrivals

LOADS = (0.8, 0.9, 1.0, 1.1, 1.2)
#: What happens before so many lifetimes is not counted: the cloud fills up.
WARM = 1.5
#: Refusals of a run for which moves are planned.
CURED = 6
#: At least so many pCPUs in use at the first refusal, in the first mix.
FIRST = 0.95


def first_refusal(mix: Mix, policy: str, seed: int, stock: bool) -> float:
    """The share of pCPUs in use when guests that never go are refused."""
    states = States(mix, policy, stock)
    used = 0
    for guest in arrivals(mix, 1.0, 1 << 20, seed):
        if states.place(guest) is None:
            return used / mix.pcpus
        used += guest.flavor.vcpus
    raise AssertionError("an endless cloud")


def churn(
    mix: Mix, policy: str, load: float, count: int, seed: int, stock: bool
) -> dict[str, float]:
    """Guests come and go; what is refused is lost."""
    states = States(mix, policy, stock)
    asked = accepted = used = 0
    free_when_refused: list[float] = []
    cures: list[int | None] = []
    for guest, number in _coming_and_going(mix, load, count, seed):
        vcpus = guest.flavor.vcpus
        if number is None:
            used -= vcpus if states.remove(guest) else 0
            continue
        counted = guest.comes > WARM
        asked += vcpus * counted
        if states.place(guest) is not None:
            used += vcpus
            accepted += vcpus * counted
        elif counted and mix.pcpus - used >= vcpus:
            free_when_refused.append((mix.pcpus - used) / mix.pcpus)
            planned = policy == "ours" and not guest.flavor.devices
            if planned and len(cures) < CURED:
                cures.append(states.moves_for(guest))
    known = [moves for moves in cures if moves is not None]
    return {
        "accepted": accepted / asked,
        "free_when_refused": statistics.fmean(free_when_refused or [0.0]),
        "refusals_with_room": len(free_when_refused),
        "planned": len(cures),
        "curable": len(known),
        "moves": statistics.median(known) if known else 0,
    }


def pool(mix: Mix, load: float, count: int, seed: int) -> float:
    """The bound: all pCPUs and all memory in one piece, first come, first in.

    What a cloud would take in if it were one host without cells and cores.
    """
    asked = accepted = used = 0
    memory = 0.0
    inside: set[int] = set()
    for guest, number in _coming_and_going(mix, load, count, seed):
        flavor = guest.flavor
        if number is None:
            if id(guest) in inside:
                used -= flavor.vcpus
                memory -= flavor.memory_gib
            continue
        counted = guest.comes > WARM
        asked += flavor.vcpus * counted
        if (
            used + flavor.vcpus <= mix.pcpus
            and memory + flavor.memory_gib <= mix.memory
        ):
            inside.add(id(guest))
            used += flavor.vcpus
            memory += flavor.memory_gib
            accepted += flavor.vcpus * counted
    return accepted / asked


def _coming_and_going(
    mix: Mix, load: float, count: int, seed: int
) -> Iterator[tuple[Guest, int | None]]:
    """Each guest twice: with a number when it comes, None when it goes."""
    leaving: list[tuple[float, int, Guest]] = []
    guests = list(arrivals(mix, load, count, seed))
    for number, guest in enumerate(guests):
        while leaving and leaving[0][0] <= guest.comes:
            yield heapq.heappop(leaving)[2], None
        yield guest, number
        heapq.heappush(leaving, (guest.goes, number, guest))


def requests_for(mix: Mix, load: float, least: int) -> int:
    """Enough for four lifetimes to be counted, and ``least`` in any case."""
    return max(least, int((WARM + 4) * load * mix.pcpus / mix.vcpus))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as figures for a program."""
    found: dict[str, Any] = {"loads": options.loads, "seeds": options.seeds}
    mixes = [mix for mix in MIXES if mix.name in options.mixes]
    found["mixes"] = {
        mix.name: _run_mix(mix, options, range(options.seeds)) for mix in mixes
    }
    return found


def _run_mix(
    mix: Mix, options: argparse.Namespace, seeds: Sequence[int]
) -> dict[str, Any]:
    result: dict[str, Any] = {"title": mix.title, "pcpus": mix.pcpus}
    counts = {
        load: requests_for(mix, load, options.requests)
        for load in options.loads
    }
    result["requests"] = list(counts.values())
    result["bound"] = [
        statistics.fmean(pool(mix, load, counts[load], seed) for seed in seeds)
        for load in options.loads
    ]
    for policy in options.policies:
        began = time.monotonic()
        stock = options.stock_filter and policy != "ours"
        first = [first_refusal(mix, policy, seed, stock) for seed in seeds]
        runs = [
            [
                churn(mix, policy, load, counts[load], seed, stock)
                for seed in seeds
            ]
            for load in options.loads
        ]
        result[policy] = {
            "first_refusal": statistics.fmean(first),
            **{
                key: [
                    statistics.fmean(one[key] for one in each) for each in runs
                ]
                for key in runs[0][0]
            },
        }
        sys.stderr.write(
            f"{mix.name}, {policy}: {time.monotonic() - began:.0f} s\n"
        )
    return result


def show(found: dict[str, Any]) -> None:
    """Tables for people; ! marks a figure below its bar."""
    loads = found["loads"]
    for name, mix in found["mixes"].items():
        print(
            f"\n{mix['title']} ({name}), {mix['pcpus']} pCPUs, "
            f"{min(mix['requests'])}-{max(mix['requests'])} requests x "
            f"{found['seeds']} seeds"
        )
        head = "".join(f"{load:>8}" for load in loads)
        print(f"{'accepted share at load':<24}{head}   first refusal at")
        print(
            f"{'  bound':<24}"
            + "".join(f"{share:8.3f}" for share in mix["bound"])
        )
        for policy in POLICIES:
            if policy not in mix:
                continue
            each = mix[policy]
            floor = mix.get("packing", each)["accepted"]
            marks = [
                "!" if policy == "ours" and share < least else " "
                for share, least in zip(each["accepted"], floor, strict=True)
            ]
            shares = "".join(
                f"{share:7.3f}{mark}"
                for share, mark in zip(each["accepted"], marks, strict=True)
            )
            low = (policy, name) == ("ours", "general") and (
                each["first_refusal"] < FIRST
            )
            print(
                f"  {policy:<22}{shares}     {each['first_refusal']:.3f}"
                + (" !" if low else "")
            )
        print(
            "pCPUs free, in %, when a guest was refused that they would "
            "have been enough for:"
        )
        for policy in POLICIES:
            if policy in mix:
                print(
                    f"  {policy:<22}"
                    + "".join(
                        f"{100 * share:8.1f}"
                        for share in mix[policy]["free_when_refused"]
                    )
                )
        if (ours := mix.get("ours")) and any(ours["planned"]):
            planned = round(sum(ours["planned"]) * found["seeds"])
            curable = round(sum(ours["curable"]) * found["seeds"])
            moves = [
                m
                for m, c in zip(ours["moves"], ours["curable"], strict=True)
                if c
            ]
            typical = statistics.median(moves) if moves else 0
            print(
                f"of {planned} such refusals (ours), {curable} could be "
                f"cured by migrations, typically {typical:g}"
            )


def plot(found: dict[str, Any], path: pathlib.Path) -> None:
    """Accepted share by load, a picture for each mix."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "packing", "svg.fonttype": "none"}
    from matplotlib import pyplot

    mixes = found["mixes"]
    figure, axes = pyplot.subplots(
        1, len(mixes), figsize=(3.1 * len(mixes), 3.3), sharey=True
    )
    styles = {
        "bound": ("0.6", "--", ""),
        "stock": ("tab:red", "-", "s"),
        "packing": ("tab:orange", "-", "^"),
        "ours": ("tab:blue", "-", "o"),
    }
    for axis, mix in zip(
        itertools.chain([axes] if len(mixes) == 1 else axes),
        mixes.values(),
        strict=True,
    ):
        for name, (colour, line, marker) in styles.items():
            if name not in mix:
                continue
            shares = mix[name] if name == "bound" else mix[name]["accepted"]
            axis.plot(
                found["loads"],
                [100 * share for share in shares],
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=4,
                label=name,
            )
        axis.set_title(mix["title"], fontsize=10)
        axis.set_xlabel("load (vCPUs asked / pCPUs)")
        axis.grid(alpha=0.3)
    first = axes if len(mixes) == 1 else axes[0]
    first.set_ylabel("accepted vCPUs, %")
    first.legend(loc="lower left", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def main(arguments: Sequence[str] | None = None) -> int:
    names = [mix.name for mix in MIXES]
    parser = argparse.ArgumentParser(
        description="How much of a cloud can be used?"
    )
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument(
        "--requests",
        type=int,
        default=2000,
        help="at least so many in a run (default: 2000)",
    )
    parser.add_argument("--loads", type=float, nargs="+", default=LOADS)
    parser.add_argument("--mixes", nargs="+", default=names, choices=names)
    parser.add_argument(
        "--policies", nargs="+", default=list(POLICIES), choices=POLICIES
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one seed, loads 0.9 and 1.1, fewer requests: some minutes",
    )
    parser.add_argument("--stock-filter", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE")
    parser.add_argument(
        "--from",
        dest="known",
        type=pathlib.Path,
        nargs="+",
        metavar="FILE",
        help="show and plot what --json wrote before, and run nothing",
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.loads, options.requests = 1, (0.9, 1.1), 700
    if options.seeds < 1 or options.requests < 1 or min(options.loads) <= 0:
        parser.error("--seeds, --requests and --loads are above 0")
    if options.known:
        found = json.loads(options.known[0].read_text())
        for path in options.known[1:]:
            found["mixes"] |= json.loads(path.read_text())["mixes"]
    else:
        prepare()
        found = run(options)
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.plot:
        plot(found, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
