"""Draw the dashboard's panels from what Prometheus answers to their queries.

    python -m tests.prometheus.picture doc/source/images/dashboard.png

The data are a simulated day (``day``), put into an empty Prometheus by
promtool. The queries, the panels' places, titles and units are those of the
dashboard's JSON; the drawing is matplotlib's, since there is no Grafana here.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import matplotlib.dates
import matplotlib.pyplot as plt

from tests.prometheus import dashboard, day, server

#: Inches of a column and of a row of Grafana's grid.
COLUMN, ROW = 0.62, 0.34
GRID = 24
#: The host that is chosen: the one with the row that was edited.
HOST = "compute-03"
BEGIN = day.BEGIN.timestamp()
END = BEGIN + (day.LENGTH - day.STEP) * 60


def expressions(panel: dict[str, Any]) -> list[tuple[str, str]]:
    """The queries of a panel, with what their series are called."""
    return [
        (query.expression, query.legend)
        for query in dashboard.queries(HOST)
        if query.panel == panel["title"]
    ]


def legend(pattern: str, labels: dict[str, str]) -> str:
    """``{{label}}`` replaced, as Grafana does."""
    for name, value in labels.items():
        pattern = pattern.replace("{{" + name + "}}", value)
    return pattern


def shown(value: float, unit: str) -> str:
    """A number as a stat shows it."""
    if unit == "percentunit":
        return f"{value:.1%}"
    return f"{value:.0f} s" if unit == "s" else f"{value:.0f}"


def colour(panel: dict[str, Any], value: float) -> str:
    """That of the last threshold that is reached."""
    found = "black"
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {})
    for step in steps.get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return found


def stat(axes: Any, panel: dict[str, Any], asked: server.Prometheus) -> None:
    """One number, now."""
    ((expression, _),) = expressions(panel)
    (value,) = at_end(asked, expression).values()
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.text(0.5, 0.45, shown(value, unit), ha="center", va="center",
              fontsize=24, color=colour(panel, value))
    axes.set_axis_off()


def at_end(
    asked: server.Prometheus, expression: str
) -> dict[tuple[tuple[str, str], ...], float]:
    """Labels -> number, at the end of the day."""
    found = asked.get("query", query=expression, time=str(END))["result"]
    return {
        tuple(sorted(each["metric"].items())): float(each["value"][1])
        for each in found
    }


def timeseries(
    axes: Any, panel: dict[str, Any], asked: server.Prometheus
) -> None:
    """The day."""
    defaults = panel["fieldConfig"]["defaults"]
    lines: dict[str, dict[float, float]] = {}
    for expression, pattern in expressions(panel):
        found = asked.get(
            "query_range", query=expression, start=str(BEGIN), end=str(END),
            step=str(day.STEP * 60),
        )["result"]
        for each in found:
            name = legend(pattern, each["metric"])
            lines[name] = {
                float(when): float(value) for when, value in each["values"]
            }
    times = [BEGIN + n * day.STEP * 60 for n in range(day.LENGTH // day.STEP)]
    scale, unit = (
        (1 << 40, "TiB") if defaults["unit"] == "bytes" else (1, "")
    )
    moments = [
        datetime.datetime.fromtimestamp(each, datetime.timezone.utc)
        for each in times
    ]
    names = sorted(lines, key=lambda name: -max(lines[name].values()))
    values = [[lines[n].get(t, 0) / scale for t in times] for n in names]
    if defaults["custom"]["stacking"]["mode"] == "normal":
        axes.stackplot(moments, *values, labels=names, step="post", alpha=0.7)
    else:
        for name, each in zip(names, values, strict=True):
            axes.step(moments, each, where="post", label=name, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit, fontsize=7)
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M"))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if names:
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[:8], labels[:8], fontsize=6, loc="upper left",
                    ncols=2, framealpha=0.8, title=more or None,
                    title_fontsize=6)


def bargauge(
    axes: Any, panel: dict[str, Any], asked: server.Prometheus
) -> None:
    """Bars, now."""
    ((expression, pattern),) = expressions(panel)
    found = at_end(asked, expression)
    ordered = sorted(found.items(), key=lambda each: -each[1])
    names = [legend(pattern, dict(labels)) for labels, _ in ordered]
    bars = axes.barh(names, [value for _, value in ordered], alpha=0.7)
    axes.bar_label(bars, fmt="%.0f", fontsize=6, padding=2)
    axes.invert_yaxis()
    axes.tick_params(labelsize=6)


def table(axes: Any, panel: dict[str, Any], asked: server.Prometheus) -> None:
    """Rows, now."""
    ((expression, _),) = expressions(panel)
    rows = [dict(labels) for labels in at_end(asked, expression)]
    axes.set_axis_off()
    if rows:
        names = sorted(rows[0])
        made = axes.table([[row[name] for name in names] for row in rows],
                          colLabels=names, loc="upper center")
        made.set_fontsize(7)


KINDS = {"stat": stat, "timeseries": timeseries, "bargauge": bargauge,
         "table": table}


def draw(asked: server.Prometheus, path: pathlib.Path) -> None:
    """Every panel at its place; rows of panels as headings."""
    panels = json.loads(dashboard.FILE.read_text())["panels"]
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)
    figure = plt.figure(figsize=(GRID * COLUMN, height * ROW))
    for panel in panels:
        place = panel["gridPos"]
        x, width = place["x"] / GRID, place["w"] / GRID
        top = 1 - place["y"] / height
        tall = place["h"] / height
        if panel["type"] == "row":
            figure.text(0.01, top - tall * 0.8, panel["title"],
                        fontsize=11, weight="bold")
            continue
        left = 0.035 if panel["type"] == "timeseries" else 0.01
        left = 0.06 if panel["type"] == "bargauge" else left
        pad = 0.9 / height
        axes = figure.add_axes((
            x + left, top - tall + pad, width - left - 0.01,
            tall - pad - 1.1 / height,
        ))
        axes.set_title(panel["title"], fontsize=9, loc="left")
        KINDS[panel["type"]](axes, panel, asked)
    figure.savefig(path, dpi=75)


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = folder / "day.txt"
        with text.open("w") as file:
            day.Day().text(file)
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics",
             text, folder / "data"],
            check=True, stdout=subprocess.DEVNULL,
        )
        with server.running(
            folder, [], f"--query.lookback-delta={day.STEP + 5}m",
            "--storage.tsdb.retention.time=10y",
        ) as asked:
            draw(asked, path)


if __name__ == "__main__":
    main()
