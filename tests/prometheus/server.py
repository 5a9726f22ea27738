"""A Prometheus of a test's own, and its answers."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

TOP = pathlib.Path(__file__).parents[2]
RULES = TOP / "etc" / "prometheus" / "pinning_filter.rules.yml"
#: Seconds until it must serve.
PATIENCE = 60

CONFIG = """\
global:
  scrape_interval: {interval}
  evaluation_interval: {interval}
rule_files: [{rules}]
scrape_configs:
  - job_name: pinning_filter
    static_configs:
      - targets: [{targets}]
"""


def lacking() -> str:
    """What this machine lacks; empty: nothing."""
    tools = ("prometheus", "promtool")
    return ", ".join(tool for tool in tools if shutil.which(tool) is None)


def config(targets: Sequence[str], interval: str = "1s") -> str:
    """A prometheus.yml that scrapes these, with our rules."""
    return CONFIG.format(
        interval=interval, rules=RULES, targets=", ".join(targets)
    )


class Prometheus:
    """One that runs.

    :param url: where, without a slash at its end.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        question = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/{path}?{question}", timeout=30
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Values of labels, in the order of their names -> number, now."""
        found = self.get("query", query=expression)["result"]
        return {
            tuple(
                value for name, value in sorted(each["metric"].items())
                if name not in ("__name__", "instance", "job")
            ): float(each["value"][1])
            for each in found
        }

    def is_up(self) -> bool:
        """Whether it serves already."""
        try:
            self.get("status/buildinfo")
        except (OSError, AssertionError):
            return False
        return True


def until(found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until there is something; the last of it."""
    limit = time.monotonic() + seconds
    while not (last := found()) and time.monotonic() < limit:
        time.sleep(0.2)
    return last


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running(
    folder: pathlib.Path, targets: Sequence[str], *options: str
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these, as long as the context."""
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(config(targets))
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}", *options,
            ],
            stdout=log, stderr=log,
        )
    try:
        made = Prometheus(f"http://127.0.0.1:{port}")
        assert until(made.is_up), (folder / "prometheus.log").read_text()
        yield made
    finally:
        process.terminate()
        process.wait(30)
