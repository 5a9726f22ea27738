"""The table of OpenStack's whitebox tests: stock Nova beside ours."""

import json
from pathlib import Path

import pytest

from lab import layout
from lab.host import Host
from lab.whitebox import guests, profiles, suite
from lab.whitebox.profiles import Profile
from lab.whitebox.suite import Result

PROFILE = Profile("small", Host(dedicated="0", shared="1"), {},
                  ("A.test_a", "A.test_b"))
PASSED, FAILED = Result("success", 4.4, ""), Result("fail", 2, "it  was\nlate")
SKIPPED = Result("skip", 0, "no SMT")


@pytest.mark.parametrize(("name", "short"), [
    ("{}.test_cpu_pinning.A.test_a[id-1,smoke]", "A.test_a"),
    ("setUpClass ({}.test_hugepages.A)", "setUpClass (A)"),
])
def test_a_test_has_its_short_name(name: str, short: str) -> None:
    line = json.dumps({
        "test": name.format(profiles.PACKAGE),
        "outcome": "skip", "seconds": 0, "reason": "no SMT"})
    assert dict(suite.parsed(f"{line}\n")) == {short: SKIPPED}


def test_each_test_that_was_asked_for_has_a_row() -> None:
    found = {"stock": {"A.test_a": PASSED}, "pinning": {
        "A.test_a": FAILED, "setUpClass (A)": SKIPPED}}
    assert list(suite.rows(PROFILE, found)) == [
        ("small", "A.test_a", "passed", "failed", "4", "2", "it was late"),
        ("small", "A.test_b", "missing", "missing", "0", "0",
         "it did not run"),
        ("small", "setUpClass (A)", "missing", "skipped", "0", "0",
         "it did not run; no SMT"),
    ]


def test_lost_is_what_passes_on_stock_alone() -> None:
    found = {"stock": {"A.test_a": PASSED, "A.test_b": FAILED,
                       "A.test_c": PASSED, "A.test_d": PASSED},
             "pinning": {"A.test_a": PASSED, "A.test_b": FAILED,
                         "A.test_c": SKIPPED}}
    assert suite.lost(found) == ["A.test_c", "A.test_d"]


def test_a_profile_that_cannot_run_has_failed_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def show(profile: Profile, side: str) -> None:
        raise layout.LabError("nova-compute did not come back\nits log")

    monkeypatch.setattr(suite, "show", show)
    failed = Result("fail", 0, "nova-compute did not come back")
    assert suite.on_side(PROFILE, "stock") == {
        "A.test_a": failed, "A.test_b": failed}


def test_the_table_is_as_wide_as_its_cells() -> None:
    assert suite.table([("Test", "Ours"), ("A.test_a", "passed")]) == (
        "========  ======\n"
        "Test      Ours\n"
        "========  ======\n"
        "A.test_a  passed\n"
        "========  ======\n")


def test_the_suite_knows_how_to_stop_and_start_nova_compute() -> None:
    node = json.loads(suite.nodes_yaml(PROFILE))["lab-host"]
    assert (node["cpu_dedicated_set"], node["cpu_shared_set"]) == ("0", "1")
    compute = node["services"]["nova-compute"]
    assert compute["stop_command"].endswith(" -m lab stop nova-compute")
    assert compute["start_command"].endswith(" -m lab start nova-compute")


def test_no_test_is_in_two_profiles() -> None:
    names = [test for each in profiles.PROFILES for test in each.tests]
    assert len(names) == len(set(names))


def test_of_a_guest_its_placement_alone_is_kept(tmp_path: Path) -> None:
    (tmp_path / "instance-1-on-lab-node.xml").write_text(
        "<domain><name>instance-1</name><metadata>"
        "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'>"
        "<n:name>A-server</n:name></n:instance></metadata>"
        "<vcpu>1</vcpu><cputune><vcpupin vcpu='0' cpuset='3'/></cputune>"
        "<devices><disk file='/clone/disk'/></devices></domain>")
    assert guests.placements(tmp_path) == (
        "<guests>\n"
        '  <guest file="instance-1-on-lab-node" server="A-server">\n'
        "    <vcpu>1</vcpu>\n"
        "    <cputune>\n"
        '      <vcpupin vcpu="0" cpuset="3" />\n'
        "    </cputune>\n"
        "  </guest>\n"
        "</guests>\n")


def test_a_node_s_commands_go_there_and_its_settings_are_read_here() -> None:
    (node,) = (each for each in profiles.PROFILES if each.name == "node")
    assert json.loads(suite.shells(node))["lab-node"][0] == "ssh"
    told = json.loads(suite.nodes_yaml(node))
    assert list(told) == ["lab-node"]
    assert told["lab-node"]["services"]["nova-compute"]["config_path"] == str(
        suite.FOLDER / "lab-node" / "nova-compute.conf")


def test_all_of_the_suite_s_tests_of_pinning_pages_and_power_are_asked_for(
) -> None:
    assert len({test for each in profiles.PROFILES
                for test in each.tests}) == 21 + 3 + 1
