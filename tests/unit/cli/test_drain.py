"""``pinning-filter drain``, on clouds from files."""

import dataclasses
import importlib.resources
import json
import pathlib
import re
import shlex
import stat
import subprocess

import fastjsonschema
import pytest

from pinning_filter.cloud.snapshot import Flavor, Provider, Snapshot
from pinning_filter.fleet.hosts import Unplaced
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, GroupPolicy, Server
from tests.unit.cli import clouds

FOUR = "cell:1(memory=16GiB) core:4"
FLAVORS = (
    Flavor("pinned.2", 2, 1024, 1, clouds.DEDICATED),
    Flavor("plain", 1, 1024),
)
VALID = fastjsonschema.compile(
    json.loads(
        (
            importlib.resources.files("pinning_filter.cli")
            / "moves.schema.json"
        ).read_text()
    )
)


def named(node, *names, **fields):
    """The node, its servers with these UUIDs and further fields."""
    guests = tuple(
        dataclasses.replace(guest, id=name, **fields)
        for guest, name in zip(node.guests, names, strict=True)
    )
    return dataclasses.replace(node, guests=guests)


def books(vcpus, used=0):
    return Provider(
        {
            "PCPU": Inventory(4),
            "VCPU": Inventory(vcpus, used=used),
            "MEMORY_MB": Inventory(16384, 512),
        },
        frozenset(),
    )


def in_turn():
    """A guest of 3 can leave only once a guest of 2 has made way."""
    return Snapshot(
        (
            named(clouds.node("cmp1", FOUR, clouds.guest(3)), "big"),
            named(clouds.node("cmp2", FOUR, clouds.guest(2)), "small"),
            named(clouds.node("cmp3", FOUR, clouds.guest(2)), "other"),
        ),
        FLAVORS,
    )


@pytest.fixture
def ask(pinning_filter, tmp_path):
    def ask(snapshot, *args, host="cmp1"):
        path = clouds.write(snapshot, tmp_path / "cloud.json")
        return pinning_filter("drain", host, "--plan", "--host", path, *args)

    return ask


def rows(answer):
    found = json.loads(answer.out)
    VALID(found)
    return found


LIVE = (
    "openstack --os-compute-api-version 2.30 server migrate --live-migration "
    "--host {} --wait {}"
)


def test_people_read_a_heading_a_table_and_commands(ask):
    answer = ask(in_turn())
    lines = answer.out.splitlines()
    assert lines[:3] == [
        "What the Placement API counts is not known of every host, and is not "
        "looked at there.",
        "cmp1 still takes servers: disable its compute service before the "
        "first step.",
        "cmp1 can be emptied by 2 migrations in 2 stages; 1 server of other "
        "hosts must move, too.",
    ]
    assert lines[-2:] == [
        LIVE.format("cmp3", "small"), LIVE.format("cmp2", "big"),
    ]
    assert (answer.status, answer.err) == (0, "")


def test_programs_read_steps_and_what_they_wait_for(ask):
    answer = ask(in_turn(), "-f", "json")
    assert [
        (row["step"], row["stage"], row["waits_for"], row["server"],
         row["source"], row["target"], row["how"])
        for row in rows(answer)
    ] == [
        (1, 1, [], "small", "cmp2", "cmp3", "live"),
        (2, 2, [1], "big", "cmp1", "cmp2", "live"),
    ]


@pytest.mark.parametrize(
    ("fields", "how", "why", "command"),
    [
        pytest.param(
            {"fixed": "it is stopped"},
            "cold",
            "it is stopped",
            "openstack --os-compute-api-version 2.56 server migrate --host "
            "cmp2 --wait x && openstack server migration confirm x",
            id="cold, and confirmed",
        ),
        pytest.param(
            {"paused": True},
            "live",
            None,
            "openstack --os-compute-api-version 2.30 server migrate "
            "--live-migration --host cmp2 x",
            id="paused: the client would wait for ever",
        ),
    ],
)
def test_live_where_it_can_be_and_cold_where_not(
    ask, fields, how, why, command
):
    snapshot = Snapshot(
        (
            named(clouds.node("cmp1", FOUR, clouds.guest(2)), "x", **fields),
            clouds.node("cmp2", FOUR),
        ),
        FLAVORS,
    )
    (row,) = rows(ask(snapshot, "-f", "json"))
    assert (row["how"], row["why"], row["command"]) == (how, why, command)


