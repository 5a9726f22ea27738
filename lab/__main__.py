"""The lab's commands: ``python3 -m lab up`` and so on. See ``make lab``."""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import (
    config,
    host,
    install,
    layout,
    node,
    node_layout,
    process,
    prometheus,
    services,
    steps,
)
from lab.whitebox import suite

USAGE = f"""
The lab runs. To use it:

    source lab/openrc
    openstack server create --image blank --flavor pinned --nic none \\
        --wait my-server
    virsh list; virsh dumpxml instance-00000001
    pinning-filter map                     what is pinned where
    pinning-filter audit                   whether the books agree
    pinning-filter explain --flavor pinned-require --image blank
                                           which host refuses it, and why
Its state is below {layout.RUN}, its logs in {layout.LOGS}.
make lab-test walks through it, make lab-stop ends it, make lab-clean
removes it.
"""


def up() -> None:
    """Install and start all of it; a no-op where it runs already."""
    begin = time.monotonic()
    steps.say("The lab: a real OpenStack below " + str(layout.RUN))
    changed = install.install()
    config.render()
    changed |= steps.once(
        "filter and driver", f"{config.scheduler()} {config.compute()}",
        lambda: None)
    if changed:
        for daemon in (services.nova_compute(),
                       services.nova_service("nova-scheduler")):
            daemon.stop()
    services.prepare_data()
    check_ports()
    started = [daemon.start() for daemon in services.data_services()]
    services.prepare_cloud()
    started.append(services.keystone().start())
    cloud("identities")
    started += [daemon.start() for daemon in services.cloud_services()]
    cloud("resources")
    steps.once("map hosts", layout.HOST, services.map_hosts)
    if any(started):
        discover(layout.HOST)
    steps.say(f"Done in {time.monotonic() - begin:.0f} s.{USAGE}")


#: Memory that a lab takes, in MiB.
MEMORY_MIB = 2560


def check() -> None:
    """Say what stands in the way of a lab on this machine, if anything."""
    check_ports()
    fields = dict(
        line.split(":") for line in
        Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) // 1024
    if free < MEMORY_MIB:
        raise layout.LabError(
            f"the lab needs {MEMORY_MIB} MiB of memory, {free} MiB are free")
    steps.say("Nothing stands in the way of a lab.")


def check_ports() -> None:
    """No port of the lab may belong to somebody else."""
    if any(daemon.pid() for daemon in services.all_daemons()):
        return
    taken = [
        f"{port} ({name})" for name, port in layout.PORTS.items()
        if services.accepts(port)()
    ]
    if taken:
        raise layout.LabError(
            f"somebody else listens at the lab's ports: {', '.join(taken)}")


def cloud(action: str) -> None:
    """Run one action of :mod:`lab.cloud` unless it was done."""
    key = steps.digest(layout.HERE / "cloud.py")
    steps.once(f"cloud {action}", key, lambda: in_cloud(action))


def in_cloud(action: str, *arguments: str) -> None:
    """Run one action of :mod:`lab.cloud` in the lab's environment."""
    steps.run(
        f"cloud {action}",
        [layout.BIN / "python", "-m", "lab.cloud", action, *arguments],
        env={"PYTHONPATH": str(layout.ROOT)},
    )


def discover(name: str) -> None:
    """Wait until Nova schedules to the compute host."""
    steps.timed(f"discover {name}", lambda: in_cloud("discovered", name))


def start_node() -> None:
    """Start the second compute node: two cells, SMT; the lab runs already."""
    start_one_node(node_layout.FIRST)


def start_nodes() -> None:
    """Start a third as well, which its servers can move to."""
    for each in node_layout.NODES:
        start_one_node(each)


def start_one_node(which: node_layout.Node) -> None:
    """Start one of the emulated compute nodes."""
    begin = time.monotonic()
    node.up(which)
    discover(which.name)
    steps.say(f"Done in {time.monotonic() - begin:.0f} s. A shell there: "
              f"python3 -m lab ssh --node {which.name}")


def start_prometheus() -> None:
    """Start Prometheus and our exporter; the lab runs already."""
    prometheus.up()
    steps.say(f"Prometheus: {prometheus.URL}, the exporter at port "
              f"{layout.PORTS['exporter']}.")


def stop() -> None:
    """End every process that the lab started, and no other."""
    for daemon in reversed(known_daemons()):
        daemon.stop()
    strays = process.end_strays()
    if strays:
        steps.say(f"  and {strays} that they left behind")
    services.remove_mount_points()
    steps.say("The lab is stopped.")


