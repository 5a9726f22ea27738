"""The alerts, by Prometheus' own tests."""

import json
import re
import shutil
import subprocess

import pytest

from tests.prometheus import dashboard
from tests.prometheus.server import RULES, TOP

TESTS = RULES.with_name("pinning_filter.test.yml")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian: prometheus)",
)


def promtool(*args):
    done = subprocess.run(
        ["promtool", *map(str, args)],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_the_rules_are_well_formed():
    assert "8 rules found" in promtool("check", "rules", RULES)


@needs_promtool
def test_the_rules_tests_pass():
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_every_alert_is_tested_and_told():
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tests = TESTS.read_text()
    page = (TOP / "doc" / "source" / "metrics.rst").read_text()
    assert len(alerts) == 8
    for alert in alerts:
        # Each is seen to be silent, and to fire.
        part = tests.split(f"alertname: {alert}\n")[1:]
        assert any("exp_labels" in each.split("alertname")[0]
                   for each in part), alert
        assert any("exp_alerts: []" in each.split("alertname")[0]
                   for each in part), alert
        assert f"``{alert}``" in page


def test_panels_have_ids_and_places_of_their_own():
    panels = json.loads(dashboard.FILE.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        area = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not area & taken, panel["title"]
        taken |= area