def test_who_finds_no_place_is_told_with_what_would_help(ask):
    snapshot = Snapshot(
        (
            clouds.node("cmp1", FOUR, clouds.guest(3), clouds.guest(1)),
            clouds.node("cmp2", FOUR, clouds.guest(2)),
            clouds.node("cmp3", FOUR, closed="the compute service is off"),
        ),
        FLAVORS,
    )
    why = (
        "No host can take 3 pinned vCPUs in one NUMA cell: 3 free pCPUs are "
        "needed in one NUMA cell, 1 host has 1."
    )
    helps = [
        "It fits on cmp3, which takes no servers now: the compute service is "
        "off.",
        "On cmp2 it fits when 2 more pCPUs are free in host cell 0, such as "
        "0-1.",
    ]
    answer = ask(snapshot)
    assert answer.out.splitlines()[2:4] == [
        "cmp1 cannot be emptied: 1 of 2 servers finds no place. No moves can "
        "help: its servers take 4 pCPUs, and 2 are free on all hosts that "
        "take servers.",
        f"server 0 of cmp1 (cmp1-0): no way was found: {why} "
        f"{' '.join(helps)}",
    ]
    assert answer.status == 3
    moved, stuck = rows(ask(snapshot, "-f", "json"))
    assert (moved["server"], moved["how"]) == ("cmp1-1", "live")
    assert (stuck["how"], stuck["why"], stuck["helps"]) == (
        "stuck", why, helps,
    )


def test_floating_servers_and_groups_are_planned_with(ask):
    group = Group("g", GroupPolicy.ANTI_AFFINITY, frozenset({"x", "y"}))
    floating = Server("x", name="web", flavor="plain")
    there = Server("y", name="db", flavor="plain")
    snapshot = Snapshot(
        (
            clouds.node(
                "cmp1", FOUR, floating=(floating,), provider=books(4, 1)
            ),
            clouds.node("cmp2", FOUR, floating=(there,), provider=books(8)),
            clouds.node("cmp3", FOUR, provider=books(1, 1)),
            clouds.node("cmp4", FOUR, provider=books(4)),
        ),
        FLAVORS,
        groups=(group,),
    )
    (row,) = rows(ask(snapshot, "-f", "json"))
    assert (row["name"], row["target"]) == ("web", "cmp4")


@pytest.mark.parametrize(
    ("args", "host", "text"),
    [
        pytest.param(
            (), "none", "HOST: there is no compute node none; compute nodes: "
            "cmp1, cmp2, cmp3", id="no such host",
        ),
        pytest.param(
            ("--host", "none"), "cmp1", "--host: no compute node", id="none",
        ),
    ],
)
def test_bad_input_is_named(ask, args, host, text):
    answer = ask(in_turn(), *args, host=host)
    assert text in answer.err
    assert (answer.status, answer.out) == (2, "")


def test_a_host_that_is_down_is_not_drained(ask):
    down, *others = in_turn().nodes
    down = dataclasses.replace(
        down, closed="the compute service is down since yesterday"
    )
    answer = ask(Snapshot((down, *others), FLAVORS))
    assert "only evacuated" in answer.err
    assert answer.status == 2


def test_only_hosts_that_are_named_are_used(ask):
    snapshot = Snapshot(
        (
            named(clouds.node("cmp1", FOUR, clouds.guest(1)), "x"),
            clouds.node("cmp2", FOUR, clouds.guest(2)),
            clouds.node("cmp3", FOUR),
        ),
        FLAVORS,
    )
    (row,) = rows(ask(snapshot, "-f", "json"))
    assert row["target"] == "cmp2"
    (row,) = rows(ask(snapshot, "-f", "json", "--host", "cmp3"))
    assert row["target"] == "cmp3"


def test_it_does_nothing_but_plan(pinning_filter):
    answer = pinning_filter("drain", "cmp1")
    assert "--plan" in answer.err
    assert answer.status == 2


def test_an_empty_host_has_nothing_to_move(ask):
    answer = ask(
        Snapshot((clouds.node("cmp1", FOUR, closed="it is off"),), FLAVORS)
    )
    assert answer.out.splitlines()[-1] == "cmp1 is empty: nothing to move."
    assert answer.status == 0


def test_who_cannot_be_planned_for_is_counted(ask):
    snapshot = Snapshot(
        (
            clouds.node(
                "cmp1",
                FOUR,
                unplaced=(Unplaced("x", "web", "pinned.2", "it is junk"),),
                others=2,
            ),
            clouds.node("cmp2", FOUR),
        ),
        FLAVORS,
    )
    answer = ask(snapshot)
    assert answer.out.splitlines()[1:] == [
        "Not in the plan: 1 server whose record makes no sense.",
        "Not in the plan: 2 servers without a NUMA topology, which the file "
        "does not name.",
        "cmp1 still takes servers: disable its compute service before the "
        "first step.",
        "cmp1 has nothing that can be planned for: nothing to move.",
    ]
    assert answer.status == 4


