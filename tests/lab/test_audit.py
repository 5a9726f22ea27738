"""What is broken on purpose is found, and nothing else is.

The compute node is asked by itself, and Nova's tables together with what was
seen there.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from lab import layout, node_layout, process
from tests.lab import audits, client, commands, seen
from tests.lab.walks import Walk

pytestmark = pytest.mark.host(threads_per_core=1)

OBSERVED = layout.RUN / "observed.json"
SHRUNK = layout.RUN / "shrunk.conf"
NOBODY = "11111111-2222-4333-8444-555555555555"
BY_HAND = """
<domain type='qemu'><name>by-hand</name><memory unit='MiB'>32</memory>
<vcpu cpuset='1'>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>
"""

Found = tuple[int, set[str]]


def of(answer: commands.Answer) -> Found:
    """The exit status, and the codes of what was found."""
    return answer.code, {row["code"] for row in answer.rows}


def here(*arguments: str) -> Found:
    """What the compute node finds by itself."""
    return of(commands.run(
        "audit", *commands.NODE, *arguments, "--wait", "1", "-f", "json"))


def joined(*arguments: str) -> Found:
    """What is found on the controller, with what was seen there now.

    Servers changed in the last moments do not count, so a walk waits for
    nothing but the machine's clock.
    """
    observe = commands.run(
        "audit", *commands.NODE, *arguments, "--observe", "-o", str(OBSERVED))
    assert observe.code == 0, observe.errors
    return of(commands.live(
        "audit", "--observed", str(OBSERVED), "--wait", "2"))


CLEAN: Found = (0, set())


def check(walk: Walk, what: str, alone: set[str], both: set[str]) -> None:
    """What each of the two finds; nothing else."""
    for where, ask, codes in (("here", here, alone), ("joined", joined, both)):
        walk.check(f"{what}, {where}", ask(), (3 if codes else 0, codes))


def mend() -> None:
    """Run what the compute node's findings say would mend them."""
    answer = commands.run(
        "audit", *commands.NODE, "--wait", "1", "-f", "json")
    for remedy in {row["remedy"] for row in answer.rows}:
        if remedy.startswith("virsh "):
            where = f"virsh -c '{layout.LIBVIRT_URI}' "
            subprocess.run(
                remedy.replace("virsh ", where), shell=True, check=True)


def pinned() -> client.Server:
    """A server on both pCPUs."""
    return client.create(client.flavor(2, cpu_policy="dedicated"))


def test_a_pin_changed_live(walk: Walk) -> None:
    server = pinned()
    check(walk, "a healthy server", set(), set())
    seen.virsh("vcpupin", server.domain, "1", "0", "--live")
    check(walk, "vCPU 1 on pCPU 0", {"pin-changed", "pcpu-run-twice"},
          {"domain-differs", "pcpu-run-twice"})
    mend()
    walk.check("as the remedy has it", here(), CLEAN)


def test_a_thread_moved_by_taskset(walk: Walk) -> None:
    """The main thread: a vCPU's cgroup, of one pCPU, lets it go nowhere."""
    server = pinned()
    pid = str(seen.qemu_pid(server.domain))
    subprocess.run(["taskset", "-pc", "0", pid], check=True)
    check(walk, "the emulator's", {"thread-elsewhere"}, {"thread-elsewhere"})
    mend()
    walk.check("as the remedy has it", here(), CLEAN)


@contextlib.contextmanager
def edited(server: str) -> Iterator[None]:
    """The server's row with its two vCPUs swapped."""
    (text,), = seen.nova_rows(
        "SELECT numa_topology FROM instance_extra "
        f"WHERE instance_uuid = '{server}'")
    document = json.loads(text)
    for cell in document["nova_object.data"]["cells"]:
        pins = cell["nova_object.data"]["cpu_pinning_raw"]
        cell["nova_object.data"]["cpu_pinning_raw"] = dict(
            zip(pins, reversed(pins.values()), strict=True))
    write(server, json.dumps(document))
    yield
    write(server, text)


def write(server: str, text: str) -> None:
    connection = pymysql.connect(
        unix_socket=str(layout.MYSQL_SOCKET), user="root",
        database=seen.CELL_DB)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instance_extra SET numa_topology = %s "
            "WHERE instance_uuid = %s", (text, server))
        connection.commit()


def test_a_row_edited(walk: Walk) -> None:
    server = pinned()
    with edited(server.id):
        walk.check("two vCPUs swapped", joined(), (3, {"domain-differs"}))


def placement(method: str, consumer: str, body: object = None) -> object:
    answer = client.sdk().placement.request(
        f"/allocations/{consumer}", method, json=body,
        headers={"OpenStack-API-Version": "placement 1.28"})
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.text else None


