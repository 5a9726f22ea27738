"""An image with ``hw_cpu_policy=dedicated`` and a plain flavor."""

import pytest

from tests.lab import client, seen
from tests.lab.test_first_seed import NO_SMT, check_pinned
from tests.lab.walks import Walk

pytestmark = pytest.mark.host(**NO_SMT)

ONE_PCPU = {"vcpu 0": "0", "emulator": "0", "iothread 1": "0"}


def test_the_image_alone_asks_for_pinning(walk: Walk) -> None:
    server = client.create(client.flavor(1), "blank-dedicated")
    xml = check_pinned(walk, server, ONE_PCPU)
    walk.check("guest topology", seen.topology(xml), (1, 1, 1))


def test_shares_that_the_flavor_asks_for(walk: Walk) -> None:
    name = client.flavor(1)
    client.openstack("flavor", "set", name, "--property",
                     "quota:cpu_shares=1024", as_json=False)
    server = client.create(name, "blank-dedicated")
    xml = check_pinned(walk, server, ONE_PCPU)
    walk.check_says("shares", xml, "<shares>1024</shares>")


def test_a_flavor_that_forbids_what_the_image_asks(walk: Walk) -> None:
    name = client.flavor(1, cpu_policy="shared")
    with pytest.raises(client.Refused) as refused:
        client.create(name, "blank-dedicated")
    walk.check_says(
        "what its user sees", str(refused.value),
        "Image property 'hw_cpu_policy' is not permitted to override CPU "
        "pinning policy set against the flavor",
    )
    walk.check("servers", client.servers(), [])


def test_a_policy_that_nobody_knows(walk: Walk) -> None:
    name = client.flavor(1)
    with pytest.raises(client.Refused) as refused:
        client.openstack("flavor", "set", name, "--property",
                         "hw:cpu_policy=dedicate", as_json=False)
    walk.check_says(
        "what its user sees", str(refused.value),
        "'dedicate' is not one of: dedicated, shared, mixed",
    )