def test_the_script_ends_where_the_client_fails(ask, tmp_path):
    script = ask(in_turn(), "--script").out
    failing = CLIENT.replace("*task_state*) echo None", "*task_state*) exit 3")
    done, asked = _run(script, tmp_path, failing)
    assert done.returncode != 0
    assert len(asked) == 1


#: A client that notes what it is asked, and whose servers arrive at once.
CLIENT = """\
#!/bin/sh
# One write a line: several of it run at a time.
line=$(printf '%s|' "$@")
echo "$line" >> "$LOG"
case "$*" in
    *task_state*) echo None ;;
    *SRV-ATTR:host*) cat "$HOSTS/$7" ;;
    *"-c status"*) echo ACTIVE ;;
    *migrate*) for last in "$@"; do :; done
        while test "$1" != --host; do shift; done
        printf '%s\\n' "$2" > "$HOSTS/$last" ;;
esac
"""


def _run(script, tmp_path, client=CLIENT):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "openstack"
    program.write_text(client)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    log = tmp_path / "log"
    done = subprocess.run(
        ["sh", "-c", script],
        env={
            "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
            "LOG": str(log),
            "HOSTS": str(hosts),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    asked = log.read_text().splitlines()
    return done, [each for each in asked if "|show|" not in each]


def test_the_script_does_the_steps_in_turn(ask, tmp_path):
    answer = ask(in_turn(), "--script")
    assert answer.status == 0
    assert "can be emptied by 2 migrations" in answer.err
    done, asked = _run(answer.out, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    begin = "--os-compute-api-version|2.30|server|migrate|--live-migration|"
    assert asked == [
        f"{begin}--host|cmp3|small|",
        f"{begin}--host|cmp2|big|",
    ]


def test_the_script_runs_a_stage_at_once_and_confirms_what_is_cold(
    ask, tmp_path
):
    snapshot = Snapshot(
        (
            named(
                clouds.node("cmp1", FOUR, clouds.guest(1), clouds.guest(1)),
                "x", "y", fixed="it is stopped",
            ),
            clouds.node("cmp2", FOUR),
        ),
        FLAVORS,
    )
    answer = ask(snapshot, "--script")
    assert answer.out.endswith(
        "# stage 1\ncold x cmp2 & step1=$!\ncold y cmp2 & step2=$!\n"
        'all_done "$step1" "$step2"\n'
    )
    done, asked = _run(answer.out, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(asked) == sorted(
        line
        for each in "xy"
        for line in (
            f"--os-compute-api-version|2.56|server|migrate|--host|cmp2|{each}|",
            f"server|migration|confirm|{each}|",
        )
    )


def test_the_script_ends_where_a_server_did_not_arrive(ask, tmp_path):
    answer = ask(in_turn(), "--script")
    nowhere = CLIENT.replace('cat "$HOSTS/$7"', "echo cmp9")
    done, asked = _run(answer.out, tmp_path, nowhere)
    assert done.returncode != 0
    assert done.stderr == "server small is on host cmp9, not on cmp3\n"
    assert len(asked) == 1


def test_no_text_of_a_tenant_reaches_the_shell(ask, tmp_path):
    evil = "x'; touch /tmp/pwned; $(reboot)\n`halt`"
    snapshot = Snapshot(
        (
            named(clouds.node("cmp1", FOUR, clouds.guest(1)), "x", name=evil),
            dataclasses.replace(clouds.node("cmp2", FOUR), name="c;d $e"),
        ),
        (Flavor("pinned.1", 1, 1024, 1, clouds.DEDICATED),),
    )
    script = ask(snapshot, "--script").out
    assert "touch" not in script
    assert "reboot" not in script
    assert "halt" not in script
    assert script.endswith("# stage 1\nlive x 'c;d $e'\n")
    done, asked = _run(script, tmp_path)
    assert done.returncode == 0
    assert asked[0].endswith("|--host|c;d $e|x|")


def test_the_documentation_shows_what_it_says(pinning_filter, monkeypatch):
    source = pathlib.Path(__file__).parents[3] / "doc" / "source"
    text = (source / "maintenance.rst").read_text("utf-8")
    shown = re.findall(
        r"^   \$ pinning-filter (drain .*)\n((?:   (?!\$).+\n)+)", text, re.M
    )
    assert len(shown) == 1
    monkeypatch.chdir(source / "examples")
    for command, said in shown:
        answer = pinning_filter(*shlex.split(command))
        lines = [line.strip() for line in said.splitlines()]
        assert answer.out.splitlines() == lines
