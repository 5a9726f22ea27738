"""``pinning-filter metrics``, on clouds from files."""

import json
import socket
import subprocess
import sys
import urllib.request

import pytest

from pinning_filter.cli import metrics
from pinning_filter.cloud.snapshot import Snapshot
from tests.unit.audit.test_books import booked, repinned, two
from tests.unit.cli import clouds
from tests.unit.metrics.clouds import series


@pytest.fixture
def ask(pinning_filter, several):
    def ask(*args, host=several):
        return pinning_filter("metrics", "--host", host, *args)

    return ask


def test_to_standard_output(ask):
    answer = ask()
    assert (answer.status, answer.err) == (0, "")
    found = series(answer.out.encode())
    assert found["pinning_filter_hosts_open"] == {(): 3}
    assert found["pinning_filter_flavor_fits"] == {
        ("pinned.2",): 9, ("pinned.4",): 4,
    }
    # 2026-11-20T12:00:00+00:00, as the dump says.
    assert found["pinning_filter_data_timestamp_seconds"] == {
        (): 1795176000.0
    }
    assert "pinning_filter_host_pcpus" not in found
    assert "pinning_filter_scheduler_refusals_total" not in found


def test_numbers_are_those_of_capacity(ask, pinning_filter, several):
    rows = json.loads(
        pinning_filter(
            "capacity", "--host", several, "--flavor", "pinned.2",
            "--flavor", "pinned.4", "-f", "json",
        ).out
    )
    found = series(ask("--per-host", "fits").out.encode())
    for row in rows:
        key = (row["flavor"],) if row["host"] is None else tuple(
            sorted((row["flavor"], row["host"]),
                   key=lambda each: each == row["host"])
        )
        kind = "flavor" if row["host"] is None else "host_flavor"
        for column in ("fits_now", "fits_empty", "lost"):
            name = {"fits_now": "fits", "lost": "fits_lost"}.get(
                column, column)
            assert found[f"pinning_filter_{kind}_{name}"][key] == row[column]


def test_numbers_are_those_of_survive(ask, pinning_filter, several):
    rows = json.loads(
        pinning_filter("survive", "--host", several, "-f", "json").out
    )
    found = series(ask().out.encode())["pinning_filter_hosts_by_loss"]
    assert found["false",] == sum(not row["survives"] for row in rows)
    assert found["true",] == sum(row["survives"] for row in rows)


def test_numbers_are_those_of_audit(pinning_filter, ask, tmp_path):
    broken = booked(repinned(two(), 1, {0: 1, 1: 3}))
    path = clouds.write(Snapshot((broken,)), tmp_path / "cloud.json")
    rows = json.loads(
        pinning_filter("audit", "--host", path, "-f", "json").out
    )
    found = series(ask(host=path).out.encode())[
        "pinning_filter_audit_findings"]
    assert {key: number for key, number in found.items() if number} == {
        (row["code"], row["severity"]): number
        for row in rows
        for number in [sum(row["code"] == each["code"] for each in rows)]
    }


def test_a_flavor_that_is_named(ask):
    found = series(ask("--flavor", "pinned.4").out.encode())
    assert found["pinning_filter_flavor_fits"] == {("pinned.4",): 4}


@pytest.mark.parametrize(
    ("name", "text"),
    [("none", "there is no flavor 'none'"), ("plain", "pins no vCPUs")],
)
def test_a_flavor_that_will_not_do(ask, name, text):
    answer = ask("--flavor", name)
    assert (answer.status, answer.out) == (2, "")
    assert text in answer.err


def test_a_flavor_that_nova_refuses_costs_only_itself(
    pinning_filter, tmp_path
):
    cloud = clouds.several()
    bad = clouds.Flavor("bad", 2, 64, 1, {
        **clouds.DEDICATED, "hw:numa_nodes": "many"})
    path = clouds.write(
        Snapshot(cloud.nodes, (*cloud.flavors, bad)), tmp_path / "cloud.json"
    )
    answer = pinning_filter("metrics", "--host", path)
    assert answer.status == 0
    assert "flavor 'bad'" in answer.err
    found = series(answer.out.encode())["pinning_filter_flavor_fits"]
    assert set(found) == {("pinned.2",), ("pinned.4",)}


# -- files --------------------------------------------------------------------

def test_a_textfile(ask, tmp_path):
    path = tmp_path / "pinning.prom"
    answer = ask("--textfile", path)
    assert answer == (0, "", "")
    assert "pinning_filter_pcpus" in series(path.read_bytes())


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("none/pinning.prom", "No such file or directory"),
        ("folder", "Is a directory"),
        ("file/pinning.prom", "Not a directory"),
    ],
)
def test_a_file_that_cannot_be_written(ask, tmp_path, place, text):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    answer = ask("--textfile", tmp_path / place)
    assert (answer.status, answer.out) == (2, "")
    assert f"--textfile {tmp_path / place}: {text}" in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cloud.json", "file", "folder"
    ]


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.prom"
    path.write_text("old")
    return path


@pytest.mark.parametrize(
    "where", [("--textfile", "old.prom"), ("--listen", "0"), ()],
    ids=["a file", "an address", "standard output"],
)
def test_no_database(tmp_path, old, where):
    """In a process of its own: Nova reads one configuration in each."""
    (tmp_path / "nova.conf").write_text("[DEFAULT]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pinning_filter.cli.main", "metrics",
         "--config-file", "nova.conf", *where],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no database: [api_database] connection is not set" in done.stderr
    assert old.read_text() == "old"


