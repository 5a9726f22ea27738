"""The queries of the dashboard, as Grafana would send them."""

from __future__ import annotations

import json
import pathlib
from typing import NamedTuple

FILE = (
    pathlib.Path(__file__).parents[2] / "etc" / "grafana"
    / "pinning_filter.json"
)


class Query(NamedTuple):
    """One query of a panel."""

    panel: str  #: its title
    expression: str
    legend: str


def queries(host: str = ".*") -> list[Query]:
    """Every query of every panel.

    :param host: what is chosen of the hosts; of exporters all are.
    """
    variables = {"$instance": ".*", "$hostname": host}
    found = []
    for panel in json.loads(FILE.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            legend = target["legendFormat"]
            found.append(Query(panel["title"], expression, legend))
    return found
