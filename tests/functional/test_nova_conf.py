"""A command in a process of its own, on a nova.conf and real databases, as an
operator runs it.
"""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.functional import shell

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
MAKE = "import pathlib, large_cloud; large_cloud.make(pathlib.Path({!r}), 3)"


def run(*arguments):
    return subprocess.run(
        [shell.PROGRAM, *arguments],
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_capacity_from_a_nova_conf(tmp_path):
    script = MAKE.format(str(tmp_path))
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=BENCHMARKS,
        check=True,
    )
    answer = run("capacity", "--config-file", tmp_path / "nova.conf",
                 "--flavor", "pinned.2", "-f", "json")
    assert (answer.returncode, answer.stderr) == (0, "")
    *hosts, total = json.loads(answer.stdout)
    assert [row["host"] for row in hosts] == [
        f"compute-{number:05}" for number in range(3)
    ]
    assert total["pcpus"] == 3 * 64
    assert total["fits_empty"] == 3 * 32


def test_a_nova_conf_without_a_database_is_named(tmp_path):
    """As a compute's, which must not have one."""
    config = tmp_path / "nova.conf"
    config.write_text("[DEFAULT]\nhost = compute\n")
    answer = run("map", "--config-file", config)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(
        "pinning-filter: no database: [api_database] connection is not set "
        f"in nova.conf (files read: {config})."
    )


@pytest.mark.parametrize(
    ("option", "name", "complaint"),
    [
        ("--config-file", "none", "Failed to find some config files: {}"),
        ("--config-dir", "none", "Failed to read config file directory: {}"),
        ("--config-file", "", "{}: Is a directory"),
        ("--config-file", "odd", "Failed to parse {}: at {}:1, No ':' or '='"),
    ],
)
def test_a_nova_conf_that_is_none_is_named(tmp_path, option, name, complaint):
    (tmp_path / "odd").write_text("odd")
    path = tmp_path / name
    answer = run("map", option, path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(
        f"pinning-filter: nova.conf cannot be read: {complaint}".replace(
            "{}", str(path)
        )
    )
    assert answer.stderr.count("\n") == 1
