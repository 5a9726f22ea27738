"""The script behind the table of releases: what it reads and writes."""

import configparser
import json
import pathlib

import pytest

from pinning_filter.nova import releases
from tests.releases import outcome, table
from tests.releases.__main__ import RELEASES, one
from tests.releases.outcome import Outcome
from tests.releases.steps import STEPS, Step

TOP = pathlib.Path(__file__).parents[2]

JUNIT = """\
<testsuites><testsuite>
<testcase classname="tests.a" name="test_fine" />
<testcase classname="tests.a" name="test_not_here">
<skipped type="pytest.skip" message="needs a libvirtd">a.py:1</skipped>
</testcase>
<testcase classname="tests.a" name="test_wrong">
<failure message="assert 1 == 2">...</failure>
</testcase>
<testcase classname="tests.a" name="test_no_cloud">
<error message="failed on setup">...</error>
</testcase>
</testsuite></testsuites>
"""


def test_what_pytest_wrote(tmp_path):
    results = tmp_path / "results"
    results.write_text(JUNIT)
    assert outcome.of_pytest(results, 1) == Outcome(
        1,
        (
            ("tests.a.test_wrong", "assert 1 == 2"),
            ("tests.a.test_no_cloud", "failed on setup"),
        ),
        (("tests.a.test_not_here", "needs a libvirtd"),),
    )


def test_what_nova_s_suite_wrote(tmp_path):
    results = tmp_path / "results"
    told = {"run": 5, "skipped": [["a.b", "why"]], "failed": [["a.c", "so"]]}
    results.write_text(json.dumps(told))
    assert outcome.of_suite(results, 1) == Outcome(
        3, (("a.c", "so"),), (("a.b", "why"),)
    )


@pytest.mark.parametrize("read", [outcome.of_pytest, outcome.of_suite])
def test_a_command_that_died_has_failed(read, tmp_path):
    assert read(tmp_path / "none", 137) == Outcome(
        0, (("all of it", "it ended with status 137"),)
    )


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Tables of their own, and how they read."""
    for name in ("RESULTS", "EXCEPTIONS"):
        monkeypatch.setattr(table, name, tmp_path / name)

    def read():
        return [
            (tmp_path / name).read_text().splitlines()[1:]
            for name in ("RESULTS", "EXCEPTIONS")
        ]

    return read


def note(nova, column, *outcomes, python="3.11.7"):
    table.note(nova, python, column, outcomes, "2026-11-27")


def test_a_row_for_each_release_in_their_order(tables):
    note("31.3.1", "unit", Outcome(7))
    note("29.4.0", "unit", Outcome(6))
    note("31.3.1", "suites", Outcome(2), Outcome(3, (("a.b.c", "why"),)))
    note("29.4.0", "threads")
    results, exceptions = tables()
    assert results == [
        "29.4.0,3.11.7,6 passed,,not there,,,,2026-11-27",
        '31.3.1,3.11.7,7 passed,,,,,"1 of 2: 5 passed, 1 failed",2026-11-27',
    ]
    assert exceptions == ["31.3.1,3.11.7,suites,a.b.c,failed,why"]


def test_a_step_that_is_run_again_takes_its_exceptions_along(tables):
    note("31.3.1", "unit", Outcome(7, (), (("a.b", "why"),)))
    note("31.3.1", "property", Outcome(7, (), (("a.c", "why"),)))
    note("31.3.1", "unit", Outcome(8))
    assert tables() == [
        ["31.3.1,3.11.7,8 passed,7 passed,,,,,2026-11-27"],
        ["31.3.1,3.11.7,property,a.c,skipped,why"],
    ]


def test_a_newer_version_of_a_release_begins_anew(tables):
    note("31.3.0", "unit", Outcome(7, (), (("a.b", "why"),)))
    note("31.3.1", "demo", Outcome(1))
    assert tables() == [["31.3.1,3.11.7,,,,,passed,,2026-11-27"], []]


def test_a_row_for_each_python_in_their_order(tables):
    skipped = Outcome(7, (), (("a.b", "why"),))
    note("31.3.1", "unit", skipped, python="3.13.0")
    note("31.3.1", "unit", skipped, python="3.9.2")
    note("31.3.1", "unit", Outcome(8), python="3.13.1")
    assert tables() == [
        [
            "31.3.1,3.9.2,7 passed,,,,,,2026-11-27",
            "31.3.1,3.13.1,8 passed,,,,,,2026-11-27",
        ],
        ["31.3.1,3.9.2,unit,a.b,skipped,why"],
    ]


def test_many_tests_of_one_module_are_counted(tables):
    skipped = tuple((f"a.b.test_c[{n}]", "why") for n in range(4))
    note("31.3.1", "unit", Outcome(7, (), (*skipped, ("a.d.test_e", "why"))))
    _, exceptions = tables()
    assert exceptions == [
        "31.3.1,3.11.7,unit,a.b: 4 tests,skipped,why",
        "31.3.1,3.11.7,unit,a.d.test\\_e,skipped,why",
    ]


def test_a_step_that_does_not_end_is_ended(tmp_path):
    step = Step("unit", ("-c", "import time; time.sleep(60)"),
                outcome.of_status, seconds=1)
    assert one(pathlib.Path("python3"), step, tmp_path / "logs" / "x") == (
        Outcome(0, (("all of it", "it did not end within 1 seconds"),))
    )


def test_every_supported_release_has_its_libraries_and_a_tox_environment():
    assert min(RELEASES) == releases.OLDEST
    assert list(RELEASES) == list(range(min(RELEASES), max(RELEASES) + 1))
    tox = configparser.ConfigParser()
    tox.read(TOP / "tox.ini")
    (name,) = (name for name in tox if name.startswith("testenv:nova{"))
    assert f"nova{{{','.join(map(str, RELEASES))}}}" in name


def test_the_table_s_columns_are_told_of():
    page = (TOP / "doc" / "source" / "releases.rst").read_text()
    for step in STEPS:
        assert f"\n{step.column}\n" in page
