"""What do metrics cost: CPU seconds, memory, series, and a scrape?

Makes a large cloud in SQLite databases and lets ``pinning-filter metrics``
read it, as a timer would, and a dump of it; counts the series of each kind;
then an exporter is scraped. CPU seconds are those of the processes.

    python benchmarks/metrics.py
    python benchmarks/metrics.py --hosts 10000
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator

import large_cloud

from pinning_filter.metrics.per_host import Kind

PROGRAM = pathlib.Path(sys.executable).with_name("pinning-filter")
ALL = [word for kind in Kind for word in ("--per-host", kind.value)]
#: Hosts -> the most CPU seconds that one reading may take.
BARS = {1000: 5.0, 10000: 60.0}
SCRAPES = 50
#: The most seconds that a scrape of 1,000 hosts may take.
SCRAPE_BAR = 0.05


def run(*args: str) -> tuple[float, float]:
    """CPU seconds, and peak memory in MiB, of one command."""
    process = subprocess.Popen(
        [PROGRAM, *args], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(said)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def series(path: pathlib.Path) -> int:
    """How many series a file has."""
    with path.open() as lines:
        return sum(not line.startswith("#") for line in lines)


def status(pid: int, field: str) -> float:
    """Of a process's memory, in MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    assert found
    return int(found[1]) / 1024


def cpu(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    user, system = map(int, fields.split()[11:13])
    return (user + system) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def listening(*args: str) -> Iterator[tuple[int, str]]:
    """An exporter after its first reading: its process, and its address."""
    process = subprocess.Popen(
        [PROGRAM, "metrics", "--listen", "0", *args],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://\S+", line):
                yield process.pid, found[0]
                break
        else:
            raise SystemExit("the exporter has ended")
    finally:
        process.terminate()
        process.wait()


def readings(url: str) -> float:
    """How many readings an exporter has made."""
    with urllib.request.urlopen(url) as answer:
        found = re.search(
            rb'readings_total{outcome="complete"} (\S+)', answer.read()
        )
    assert found
    return float(found[1])


def again(*args: str) -> float:
    """CPU seconds of one more reading, by an exporter that runs."""
    with listening("--interval", "1", *args) as (pid, url):
        used = []
        for number in range(1, 5):
            while readings(url) < number:
                time.sleep(0.2)
            used.append(cpu(pid))
        return (used[-1] - used[0]) / (len(used) - 1)


def scraped(hosts: int, dump: str, words: list[str]) -> None:
    """Scrape an exporter, with and without compression."""
    with listening("--host", dump, "--interval", "100000", *words) as (
        pid, url
    ):
        for name, headers in (("gzip", {"Accept-Encoding": "gzip"}),
                              ("plain", {})):
            request = urllib.request.Request(url, headers=headers)
            taken = []
            begin = cpu(pid)
            for _ in range(SCRAPES):
                start = time.perf_counter()
                with urllib.request.urlopen(request) as answer:
                    size = len(answer.read())
                taken.append(time.perf_counter() - start)
            used = (cpu(pid) - begin) / SCRAPES
            median = statistics.median(taken)
            mark = "!" if hosts <= 1000 and median > SCRAPE_BAR else ""
            print(
                f"  {name:5} {size / 1024:7.0f} KiB  {median * 1000:5.1f} ms "
                f"(median of {SCRAPES}, by the clock){mark}, "
                f"{used * 1000:.1f} ms of CPU",
                flush=True,
            )
        print(
            f"  memory: {status(pid, 'VmRSS'):.0f} MiB between two "
            f"readings, {status(pid, 'VmHWM'):.0f} MiB at the most"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1000)
    hosts = parser.parse_args().hosts
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = str(large_cloud.make(folder, hosts))
        dump, out = str(folder / "cloud.json"), folder / "out.prom"
        print(f"{hosts} hosts of 64 pCPUs in 2 NUMA cells, "
              f"{len(large_cloud.FLAVORS)} flavors")
        run("dump", "--config-file", config, "--file", dump)
        print(f"\n{'a reading':34} CPU s   MiB")
        for what, args in (
            ("from databases", ("--config-file", config)),
            ("from databases, all of each host",
             ("--config-file", config, *ALL)),
            ("from a dump", ("--host", dump)),
        ):
            seconds, most = run("metrics", "--textfile", str(out), *args)
            mark = "!" if seconds > BARS.get(hosts, 1e9) else ""
            print(f"{what:34} {seconds:5.1f}{mark} {most:5.0f}", flush=True)
        seconds = again("--config-file", config)
        mark = "!" if seconds > BARS.get(hosts, 1e9) else ""
        print(f"{'one more, by an exporter':34} {seconds:5.1f}{mark}")
        print("\nseries")
        run("metrics", "--host", dump, "--textfile", str(out))
        base = series(out)
        print(f"  {'of the cloud':20} {base:8}")
        for kind in Kind:
            run("metrics", "--host", dump, "--textfile", str(out),
                "--per-host", kind.value)
            more = series(out) - base
            print(f"  --per-host {kind.value:9} {more:8} "
                  f"({more / hosts:.0f} a host)", flush=True)
        print("\na scrape, of the cloud alone")
        scraped(hosts, dump, [])
        print("\na scrape, with all of each host")
        scraped(hosts, dump, ALL)


if __name__ == "__main__":
    main()
