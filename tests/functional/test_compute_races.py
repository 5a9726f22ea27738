"""Many servers at once, from several schedulers, to the last pCPU."""

import concurrent.futures
import contextlib
import random
import time
from unittest import mock

from nova import exception
from nova.tests.functional.api import client

from pinning_filter.compute.driver import PinningLibvirtDriver
from pinning_filter.core import synthetic
from tests.functional import moves

DEDICATED = {"hw__cpu_policy": "dedicated"}
TWO_CELLS = {**DEDICATED, "hw__numa_nodes": "2"}
_AT_ONCE = 4
_PATIENCE_SECONDS = 120


def at_once(function, arguments):
    """Call from several threads; whatever they raise is raised."""
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(function, arguments))


class Client:
    """Who asks the API from a thread of its own, and sees nothing else."""

    def __init__(self, cloud):
        self._api = cloud.services.admin_api
        self._image = cloud.image()

    def boot(self, flavor):
        """The server's id, once it runs or has failed."""
        body = {
            "name": "server",
            "flavorRef": flavor,
            "imageRef": self._image,
            "networks": "none",
        }
        posted = self._api.post_server({"server": body})
        self._until(
            lambda: self._api.get_server(posted["id"])["status"] != "BUILD"
        )
        return posted["id"]

    def delete(self, server_id):
        self._api.delete_server(server_id)
        self._until(lambda: self._gone(server_id))

    def _gone(self, server_id):
        try:
            self._api.get_server(server_id)
        except client.OpenStackApiNotFoundException:
            return True
        return False

    @staticmethod
    def _until(done):
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.2)


def running(cloud, server_ids):
    """Those that have found a place, once Nova is at rest."""
    resting = False
    while not resting:
        # Whoever loses a race raises within Nova, as does Nova's conductor
        # when it tells of a server that no alternate takes.
        with contextlib.suppress(AttributeError, exception.NovaException):
            cloud.services.finish()
            resting = True
    servers = [cloud.server(each) for each in server_ids]
    return [server for server in servers if server.status == "ACTIVE"]


def test_hosts_are_filled_to_the_last_pcpu(cloud):
    """More requests than room, of two schedulers, deletions in between."""
    for name in ("one", "two"):
        cloud.add_compute(name, synthetic.host("cell:2(memory=8GiB) core:4"))
    cloud.start_another_scheduler()
    flavors = [cloud.flavor(2, **DEDICATED), cloud.flavor(2, **TWO_CELLS)]
    dice = random.Random(1)
    user = Client(cloud)
    booted = at_once(user.boot, [dice.choice(flavors) for _ in range(10)])
    servers = running(cloud, booted)
    # 16 pCPUs; a race may cost a server its place, and never give one twice.
    assert 4 <= len(servers) <= 8
    moves.agrees(cloud, servers)

    placed = {server.id for server in servers}
    gone = dice.sample(sorted(placed), 3)
    at_once(user.delete, [*gone, *(set(booted) - placed)])
    servers = running(cloud, placed - set(gone))
    moves.agrees(cloud, servers)

    while len(servers) < 8:
        server = cloud.boot(flavors[0])
        if server.status == "ERROR":
            server = cloud.boot(flavors[1])
        assert server.status == "ACTIVE"
        servers.append(server)
    moves.agrees(cloud, servers)
    assert moves.held(cloud, "one") == set(range(8))
    assert moves.held(cloud, "two") == set(range(8))
    at_once(user.delete, [server.id for server in servers])
    moves.agrees(cloud, [])


def test_creates_and_deletes_at_the_same_time(cloud):
    cloud.add_compute("one", synthetic.host("cell:2(memory=8GiB) core:3 pu:2"))
    flavor = cloud.flavor(3, **DEDICATED)
    user = Client(cloud)

    def live(number):
        server_id = user.boot(flavor)
        if number % 2:
            user.delete(server_id)
            return None
        return server_id

    kept = [each for each in at_once(live, range(8)) if each]
    servers = running(cloud, kept)
    assert servers
    moves.agrees(cloud, servers)


def test_a_build_that_fails_gives_its_pcpus_back(cloud):
    """A host whose libvirt fails, and the next one takes the server."""
    for name in ("one", "two"):
        cloud.add_compute(name, synthetic.host("cell:2(memory=8GiB) core:2"))
    tried = []
    original = PinningLibvirtDriver.spawn

    def failing_once(self, *args, **kwargs):
        tried.append(self)
        if len(tried) == 1:
            raise RuntimeError("libvirt fails")
        return original(self, *args, **kwargs)

    with mock.patch.object(PinningLibvirtDriver, "spawn", failing_once):
        server = cloud.boot(cloud.flavor(4, **TWO_CELLS))
    assert server.status == "ACTIVE"
    assert len(set(tried)) == 2
    moves.agrees(cloud, [server])
