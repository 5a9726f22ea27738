"""Where a running cloud is asked: what nova.conf says of it."""

from __future__ import annotations

import collections
import functools
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nova import conf, config, context, objects, utils
from nova.scheduler.client import report

from pinning_filter import opts
from pinning_filter.cloud.live import reading
from pinning_filter.core.errors import InputError

_Answer = TypeVar("_Answer")

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


class NoDatabase(InputError):
    """nova.conf names no database: it is not that of a controller."""


class Session:
    """Nova's databases, by the addresses in nova.conf.

    :raises NoDatabase: if there are none.
    """

    def __init__(
        self,
        config_files: Sequence[str] = (),
        config_dirs: Sequence[str] = (),
        timeout: float = 60,
    ) -> None:
        configure(config_files, config_dirs)
        if not has_database():
            raise NoDatabase(no_database())
        self.timeout = timeout
        self.context = context.get_admin_context()

    def api(self, function: Callable[..., Any], *args: Any) -> Any:
        """What a call that reads the API database returns.

        :raises InputError: if it does not answer.
        """
        whom = "the API database"
        return reading.asked(
            whom, self.timeout, function, self.context, *args
        )

    def each_cell(
        self,
        call: Callable[[context.RequestContext, objects.CellMapping], _Answer],
        *,
        cell0: bool = False,
    ) -> tuple[list[_Answer], dict[str, str]]:
        """As :func:`reading.each_cell`, of the cells that Nova has.

        :param cell0: whether to ask cell0 too, which has no hosts.
        :raises InputError: if the API database does not answer.
        """
        cells = self.api(objects.CellMappingList.get_all)
        return reading.each_cell(
            [cell for cell in cells if cell0 or not cell.is_cell0()],
            self.timeout,
            self.context,
            call,
        )

    def image(self, name: str) -> dict[str, str]:
        """The properties of an image, asked from Glance as Nova.

        :raises InputError: if Glance cannot be asked, or has no such image.
        """
        try:
            glance = _glance()
            if UUID.fullmatch(name):
                found = [glance.get(f"/v2/images/{name}").json()]
            else:
                answer = glance.get("/v2/images", params={"name": name})
                found = answer.json()["images"]
        except Exception as error:
            # Whatever Keystone, Glance or the network have to say.
            raise InputError(
                f"--image {name}: Glance cannot be asked: "
                f"{reading.why(error)}; say what the image asks for with "
                "--image-property"
            ) from error
        if len(found) != 1:
            raise InputError(
                f"--image: {len(found) or 'no'} images have the name {name!r}"
            )
        return _properties(found[0], ("hw_", "trait:"))

    def images(self, prefixes: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """All images that have such properties, by name; by UUID, where
        several have one name.

        :param prefixes: how the names of the properties begin.
        :raises InputError: if Glance cannot be asked.
        """
        found = []
        try:
            glance, path = _glance(), "/v2/images"
            while path:
                answer = glance.get(path).json()
                found += answer["images"]
                path = answer.get("next")
        except Exception as error:
            # Whatever Keystone, Glance or the network have to say.
            raise InputError(
                f"Glance cannot be asked: {reading.why(error)}"
            ) from error
        names = collections.Counter(each.get("name") for each in found)
        made = {
            each["name"] if names[each.get("name")] == 1 and each["name"]
            else each["id"]: _properties(each, prefixes)
            for each in found
        }
        return {name: given for name, given in made.items() if given}


def _glance() -> Any:
    """Glance, asked with the credentials that Nova asks Placement with."""
    mine = report.SchedulerReportClient()._client
    return utils.get_ksa_adapter(
        "image", ksa_auth=mine.auth, ksa_session=mine.session
    )


def _properties(
    image: dict[str, Any], prefixes: tuple[str, ...]
) -> dict[str, str]:
    return {
        key: value
        for key, value in image.items()
        if isinstance(value, str) and key.startswith(prefixes)
    }


def configure(
    files: Sequence[str], dirs: Sequence[str], command: Sequence[str] = ()
) -> None:
    """Read nova.conf, unless this process has read it already.

    :param command: further words, for whom they are registered.
    :raises InputError: if it cannot be read.
    """
    opts.register(conf.CONF)
    if files or dirs or command or not has_database():
        try:
            _parse(
                tuple(files or (() if dirs or command else api_files())),
                tuple(dirs),
                tuple(command),
            )
        except OSError as error:
            raise InputError(
                f"nova.conf cannot be read: {error.filename}: "
                f"{error.strerror}"
            ) from error
        except Exception as error:
            # oslo.config says what is wrong; the kind of error adds nothing.
            _, _, said = reading.why(error).partition(": ")
            raise InputError(f"nova.conf cannot be read: {said}") from error


def no_database() -> str:
    """What to say where :func:`has_database` says no."""
    read = ", ".join(conf.CONF.config_file or ()) or "none was found"
    return (
        "no database: [api_database] connection is not set in nova.conf "
        f"(files read: {read}). Run this where nova-scheduler or "
        "nova-conductor runs, as a user who may read its configuration; "
        "or give a dump with --host FILE"
    )


def api_files() -> list[str]:
    """The files that Nova's API is told to read by the environment, if it is.

    The variables are those of nova.api.openstack.wsgi_app.
    """
    folder = os.environ.get("OS_NOVA_CONFIG_DIR", "").strip()
    names = os.environ.get("OS_NOVA_CONFIG_FILES", "").split(";")
    given = [name.strip() for name in names if name.strip()]
    if not folder and not given:
        return []
    return [
        os.path.join(folder or "/etc/nova", name)
        for name in given or ["nova.conf"]
    ]


@functools.cache
def _parse(
    files: tuple[str, ...], dirs: tuple[str, ...], command: tuple[str, ...]
) -> None:
    """What Nova's own commands do first; once, Nova takes no second time.

    A cell's address may refer to options that this registers.
    """
    named = [("--config-file", name) for name in files]
    named += [("--config-dir", name) for name in dirs]
    words = (word for pair in named for word in pair)
    config.parse_args(["nova", *words, *command])


def has_database() -> bool:
    """Whether nova.conf was read and names the API database."""
    try:
        return bool(conf.CONF.api_database.connection)
    except Exception:
        # Nothing was read yet, and options have no values.
        return False