def test(*arguments: str) -> None:
    """Walk through the lab: pytest tests/lab, in the lab's environment."""
    command = (
        f". {layout.ETC / 'openrc'} && exec {layout.BIN / 'python'} "
        f'-m pytest -o cache_dir={layout.RUN / "walks"} "$@"'
    )
    done = subprocess.run(
        ["bash", "-c", command, "pytest", *(arguments or ["tests/lab"])],
        cwd=layout.ROOT, check=False,
        env={**os.environ, "PINNING_LAB_TEST": "1"},
    )
    if done.returncode:
        raise layout.LabError("lab-test failed, see above")


def known_daemons() -> list[process.Daemon]:
    """The services, those that only some tests start included."""
    return [*services.all_daemons(), services.second_scheduler(),
            *(part(each) for each in node_layout.NODES
              for part in (node.daemon, node.channel)),
            *prometheus.daemons()]


def clean() -> None:
    """Stop it and remove all that it wrote."""
    stop()
    shutil.rmtree(layout.RUN, ignore_errors=True)
    steps.say("The lab is removed; the Debian packages stay.")


def status() -> None:
    """Say of each service whether it runs."""
    for daemon in known_daemons():
        pid = daemon.pid()
        steps.say(f"  {daemon.name:<20} {pid or '-':>8}  {daemon.log}")


def show_host(view: host.Host) -> None:
    """Show the compute host another way; it must have no servers."""
    if services.domains():
        raise layout.LabError("delete the servers first: the host's pCPUs "
                              "cannot change under them")
    compute, libvirtd = services.nova_compute(), services.libvirtd()
    compute.stop()
    libvirtd.stop()
    view.save()
    config.render()
    libvirtd.start()
    services.nova_compute().start()
    discover(layout.HOST)


def named(name: str) -> process.Daemon:
    """The service of that name."""
    by_name = {daemon.name: daemon for daemon in known_daemons()}
    if name not in by_name:
        raise layout.LabError(
            f"no service {name!r}: there are {', '.join(by_name)}")
    return by_name[name]


def start_one(name: str) -> None:
    """Start one service on the files that are there."""
    named(name).start()


def stop_one(name: str) -> None:
    """Stop one service."""
    named(name).stop()


def restart(name: str) -> None:
    """Stop one service, write its files anew, start it."""
    stop_one(name)
    config.render()
    start_one(name)


@contextmanager
def alone() -> Iterator[None]:
    """One command of the lab at a time."""
    layout.RUN.mkdir(parents=True, exist_ok=True)
    with (layout.RUN / "lock.up").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


#: The commands without arguments.
SIMPLE = {"check": check, "up": up, "node": start_node,
          "nodes": start_nodes, "prometheus": start_prometheus,
          "clean": clean, "status": status}
#: The commands for one service.
ONE = {"start": start_one, "restart": restart}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, action in SIMPLE.items():
        commands.add_parser(name, help=action.__doc__)
    view = commands.add_parser("host", help=show_host.__doc__)
    default = host.Host()
    view.add_argument("--threads-per-core", type=int, default=0,
                      help="1: no SMT; 2: siblings; 0: as the machine is")
    view.add_argument("--dedicated", default=default.dedicated)
    view.add_argument("--shared", default=default.shared)
    view.add_argument("--huge-pages", type=int, default=0, metavar="N",
                      help="pages of 2 MiB to ask the kernel for")
    view.add_argument("--virt-type", choices=("qemu", "lxc"),
                      default=default.virt_type)
    walk = commands.add_parser("test", help=test.__doc__)
    walk.add_argument("arguments", nargs="*", help="for pytest, after --")
    peers = commands.add_parser("whitebox", help=suite.main.__doc__)
    peers.add_argument("profiles", nargs="*")
    shell = commands.add_parser("ssh", help=node.shell.__doc__)
    shell.add_argument("--node", default=node_layout.NAME,
                       choices=[each.name for each in node_layout.NODES])
    shell.add_argument("words", nargs="*", metavar="command")
    for name, one in ONE.items():
        service = commands.add_parser(name, help=one.__doc__)
        service.add_argument("name")
    stopping = commands.add_parser(
        "stop", help=f"{stop.__doc__} With a name: that service alone.")
    stopping.add_argument("name", nargs="?")
    return top


def main() -> int:
    """Run one command; errors that have a reason are told, not traced."""
    given = parser().parse_args()
    try:
        layout.check_machine()
        if given.command == "test":
            test(*given.arguments)
            return 0
        if given.command == "whitebox":
            suite.main(*given.profiles)
            return 0
        if given.command == "ssh":
            return node.shell(node_layout.named(given.node), *given.words)
        with alone():
            if given.command == "host":
                show_host(host.Host(given.threads_per_core, given.dedicated,
                                    given.shared, given.huge_pages,
                                    given.virt_type))
            elif given.command in ONE:
                ONE[given.command](given.name)
            elif given.command == "stop":
                stop_one(given.name) if given.name else stop()
            else:
                SIMPLE[given.command]()
    except layout.LabError as error:
        print(f"\nlab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
