"""Users who build, resize and migrate servers all the time."""

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from openstack.compute.v2.server import Server
from openstack.connection import Connection

from lab import cloud
from tests.lab import client


class User(threading.Thread):
    """Does one thing again and again, until told to stop."""

    def __init__(self, act: "Callable[[User], None]") -> None:
        super().__init__(daemon=True)
        self._act = act
        self._stopped = threading.Event()
        #: What was done -> how often.
        self.done: collections.Counter[str] = collections.Counter()
        #: Whatever ended it early.
        self.error: Exception | None = None
        self.cloud: Connection = cloud.connect()

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._act(self)
        except Exception as error:
            self.error = error

    def stop(self) -> None:
        """Let it end what it does, and wait for that."""
        self._stopped.set()
        self.join(client.PATIENCE)

    def create(self, flavor: str) -> Server:
        """A server, whatever becomes of it."""
        compute = self.cloud.compute
        return self.settled(compute.create_server(
            name=client.unique("busy"),
            flavor_id=compute.find_flavor(flavor).id,
            image_id=self.cloud.image.find_image("blank").id,
            networks="none",
        ))

    def delete(self, server: Server) -> None:
        """Delete a server, and wait until it is gone."""
        self.cloud.compute.delete_server(server)
        self.cloud.compute.wait_for_delete(
            server, interval=1, wait=client.PATIENCE)

    def settled(self, server: Server, *but: str) -> Server:
        """The server once nothing is done to it any more.

        :param but: statuses in which something is.
        """
        limit = time.monotonic() + client.PATIENCE
        while time.monotonic() < limit:
            seen = self.cloud.compute.get_server(server.id)
            if seen.status not in ("BUILD", *but) and not seen.task_state:
                return seen
            time.sleep(client.TICK)
        raise TimeoutError(f"{server.name} is {seen.status}")


def builds(flavor: str) -> Callable[[User], None]:
    """A server is built, lives for a moment, and is deleted."""

    def act(user: User) -> None:
        server = user.create(flavor)
        user.done["built"] += server.status == "ACTIVE"
        user.delete(server)

    return act


def resizes(flavors: tuple[str, str]) -> Callable[[User], None]:
    """A server is resized, to be confirmed and reverted in turn."""
    mine: list[Server] = []

    def act(user: User) -> None:
        compute = user.cloud.compute
        if not mine:
            mine.append(user.create(flavors[0]))
        server = compute.get_server(mine[0])
        other = next(each for each in flavors
                     if each != server.flavor.original_name)
        compute.resize_server(server, compute.find_flavor(other).id)
        if user.settled(server).status != "VERIFY_RESIZE":
            return
        end = ("confirm", "revert")[user.done["resized"] % 2]
        getattr(compute, f"{end}_server_resize")(server)
        # Nova shows no task while it confirms.
        server = user.settled(server, "VERIFY_RESIZE")
        user.done["resized"] += server.status == "ACTIVE"
        if server.status == "ERROR":
            # Nova's report and its confirming may get in each other's way.
            user.delete(mine.pop())

    return act


def migrates(flavor: str, hosts: tuple[str, str]) -> Callable[[User], None]:
    """A server is migrated to and fro while it runs."""
    mine: list[Server] = []

    def act(user: User) -> None:
        compute = user.cloud.compute
        if not mine:
            mine.append(user.create(flavor))
        before = compute.get_server(mine[0]).compute_host
        other = next(each for each in hosts if each != before)
        compute.live_migrate_server(mine[0], host=other, block_migration=True)
        user.done["migrated"] += user.settled(mine[0]).compute_host == other

    return act


def in_turn(*acts: Callable[[User], None]) -> Callable[[User], None]:
    """One after the other: where there is no room for more."""

    def act(user: User) -> None:
        for each in acts:
            each(user)

    return act


@contextlib.contextmanager
def users(*acts: Callable[[User], None]) -> Iterator[list[User]]:
    """They are at work within."""
    working = [User(act) for act in acts]
    for each in working:
        each.start()
    try:
        yield working
    finally:
        for each in working:
            each.stop()
    errors = [each.error for each in working if each.error]
    assert not errors, errors
