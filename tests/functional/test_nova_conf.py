"""A command in a process of its own, on a nova.conf and real databases, as an
operator runs it.
"""

import json
import pathlib
import subprocess
import sys

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
MAKE = "import pathlib, large_cloud; large_cloud.make(pathlib.Path({!r}), 3)"


def test_capacity_from_a_nova_conf(tmp_path):
    script = MAKE.format(str(tmp_path))
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=BENCHMARKS,
        check=True,
    )
    program = pathlib.Path(sys.executable).with_name("pinning-filter")
    answer = subprocess.run(
        [program, "capacity", "--config-file", tmp_path / "nova.conf",
         "--flavor", "pinned.2", "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    *hosts, total = json.loads(answer.stdout)
    assert [row["host"] for row in hosts] == [
        f"compute-{number:05}" for number in range(3)
    ]
    assert total["pcpus"] == 3 * 64
    assert total["fits_empty"] == 3 * 32
