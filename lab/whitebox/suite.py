"""Installs whitebox-tempest-plugin, runs it on the lab, makes the table.

Each profile runs on stock Nova (filter and driver) first, then on ours: what
fails on stock is the lab's. Holds no lock of the lab, since the suite itself
stops and starts nova-compute through ``python3 -m lab``.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import config, install, layout, node, node_layout, steps
from lab.whitebox import guests
from lab.whitebox.profiles import PACKAGE, PROFILES, Profile

HERE = layout.HERE / "whitebox"
FOLDER = layout.RUN / "whitebox"
BIN = FOLDER / "venv" / "bin"
TABLE = FOLDER / "results.rst"
CONSTRAINTS = HERE / "constraints.txt"
PLUGIN = HERE / "plugin"
REQUIREMENTS = ("tempest", "whitebox-tempest-plugin",
                "barbican-tempest-plugin", "crudini",
                # it imports it without asking for it
                "six")
SIDES = ("stock", "pinning")
#: Seconds that tempest waits for a server or a service.
PATIENCE = 600


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test."""

    #: success, fail or skip
    outcome: str
    #: how long it took
    seconds: float
    #: why it failed or was skipped
    reason: str


def prepare() -> None:
    """The suite's environment, with our plugin."""
    ours = (path for path in PLUGIN.rglob("*")
            if path.suffix in {".py", ".toml"})
    key = steps.digest(CONSTRAINTS, *REQUIREMENTS, *sorted(ours))

    def action() -> None:
        shutil.rmtree(FOLDER / "venv", ignore_errors=True)
        steps.run("whitebox", [install.PYTHON, "-m", "venv", FOLDER / "venv"])
        steps.run("whitebox", [
            BIN / "pip", "install", "-q", "-c", CONSTRAINTS, *REQUIREMENTS])
        # pip builds where the sources are.
        copy = FOLDER / "plugin"
        shutil.copytree(PLUGIN, copy, dirs_exist_ok=True)
        steps.run("whitebox", [BIN / "pip", "install", "-q", copy])

    steps.once("whitebox", key, action)


def lab(name: str, *arguments: str, **env: str) -> None:
    """One of the lab's own commands, its output in a log."""
    steps.run(name, [install.PYTHON, "-m", "lab", *arguments],
              env={"PYTHONPATH": str(layout.ROOT), **env})


def show(profile: Profile, side: str) -> None:
    """Start this side's filter and driver, on the profile's hosts."""
    lab("whitebox lab", "up", LAB_SCHEDULER=side, LAB_COMPUTE=side)
    view = profile.host
    node.show(profile.nodes, FOLDER, view.dedicated, view.shared,
              profile.power)
    if layout.HOST in profile.computes:
        lab("whitebox lab", "host",
            "--threads-per-core", str(view.threads_per_core),
            "--dedicated", view.dedicated, "--shared", view.shared)
    choose(*profile.computes)


def choose(*computes: str) -> None:
    """Let the scheduler choose these compute hosts and no other."""
    steps.run("whitebox lab",
              [layout.BIN / "python", "-m", "lab.cloud", "choose", *computes],
              env={"PYTHONPATH": str(layout.ROOT)})


def files(compute: str) -> Path:
    """Where the configuration of a compute host is read."""
    return layout.ETC if compute == layout.HOST else FOLDER / compute


def identifier(kind: str, name: str) -> str:
    """The id of an image or a flavor, which the lab's cloud knows."""
    command = (f". {layout.ETC / 'openrc'} && exec openstack {kind} show "
               f"-f value -c id {name}")
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True,
        env=steps.environment(),
    ).stdout.strip()


