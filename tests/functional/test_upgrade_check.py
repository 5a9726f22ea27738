"""``pinning-filter-status upgrade check`` and ``pinning-filter status`` in
processes of their own, on files of a nova.conf, as before installing.
"""

import json
import pathlib
import subprocess
import sys

import pytest

from pinning_filter.status import checks
from tests.functional import shell

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
MAKE = "import pathlib, large_cloud; large_cloud.make(pathlib.Path({!r}), 3)"
OURS = "pinning_filter.scheduler.filter.PinningFilter"


def run(program, *arguments):
    return subprocess.run(
        [shell.PROGRAM.with_name(program), *arguments],
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def check(*arguments):
    return run("pinning-filter-status", *arguments)


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    """A nova.conf with databases, whose Placement API is not there."""
    folder = tmp_path_factory.mktemp("cloud")
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE.format(str(folder))],
        cwd=BENCHMARKS,
        check=True,
    )
    return folder / "nova.conf"


@pytest.fixture
def old(tmp_path):
    """As guides from the days of Mitaka have it, and no database."""
    path = tmp_path / "old.conf"
    path.write_text(
        "[DEFAULT]\n"
        f"scheduler_available_filters = {OURS}\n"
        "scheduler_default_filters = ComputeFilter,PinningFilter\n"
        "[pinning_filter]\ncore_choise = tight\n"
    )
    return path


def results(answer):
    """Result and details of each check."""
    found = json.loads(answer.stdout)
    assert found["name"] == "Upgrade Check Results"
    assert [each["check"] for each in found["checks"]] == [
        each.name for each in checks.CHECKS
    ]
    return {
        each["check"]: (each["result"], each["details"])
        for each in found["checks"]
    }


def test_old_names_and_no_database(old):
    answer = check("--config-file", old, "upgrade", "check", "--json")
    assert (answer.returncode, answer.stderr) == (2, "")
    found = results(answer)
    level, said = found.pop("databases")
    assert level == 2
    assert said.startswith("Not checked: no database: [api_database] ")
    assert found.pop("options") == (
        1,
        f"[DEFAULT] scheduler_available_filters in {old} is read by nobody. "
        "Write it as [filter_scheduler] available_filters, or remove the "
        "line. "
        f"[DEFAULT] scheduler_default_filters in {old} is read by nobody. "
        "Write it as [filter_scheduler] enabled_filters, or remove the line. "
        f"[pinning_filter] core_choise in {old} is read by nobody: there is "
        "no such option. Do you mean core_choice?",
    )
    assert {found.pop(name)[0] for name in ("filters", "weigher")} == {0, 1}
    assert set(found.values()) == {
        (1, "Not checked, for the reason that databases has.")
    }


def test_people_read_the_same(old):
    answer = run("pinning-filter", "status", "--config-file", old)
    assert (answer.returncode, answer.stderr) == (3, "")
    assert "  -> Do you mean core_choice?\n" in answer.stdout
    assert answer.stdout.startswith(
        "13 checks, 2 with warnings, 10 that could not be made.\n"
    )


def test_a_cloud_before_installing(databases, tmp_path):
    """The filter is not enabled, and the Placement API does not answer."""
    answer = check("--config-file", databases, "upgrade", "check", "--json")
    assert answer.returncode == 2
    assert "the Placement API cannot be asked" in answer.stderr
    found = {name: level for name, (level, _) in results(answer).items()}
    assert found == {
        **dict.fromkeys(found, 0), "databases": 2, "filters": 1, "driver": 1,
        "images": 1,
    }


def test_the_list_of_filters_is_that_of_all_files(databases, tmp_path):
    more = tmp_path / "pinning.conf"
    more.write_text(
        "[filter_scheduler]\nenabled_filters = ComputeFilter,PinningFilter\n"
    )
    files = ("--config-file", databases, "--config-dir", tmp_path)
    answer = check(*files, "upgrade", "check", "--json")
    level, said = results(answer)["filters"]
    assert (answer.returncode, level) == (2, 2)
    assert said.startswith("PinningFilter is enabled and not among available")
    with more.open("a") as file:
        file.write(
            "available_filters = nova.scheduler.filters.all_filters\n"
            f"available_filters = {OURS}\n"
        )
    answer = check(*files, "upgrade", "check", "--json")
    assert results(answer)["filters"] == (0, None)


def test_a_nova_conf_that_is_none(tmp_path):
    answer = check("--config-file", tmp_path / "none", "upgrade", "check")
    assert (answer.returncode, answer.stdout) == (255, "")
    assert answer.stderr == (
        "pinning-filter-status: nova.conf cannot be read: Failed to find some "
        f"config files: {tmp_path}/none\n"
    )


def test_the_table_is_that_of_oslo_upgradecheck(old):
    said = check("--config-file", old, "upgrade", "check").stdout
    assert "| Upgrade Check Results " in said
    assert "| Check: options " in said
    assert "| Result: Warning " in said
