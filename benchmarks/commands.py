"""How long do the commands take on a large cloud?

Makes one in SQLite databases, and runs the commands on it, as an operator
would: from Nova's databases, and from a dump of them. CPU seconds of all
processes, and seconds by the clock. With ``--placement`` there is a Placement
API too, Placement's own code on SQLite, which is asked three to four questions
a host: then look at the CPU seconds, as this one answers slowly.

    python benchmarks/commands.py
    python benchmarks/commands.py --hosts 1000 --placement
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import large_cloud
import placement_service

PROGRAM = pathlib.Path(sys.executable).with_name("pinning-filter")
QUESTION = ("--vcpus", "12", "--ram", "49152", "--property",
            "hw:cpu_policy=dedicated")


def timed(output: pathlib.Path, *args: str) -> tuple[float, float]:
    """CPU and wall-clock seconds of one command."""
    begin = time.perf_counter()
    errors = output.with_suffix(".errors")
    with output.open("wb") as file, errors.open("wb") as error_file:
        process = subprocess.Popen(
            [PROGRAM, *args], stdout=file, stderr=error_file
        )
        _, status, used = os.wait4(process.pid, 0)
    # 4: what was not asked is left out, as where there is no Placement API.
    if os.waitstatus_to_exitcode(status) not in (0, 3, 4):
        raise SystemExit(errors.read_text())
    return used.ru_utime + used.ru_stime, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=10000)
    parser.add_argument("--placement", action="store_true")
    options = parser.parse_args()
    hosts = options.hosts
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(
            stack.enter_context(tempfile.TemporaryDirectory())
        )
        config = str(large_cloud.make(folder, hosts))
        if options.placement:
            lines = stack.enter_context(placement_service.running(folder))
            with open(config, "a") as file:
                file.write("\n".join(lines) + "\n")
        dump, out = str(folder / "cloud.json"), folder / "out"
        print(f"{hosts} hosts of 64 pCPUs, {len(large_cloud.FLAVORS)} flavors")
        print(f"{'':34} CPU s  wall s")
        for what, args in (
            ("capacity, from databases",
             ("capacity", "--config-file", config)),
            ("capacity --total, from databases",
             ("capacity", "--config-file", config, "--total")),
            ("explain, from databases",
             ("explain", "--config-file", config, *QUESTION)),
            ("map --html, from databases",
             ("map", "--config-file", config, "--html",
              str(folder / "map.html"))),
            ("defrag --plan, from databases",
             ("defrag", "--plan", "--config-file", config, *QUESTION)),
            ("audit, from databases",
             ("audit", "--wait", "1", "--config-file", config)),
            ("status, from databases", ("status", "--config-file", config)),
            ("dump", ("dump", "--config-file", config, "--file", dump)),
            ("capacity, from a dump", ("capacity", "--host", dump)),
            ("capacity --total, from a dump",
             ("capacity", "--host", dump, "--total")),
            ("explain, from a dump", ("explain", "--host", dump, *QUESTION)),
            ("map --html, from a dump",
             ("map", "--host", dump, "--html", str(folder / "map.html"))),
        ):
            cpu, wall = timed(out, *args)
            print(f"{what:34} {cpu:5.0f} {wall:7.0f}", flush=True)


if __name__ == "__main__":
    main()
