"""Compute nodes themselves: the one that a command runs on, or its files.

libvirt is asked for reading only, at the address that nova.conf has.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from pinning_filter.audit import observed_file
from pinning_filter.audit.observation import Observation, Observer, configured
from pinning_filter.core.errors import InputError
from pinning_filter.core.text import one_line


class Here:
    """The compute node that this runs on.

    :raises InputError: if nova.conf cannot be read, or libvirt not asked.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        # Nova takes seconds to load.
        from pinning_filter.nova import config

        try:
            config.read(args.config_file, args.config_dir)
            self._settings = configured()
            self._host, uri = config.host_and_libvirt()
        except Exception as error:
            # oslo.config's and Nova's, which say what is wrong.
            raise InputError(
                f"nova.conf cannot be read: {one_line(str(error))}"
            ) from error
        connection = _connect(uri)
        self._observer = Observer(lambda: connection)

    def look(self) -> Observation:
        """What is there now, guests' memory included.

        :raises InputError: if libvirt does not answer.
        """
        try:
            return self._observer.look(
                self._host, self._settings, memory=True
            )
        except Exception as error:
            raise InputError(f"libvirt: {one_line(str(error))}") from error


def _connect(uri: str) -> object:
    try:
        libvirt = importlib.import_module("libvirt")
    except ImportError as error:
        raise InputError(
            "libvirt-python is not installed here: run this where "
            "nova-compute runs, in its Python environment"
        ) from error
    # It writes of every error to standard error, beside raising it.
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        return libvirt.openReadOnly(uri)
    except libvirt.libvirtError as error:
        raise InputError(
            f"libvirt at {uri} does not answer: {one_line(str(error))}"
        ) from error


def read(paths: Sequence[str]) -> dict[str, Observation]:
    """What ``audit --observe`` wrote on compute nodes, by host.

    :raises InputError: naming the file that is none of these, or the host of
        which there are two.
    """
    found: dict[str, Observation] = {}
    for path in paths:
        where = f"--observed {path}"
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise InputError(f"{where}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{where}: it is not text") from error
        seen = observed_file.read(text, where)
        if seen.host in found:
            raise InputError(f"{where}: host {seen.host} is there twice")
        found[seen.host] = seen
    return found