def tempest_conf(profile: Profile, folder: Path) -> str:
    """tempest.conf for one profile."""
    image = identifier("image", "blank")
    sections: dict[str, dict[str, str]] = {
        "DEFAULT": {"debug": "true", "log_file": str(folder / "tempest.log")},
        "oslo_concurrency": {"lock_path": str(folder)},
        "auth": {
            "admin_username": "admin", "admin_password": layout.PASSWORD,
            "admin_project_name": "admin", "admin_domain_name": "Default",
            "create_isolated_networks": "false",
        },
        "identity": {
            "uri_v3": f"http://127.0.0.1:{layout.PORTS['keystone']}/v3",
            "auth_version": "v3", "region": layout.REGION,
            "v3_endpoint_type": "public",
        },
        "compute": {
            "image_ref": image, "image_ref_alt": image,
            "flavor_ref": identifier("flavor", "plain"),
            "flavor_ref_alt": identifier("flavor", "pinned"),
            "max_microversion": "latest", "build_timeout": str(PATIENCE),
            "build_interval": "2",
            "min_compute_nodes": str(len(profile.computes)),
        },
        "compute-feature-enabled": {
            "resize": "true",
            "cpu_power_management": str(profile.power).lower(),
            # Ours takes its place, and the rebuild test asks for the name.
            "scheduler_enabled_filters":
                "NUMATopologyFilter,SameHostFilter,DifferentHostFilter",
        },
        "service_available": {
            "neutron": "false", "cinder": "false", "swift": "false"},
        "validation": {"run_validation": "false"},
        "whitebox": {
            "nodes_yaml": str(folder / "nodes.yaml"),
            "max_compute_nodes": str(len(profile.computes)),
        },
        "whitebox-database": {"nova_cell1_db_name": "nova"},
        "whitebox-hardware": profile.hardware,
    }
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n"
                                for key, value in options.items())
        for name, options in sections.items())


def nodes_yaml(profile: Profile) -> str:
    """The compute hosts, as the suite knows them; JSON is YAML."""
    command = f"{install.PYTHON} -m lab"
    return json.dumps({name: {
        "services": {"libvirt": {}, "nova-compute": {
            "config_path": str(files(name) / "nova-compute.conf"),
            "start_command": f"{command} start nova-compute",
            "stop_command": f"{command} stop nova-compute",
        }},
        "cpu_dedicated_set": profile.host.dedicated,
        "cpu_shared_set": profile.host.shared,
    } for name in profile.computes}, indent=1)


def shells(profile: Profile) -> str:
    """How a command is run on each of the compute hosts."""
    found = {layout.HOST: ["sh", "-c"],
             **{each.name: node.ssh(node=each) for each in profile.nodes}}
    return json.dumps({name: found[name] for name in profile.computes})


def run(profile: Profile, side: str) -> dict[str, Result]:
    """The profile's tests on one side."""
    folder = FOLDER / f"{profile.name}-{side}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "xml").mkdir(parents=True)
    (folder / "tempest.conf").write_text(tempest_conf(profile, folder))
    (folder / "nodes.yaml").write_text(nodes_yaml(profile))
    tests = "|".join(map(re.escape, profile.tests))
    regex = rf"{re.escape(PACKAGE)}\.\w+\.({tests})(\[|$)"
    environment = steps.environment(
        PYTHONPATH=str(layout.ROOT), LAB_XML=str(folder / "xml"),
        LAB_SHELLS=shells(profile),
        LAB_MYSQL_SOCKET=str(layout.MYSQL_SOCKET),
        LIBVIRT_DEFAULT_URI=config.LIBVIRT_URIS[profile.host.virt_type],
    )
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    with (folder / "run.log").open("w") as log:
        subprocess.run(
            [BIN / "tempest", "run", "--config-file",
             folder / "tempest.conf", "--concurrency", "1",
             "--regex", regex],
            cwd=folder, env=environment, stdout=log, stderr=log, check=False)
        stream = subprocess.run(
            [BIN / "stestr", "last", "--subunit"], cwd=folder,
            env=environment, stdout=subprocess.PIPE, stderr=log, check=False)
        rows = subprocess.run(
            [BIN / "python", PLUGIN / "results.py"], input=stream.stdout,
            stdout=subprocess.PIPE, stderr=log, check=True).stdout
    (folder / "guests.xml").write_text(guests.placements(folder / "xml"))
    results = dict(parsed(rows.decode()))
    if not results:
        raise steps.StepFailed(
            f"{profile.name} {side}", "no test ran", folder / "run.log")
    return results


def parsed(lines: str) -> Iterator[tuple[str, Result]]:
    """Each test's short name and what became of it."""
    for line in lines.splitlines():
        row = json.loads(line)
        name = row["test"].partition("[")[0]
        short = re.sub(rf"{re.escape(PACKAGE)}\.\w+\.", "", name)
        yield short, Result(row["outcome"], row["seconds"], row["reason"])