def test_an_allocation_removed_and_one_added(walk: Walk) -> None:
    server = client.create(client.flavor(1, cpu_policy="dedicated"))
    held = placement("GET", server.id)
    placement("DELETE", server.id)
    walk.check("removed", joined(), (3, {"allocation-missing"}))
    put = {
        "allocations": {
            provider: {"resources": each["resources"]}
            for provider, each in held["allocations"].items()},
        "project_id": held["project_id"], "user_id": held["user_id"],
        "consumer_generation": None,
    }
    placement("PUT", server.id, put)
    for each in put["allocations"].values():
        each["resources"] = {"PCPU": 1}
    placement("PUT", NOBODY, put)
    try:
        walk.check("put back, and one added", joined(),
                   (3, {"allocation-of-nobody"}))
    finally:
        placement("DELETE", NOBODY)
    walk.check("that one removed", joined(), CLEAN)


def test_a_local_delete(walk: Walk) -> None:
    server = pinned()
    client.force_down(layout.HOST, True)
    client.delete_all()
    client.force_down(layout.HOST, False)
    walk.check("its guest runs on", list(seen.defined()), [server.id])
    walk.check("found", "domain-unknown" in joined()[1], True)
    for end in ("destroy", "undefine"):
        seen.virsh(end, server.domain)
    audits.audit()


def test_a_domain_started_by_hand(walk: Walk) -> None:
    file = layout.RUN / "by-hand.xml"
    file.write_text(BY_HAND)
    seen.virsh("create", str(file))
    try:
        code, found = here()
        walk.check("on the node", (code, "domain-unknown" in found),
                   (3, True))
    finally:
        seen.virsh("destroy", "by-hand")
    walk.check("when it is gone", here(), CLEAN)


def test_a_set_that_shrank_under_a_guest(walk: Walk) -> None:
    pinned()
    SHRUNK.write_text("[compute]\ncpu_dedicated_set = 0\n")
    shrunk = ("--config-file", str(SHRUNK))
    walk.check("on the node", here(*shrunk), (3, {"pcpu-not-dedicated"}))
    walk.check("joined", joined(*shrunk),
               (3, {"pcpu-not-dedicated", "settings-differ"}))


@pytest.mark.host(threads_per_core=1, dedicated="0", shared="1")
def test_a_floating_guest_moved(walk: Walk) -> None:
    server = client.create(client.flavor(1))
    client.create(client.flavor(1, cpu_policy="dedicated"))
    check(walk, "a floating guest beside a pinned one", set(), set())
    seen.virsh("vcpupin", server.domain, "0", "0-1", "--live")
    both = {"floating-on-dedicated", "pin-changed"}
    check(walk, "it may run on pCPU 0", both, both)
    mend()
    walk.check("as the remedy has it", here(), CLEAN)


def test_nova_compute_finds_it_itself(walk: Walk, tmp_path: Path) -> None:
    """And everybody reads of it in its record."""
    with audits.often(tmp_path):
        server = pinned()
        seen.virsh("vcpupin", server.domain, "1", "0", "--live")
        both = "2 pcpu-run-twice=0 pin-changed=0"
        walk.check("its record", in_the_end(both), both)
        code, found = of(commands.live("audit", "--wait", "1"))
        walk.check("audit, which asks no host",
                   (code, {"pin-changed", "pcpu-run-twice"} <= found),
                   (3, True))
        walk.check_says("map", commands.live("map").errors,
                        "nova-compute there found 2 disagreements")
        mend()
        walk.check("its record in the end", in_the_end("0"), "0")


def in_the_end(expected: str) -> str:
    """What the compute node's record says that it found, soon."""

    def said() -> str:
        (text,), = seen.nova_rows(
            "SELECT stats FROM compute_nodes WHERE deleted = 0 "
            f"AND host = '{layout.HOST}'")
        return json.loads(text).get("pinning_filter_findings", "")

    process.wait_for(lambda: said() == expected, client.PATIENCE)
    return said()


@pytest.mark.node
def test_a_pcpu_switched_off(walk: Walk) -> None:
    """On the second compute node, whose kernel is its own."""

    def codes() -> set[str]:
        return {row["code"] for row in audits.of_node(node_layout.NAME)}

    walk.check("a healthy node", codes(), set())
    switch = "/sys/devices/system/cpu/cpu7/online"
    seen.on(node_layout.NAME, f"echo 0 > {switch}")
    try:
        walk.check("pCPU 7 is off", codes(), {"pcpu-offline"})
    finally:
        seen.on(node_layout.NAME, f"echo 1 > {switch}")
    walk.check("it is on again", codes(), set())