def test_a_broken_dump_leaves_the_old_file(ask, several, old):
    several.write_text(several.read_text()[:-100])
    answer = ask("--textfile", old)
    assert answer.status == 2
    assert "not the whole of it" in answer.err
    assert old.read_text() == "old"


def test_where_no_cell_answers_the_old_file_is_left(
    pinning_filter, tmp_path, old
):
    path = clouds.write(
        Snapshot((), unreachable={"cell1": "gone"}), tmp_path / "cloud.json"
    )
    answer = pinning_filter("metrics", "--host", path, "--textfile", old)
    assert answer.status == 2
    assert "cell cell1 does not answer" in answer.err
    assert "no cell answers: there is nothing to count" in answer.err
    assert old.read_text() == "old"


def test_a_cell_that_hangs_is_told_in_the_file_too(
    pinning_filter, tmp_path, old
):
    cloud = Snapshot(
        clouds.several().nodes, unreachable={"cell2": "no answer in 60 s"}
    )
    path = clouds.write(cloud, tmp_path / "cloud.json")
    answer = pinning_filter("metrics", "--host", path, "--textfile", old)
    assert answer.status == 4
    assert "cell cell2 does not answer" in answer.err
    found = series(old.read_bytes())
    assert found["pinning_filter_cell_up"] == {
        ("cell1",): 1, ("cell2",): 0,
    }


# -- refusals -----------------------------------------------------------------

COUNTED = '{"requests": 7, "refused": {"pcpus": 2}}'


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "counters"
    made.mkdir()
    (made / "scheduler-0.json").write_text(COUNTED)
    return made


def test_refusals(ask, folder):
    found = series(ask("--refusals", folder).out.encode())
    assert found["pinning_filter_scheduler_requests_total"] == {(): 7}
    refused = found["pinning_filter_scheduler_refusals_total"]
    assert {key: number for key, number in refused.items() if number} == {
        ("pcpus",): 2
    }


def test_only_refusals_needs_no_cloud(pinning_filter, folder):
    answer = pinning_filter("metrics", "--only-refusals", "--refusals", folder)
    assert answer.status == 0
    assert set(series(answer.out.encode())) == {
        "pinning_filter_build_info",
        "pinning_filter_scheduler_requests_total",
        "pinning_filter_scheduler_refusals_total",
    }


def test_where_nobody_counts(ask, tmp_path):
    answer = ask("--refusals", tmp_path / "none")
    assert (answer.status, answer.out) == (2, "")
    assert f"--refusals {tmp_path / 'none'}: No such file" in answer.err


def test_only_refusals_of_nowhere(ask):
    answer = ask("--only-refusals")
    assert (answer.status, answer.out) == (2, "")
    assert "give --refusals DIR" in answer.err


# -- listening ----------------------------------------------------------------

class _End(Exception):
    pass


@pytest.fixture
def listening(pinning_filter, monkeypatch, several):
    """Run it, with a function instead of each wait for the next reading."""

    def run(*between, host=several, args=()):
        turns = iter(between)
        made = []

        class Watched(metrics.Exporter):
            def __init__(self, *args):
                super().__init__(*args)
                made.append(self)

        def sleep(seconds):
            turn = next(turns, None)
            if turn is None:
                raise _End
            turn(made[0].url)

        monkeypatch.setattr(metrics, "Exporter", Watched)
        monkeypatch.setattr(metrics.time, "sleep", sleep)
        try:
            return pinning_filter(
                "metrics", "--host", host, "--listen", "0", *args
            )
        finally:
            for each in made:
                each.close()

    return run


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return series(answer.read())


def test_listening(listening, several, folder):
    """It reads again, also after a reading that failed."""
    seen, whole = [], several.read_text()

    def look(then):
        def turn(url):
            seen.append(get(url))
            then()

        return turn

    def counted(text):
        return lambda: (folder / "scheduler-0.json").write_text(text)

    listening(
        look(lambda: several.write_text("{")),
        look(counted(COUNTED.replace("7", "8"))),
        look(lambda: several.write_text(whole)),
        look(lambda: None),
        args=("--refusals", folder),
    )
    outcomes = [
        each["pinning_filter_readings_total"] for each in seen
    ]
    assert [(each["complete",], each["failed",]) for each in outcomes] == [
        (1, 0), (1, 1), (1, 2), (2, 2),
    ]
    assert [each["pinning_filter_reading_up"][()] for each in seen] == [
        1, 0, 0, 1,
    ]
    # What was read stays, and refusals are of now.
    assert all(each["pinning_filter_hosts_open"] == {(): 3} for each in seen)
    assert [
        each["pinning_filter_scheduler_requests_total"][()] for each in seen
    ] == [7, 7, 8, 8]


def test_a_port_in_use(ask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = ask("--listen", port)
    assert (answer.status, answer.out) == (2, "")
    assert f"--listen 127.0.0.1:{port}: Address already in use" in answer.err


def test_an_address_that_is_not_here(ask):
    answer = ask("--listen", "192.0.2.1:9779")
    assert answer.status == 2
    assert "--listen 192.0.2.1:9779: Cannot assign" in answer.err


@pytest.mark.parametrize(
    "where", ["x", ":", "70000", "::1:9779", "a b:1", "-1", "host:"]
)
def test_an_address_that_is_none(ask, where):
    answer = ask(f"--listen={where}")
    assert answer.status == 2
    assert "is not [HOST:]PORT" in answer.err


def test_what_excludes_each_other(ask, tmp_path):
    answer = ask("--listen", "0", "--textfile", tmp_path / "a.prom")
    assert answer.status == 2
    assert "not allowed with" in answer.err