HEADER = ("Host", "Test", "Stock", "Ours", "s, stock", "s, ours", "Reason")
#: The outcomes' words in the table.
WORDS = {"success": "passed", "fail": "failed", "skip": "skipped"}
MISSING = Result("missing", 0, "it did not run")


def rows(
    profile: Profile, by_side: dict[str, dict[str, Result]]
) -> Iterator[tuple[str, ...]]:
    """The table's rows of one profile."""
    names = dict.fromkeys(profile.tests)
    for results in by_side.values():
        names.update(dict.fromkeys(results))
    for name in names:
        both = [by_side.get(side, {}).get(name, MISSING) for side in SIDES]
        yield (
            profile.name, name,
            *(WORDS.get(each.outcome, each.outcome) for each in both),
            *(f"{each.seconds:.0f}" for each in both),
            "; ".join(dict.fromkeys(
                " ".join(each.reason.split())[:200]
                for each in both if each.reason)),
        )


def table(lines: list[tuple[str, ...]]) -> str:
    """The rows as a reStructuredText table."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    text = ["  ".join(cell.ljust(width) for cell, width in
                      zip(line, widths, strict=True)).rstrip()
            for line in lines]
    return "\n".join([rule, text[0], rule, *text[1:], rule, ""])


def write(
    profiles: list[Profile], found: dict[str, dict[str, dict[str, Result]]]
) -> None:
    """Write the table of what is known so far."""
    lines = [HEADER]
    for profile in profiles:
        lines += rows(profile, found[profile.name])
    TABLE.write_text(table(lines))


def on_side(profile: Profile, side: str) -> dict[str, Result]:
    """The profile's results on stock Nova, or on ours.

    Where they cannot run all of its tests have failed, and others can.
    """
    found: dict[str, Result] = {}
    name = f"{profile.name}, {side}"
    try:
        steps.timed(f"hosts of {name}", lambda: show(profile, side))
        steps.timed(name, lambda: found.update(run(profile, side)))
    except (layout.LabError, subprocess.SubprocessError) as error:
        steps.say(f"\n{error}")
        reason = str(error).partition("\n")[0]
        return dict.fromkeys(profile.tests, Result("fail", 0, reason))
    return found


def lost(by_side: dict[str, dict[str, Result]]) -> list[str]:
    """The tests that pass on stock Nova alone."""
    return [
        name for name, result in by_side["stock"].items()
        if result.outcome == "success"
        and by_side["pinning"].get(name, MISSING).outcome != "success"
    ]


def put_back(profiles: list[Profile]) -> None:
    """Show every compute host as it was, and let all of them be chosen."""
    running = {each for each in node_layout.NODES if node.daemon(each).pid()}
    changed = {each for profile in profiles for each in profile.nodes}
    node.show(running & changed, FOLDER, node_layout.DEDICATED,
              node_layout.SHARED)
    lab("whitebox lab", "host")
    choose(layout.HOST, *(each.name for each in running))


def main(*only: str) -> None:
    """Run OpenStack's whitebox tests on stock Nova, then on ours.

    :param only: the names of profiles; none: all of them.
    :raises layout.LabError: if a test passes on stock Nova alone.
    """
    wrong = set(only) - {profile.name for profile in PROFILES}
    if wrong:
        raise layout.LabError(
            f"no profile {', '.join(sorted(wrong))}: there are "
            + ", ".join(profile.name for profile in PROFILES))
    chosen = [profile for profile in PROFILES
              if not only or profile.name in only]
    for each in {each for profile in chosen for each in profile.nodes}:
        if node.daemon(each).pid() is None:
            raise layout.LabError(f"{each.name} does not run: make lab-nodes")
    begin = time.monotonic()
    prepare()
    found: dict[str, dict[str, dict[str, Result]]] = {
        profile.name: {} for profile in chosen}
    try:
        # One after the other, so that a run that is ended compares some.
        for profile in chosen:
            for side in SIDES:
                found[profile.name][side] = on_side(profile, side)
                write(chosen, found)
    finally:
        put_back(chosen)
    steps.say(f"\n{TABLE.read_text()}\nIn {time.monotonic() - begin:.0f} s; "
              f"the table is in {TABLE}, logs and XML beside it")
    missed = [test for by_side in found.values() for test in lost(by_side)]
    if missed:
        raise layout.LabError(
            f"pass on stock Nova and not on ours: {', '.join(missed)}")
