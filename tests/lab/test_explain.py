"""``pinning-filter`` beside a cloud that runs: MySQL, Placement, Glance."""

import pytest

from lab import layout
from tests.lab import client, commands, seen
from tests.lab.walks import Walk

NO_SMT = {"threads_per_core": 1}
WHO = ("host", "verdict")
#: The second compute node, where it was started, is closed in these walks.
HERE = ("--host", layout.HOST)


@pytest.mark.host(**NO_SMT)
def test_explain_require_without_SMT(walk: Walk) -> None:
    server = client.create("pinned-require")
    walk.check("status", server.status, "ERROR")
    answer = commands.live("explain", server.id, *HERE)
    walk.check("exit status", answer.code, 3)
    walk.check("who refuses", answer.said(*WHO), [
        (layout.HOST, "placement"), (layout.HOST, "filter")])
    texts = [row["text"] for row in answer.rows]
    walk.check_says("Placement", texts[0], "no trait HW_CPU_HYPERTHREADING")
    walk.check_says("the filter", texts[1], "require needs SMT")
    walk.check("what would help", answer.rows[0]["remedies"],
               ["fits with thread policy prefer"])
    helped = client.flavor(2, cpu_policy="dedicated",
                           cpu_thread_policy="prefer")
    walk.check("with that", client.create(helped).status, "ACTIVE")


@pytest.mark.host(**NO_SMT)
def test_explain_an_image_of_Glance(walk: Walk) -> None:
    answer = commands.live(
        "explain", "--flavor", "plain", "--image", "blank-dedicated", *HERE)
    walk.check("exit status", answer.code, 0)
    pinning = {int(vcpu): pcpu
               for vcpu, pcpu in answer.rows[0]["pinning"].items()}
    server = client.create("plain", "blank-dedicated")
    walk.check("the pinning that was foretold",
               seen.defined(), {server.id: pinning})
    missing = commands.live(
        "explain", "--flavor", "plain", "--image", "no-such", *HERE)
    walk.check("exit status without such an image", missing.code, 2)
    walk.check_says("what it says", missing.errors, "'no-such'")


@pytest.mark.host(**NO_SMT)
def test_capacity_is_how_many_fit(walk: Walk) -> None:
    one = client.flavor(1, cpu_policy="dedicated")
    for taken in range(3):
        answer = commands.live("capacity", "--flavor", one, *HERE)
        walk.check(f"room beside {taken}", answer.said("host", "fits_now"),
                   [(layout.HOST, 2 - taken), (None, 2 - taken)])
        created = client.create(one).status
        walk.check("the next", created, "ACTIVE" if taken < 2 else "ERROR")


@pytest.mark.host(**NO_SMT)
def test_the_map_shows_who_sits_where(walk: Walk) -> None:
    server = client.create(client.flavor(1, cpu_policy="dedicated"))
    answer = commands.live("map", *HERE)
    walk.check("pCPUs", answer.said("pcpu", "state", "guest"), [
        (0, "vcpu", server.id), (1, "free", None)])
    kept = commands.dump("one-server")
    walk.check("the same of a dump",
               commands.of_dump(kept, "map", *HERE).rows, answer.rows)


@pytest.mark.host(virt_type="lxc")
def test_explain_a_host_without_NUMA_topology(walk: Walk) -> None:
    server = client.create("pinned")
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "1 host reports no NUMA topology")
    answer = commands.live("explain", server.id, *HERE)
    walk.check("exit status", answer.code, 3)
    walk.check("who refuses", answer.said(*WHO, "text"), [
        (layout.HOST, "filter", "the host reports no NUMA topology")])
