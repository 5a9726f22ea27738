"""What of Nova is loaded by a program that runs no service of it.

Nova's modules import much that only its services use. A command that answers
one question and ends would spend most of its time on that.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import types
from collections.abc import Sequence
from importlib import abc, machinery
from typing import Any

from pinning_filter.nova import releases

#: Modules of Nova -> one that it imports, and that hardly any command uses:
#: OpenStack's SDK, which has five hundred, the tables of the databases, the
#: client of images.
_LATER = {
    "nova.utils": "openstack",
    "nova.db.main.api": "nova.db.main.models",
    "nova.objects.compute_node": "nova.db.main.models",
    "nova.objects.flavor": "nova.db.api.models",
    "nova.notifications.base": "nova.image.glance",
}


def without_services() -> None:
    """Leave out what Nova's services need. To be called before it is imported.

    Nova's API code, before 31, replaces parts of the standard library as soon
    as it is imported, and complains if that is too late. On every release
    Nova's libraries import eventlet, which need not replace the resolver of
    names for that. And some of what Nova imports is loaded when it is used.
    """
    os.environ.setdefault(releases.THREADS_SWITCH, "true")
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(abc.MetaPathFinder):
    """Finds modules that import something to be loaded later."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> machinery.ModuleSpec | None:
        """As Python does, with another loader."""
        later = _LATER.get(fullname)
        if later is None or later in sys.modules:
            return None
        spec = machinery.PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(machinery.SourceFileLoader):
    """Gives a module, and it alone, a stand-in for what it imports."""

    def exec_module(self, module: types.ModuleType) -> None:
        """As of every module."""
        later = _LATER[module.__name__]
        sys.modules[later] = stand_in = _StandIn(later)
        try:
            super().exec_module(module)
        finally:
            if sys.modules.get(later) is stand_in:
                del sys.modules[later]


class _StandIn(types.ModuleType):
    """Loads a module when something in it is asked for.

    What is asked of a package is such a stand-in as well: OpenStack's code
    imports modules, and never what is in them.
    """

    def __getattr__(self, name: str) -> Any:
        if "." not in self.__name__:
            return _StandIn(f"{self.__name__}.{name}")
        return getattr(importlib.import_module(self.__name__), name)


@functools.cache
def extra_spec_validators() -> types.ModuleType:
    """What Nova's API checks extra specs with, without the rest of the API.

    Its package imports the whole API with the database layer, a second and a
    half that these few modules have no use for. So they are imported with an
    empty package in its place, which is gone afterwards. Goes where Nova's
    package is light.
    """
    name = "nova.api.validation"
    if name not in sys.modules:
        found = importlib.util.find_spec("nova.api")
        assert found is not None and found.submodule_search_locations
        package = types.ModuleType(name)
        package.__path__ = [
            os.path.join(path, "validation")
            for path in found.submodule_search_locations
        ]
        sys.modules[name] = package
        try:
            return importlib.import_module(f"{name}.extra_specs.validators")
        finally:
            del sys.modules[name]
    return importlib.import_module(f"{name}.extra_specs.validators")
