"""``pinning-filter`` on the running cloud, and on dumps of it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import layout

#: Where each walk's dump is kept.
DUMPS = layout.RUN / "dumps"
#: Where nova-scheduler's configuration is.
LIVE = (
    "--config-file", str(layout.ETC / "nova.conf"),
    "--config-file", str(layout.ETC / "nova-control.conf"),
)
#: And that of nova-compute, which has no database.
NODE = (
    "--config-file", str(layout.ETC / "nova.conf"),
    "--config-file", str(layout.ETC / "nova-compute.conf"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    #: its exit status
    code: int
    #: what it wrote to standard output
    text: str
    #: what it wrote to standard error
    errors: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of ``-f json``."""
        return json.loads(self.text) if self.text else []

    def said(self, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of each row."""
        return [tuple(row[name] for name in columns) for row in self.rows]


def run(command: str, *arguments: str) -> Answer:
    """One command, on whatever its arguments say."""
    done = subprocess.run(
        [str(layout.BIN / "pinning-filter"), command, *arguments],
        capture_output=True, text=True, check=False, cwd="/",
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def live(command: str, *arguments: str) -> Answer:
    """One command on the running cloud, as rows."""
    return run(command, *LIVE, *arguments, "-f", "json")


def of_dump(path: Path, command: str, *arguments: str) -> Answer:
    """One command on a dump, as rows."""
    return run(command, "--host", str(path), *arguments, "-f", "json")


def dump(name: str) -> Path:
    """Dump the running cloud into a file that is kept."""
    DUMPS.mkdir(parents=True, exist_ok=True)
    path = DUMPS / f"{name}.json"
    done = run("dump", *LIVE, "--file", str(path))
    assert done.code == 0, done.errors
    return path
