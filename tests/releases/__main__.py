"""Run the steps on each release, and write down what came out."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.releases import table
from tests.releases.outcome import Outcome
from tests.releases.steps import COLUMNS, STEPS, Step

TOP = Path(__file__).parents[2]
#: What the commands say, and their results.
LOGS = TOP / "build" / "releases"
RELEASES = tuple(
    sorted(
        int(path.stem.removeprefix("nova"))
        for path in (Path(__file__).parent / "constraints").glob("nova*.txt")
    )
)
#: The interpreter whose environments have no name of its own.
PYTHON = "python3"
_ENVIRONMENT = ("make", "--silent", "venv", "schemas")
_VERSIONS = (
    "import platform; from importlib import metadata; "
    "print(metadata.version('nova'), platform.python_version())"
)


def main(arguments: list[str]) -> int:
    """All that was asked for; 0 if nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.releases")
    parser.add_argument(
        "releases",
        nargs="*",
        type=_release,
        metavar="RELEASE",
        help="all of them if none is named",
    )
    parser.add_argument("--only", nargs="+", choices=COLUMNS, default=COLUMNS)
    parser.add_argument("--python", default=PYTHON, help="python3.13, say")
    asked = parser.parse_args(arguments)
    fine = [
        run(release, column, asked.python)
        for release in asked.releases or RELEASES
        for column in asked.only
    ]
    return 0 if all(fine) else 1


def _release(text: str) -> int:
    if text not in map(str, RELEASES):
        known = ", ".join(map(str, RELEASES))
        raise argparse.ArgumentTypeError(f"there are {known}, but no {text}")
    return int(text)


def run(release: int, column: str, interpreter: str) -> bool:
    """One column of one release; whether nothing failed."""
    name = f"nova{release}"
    if interpreter != PYTHON:
        name += f"-{Path(interpreter).name}"
    venv = f".venv-{name}"
    subprocess.run(
        [*_ENVIRONMENT, f"NOVA={release}", f"PYTHON={interpreter}",
         f"VENV={venv}"],
        cwd=TOP,
        check=True,
    )
    python = TOP / venv / "bin" / "python"
    nova, version = subprocess.check_output(
        [python, "-c", _VERSIONS], text=True
    ).split()
    steps = [
        (number, step)
        for number, step in enumerate(STEPS)
        if step.column == column and release >= step.since
    ]
    today = datetime.date.today().isoformat()
    outcomes: list[Outcome] = []
    if not steps:
        table.note(nova, version, column, outcomes, today)
    for number, step in steps:
        began = time.monotonic()
        outcomes.append(one(python, step, LOGS / f"{name}-{number}"))
        took = time.monotonic() - began
        print(
            f"Nova {nova}, Python {version}, {column}: {step.command[-1]}: "
            f"{outcomes[-1]} ({took:.0f} s)",
            flush=True,
        )
        # Each time: suites take long, and what was run is kept.
        table.note(nova, version, column, outcomes, today)
    return not any(outcome.failed for outcome in outcomes)


def one(python: Path, step: Step, base: Path) -> Outcome:
    """Run a step; its output is in a file beside its results."""
    base.parent.mkdir(parents=True, exist_ok=True)
    results = base.with_name(f"{base.name}.results")
    results.unlink(missing_ok=True)
    command = [each.format(results=results) for each in step.command]
    with base.with_name(f"{base.name}.log").open("w") as log:
        child = subprocess.Popen(
            [python, "-W", "ignore", *command],
            cwd=TOP,
            env=os.environ | step.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = child.wait(step.seconds)
        except subprocess.TimeoutExpired:
            reason = f"it did not end within {step.seconds} seconds"
            return Outcome(0, (("all of it", reason),))
        finally:
            # With it go pytest's workers, whatever has happened.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return step.read(results, status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
