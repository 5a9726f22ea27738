"""Reads what the checks are asked about: nova.conf and a running cloud.

Before the checks. Of what cannot be read the reason is kept, and nothing is
raised but for a nova.conf that is none.
"""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nova import conf
from nova.conf import opts as nova_opts
from nova.objects import service as nova_service
from oslo_config import cfg

from pinning_filter import opts
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.text import one_line
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import releases
from pinning_filter.nova import stats as nova_stats
from pinning_filter.status.facts import (
    Configuration,
    Entry,
    Facts,
    Installed,
    Option,
)

if TYPE_CHECKING:
    from pinning_filter.cloud.live.session import Session

#: The service whose configuration counts.
_PROGRAM = "nova-scheduler"
#: The properties of images that the checks of flavors are about.
_PROPERTIES = ("hw_cpu_", "hw_numa_", "hw_mem_page_size", "hw_emulator_")


def of_dump(snapshot: Snapshot) -> Facts:
    """A cloud from a file, which has no nova.conf and no services."""
    return Facts(_installed(), snapshot=snapshot)


def of_cloud(
    files: Sequence[str] = (),
    dirs: Sequence[str] = (),
    timeout: float = 60,
    command: Sequence[str] = (),
) -> Facts:
    """A running cloud, by a nova.conf.

    :param files: of the configuration; none: what nova-scheduler reads.
    :param dirs: the same.
    :param timeout: seconds that a cell's database may be silent.
    :param command: words after them, for whom they are registered; they may
        name files, too.
    :raises InputError: if the configuration cannot be read.
    """
    from pinning_filter.cloud.live import session

    given = " ".join(command)
    if not files and "--config-file" not in given:
        files = session.api_files() or cfg.find_config_files("nova", _PROGRAM)
    if not dirs and "--config-dir" not in given:
        dirs = cfg.find_config_dirs("nova", _PROGRAM)
    session.configure(files, dirs, command)
    facts = Facts(_installed(), _configuration())
    if not session.has_database():
        return dataclasses.replace(
            facts, missing=dict.fromkeys(_LIVE, session.no_database())
        )
    return _of_databases(facts, session.Session(timeout=timeout))


#: Which facts a running cloud is asked for.
_LIVE = ("snapshot", "services", "images")


def _of_databases(facts: Facts, session: Session) -> Facts:
    from pinning_filter.cloud.live import cloud, services

    questions: dict[str, Callable[[], Any]] = {
        "snapshot": lambda: cloud.snapshot(
            session, with_placement=True, allocations=True
        ),
        "services": lambda: services.services(session),
        "images": lambda: session.images(_PROPERTIES),
    }
    found, missing = {}, {}
    for name, ask in questions.items():
        try:
            found[name] = ask()
        except InputError as error:
            missing[name] = str(error)
    return dataclasses.replace(facts, **found, missing=missing)


def _installed() -> Installed:
    aliases = nova_service.SERVICE_VERSION_ALIASES
    return Installed(
        releases.installed(),
        nova_service.SERVICE_VERSION,
        nova_stats.version(),
        {version: release for release, version in aliases.items()},
    )


def _configuration() -> Configuration:
    """nova.conf, as this process has read it."""
    ours = conf.CONF.pinning_filter
    scheduler = conf.CONF.filter_scheduler
    invalid = dict(_invalid())
    return Configuration(
        tuple(scheduler.available_filters),
        tuple(scheduler.enabled_filters),
        tuple(scheduler.weight_classes),
        None
        if opts.PINNING_WEIGHT_MULTIPLIER.name in invalid
        else ours.pinning_weight_multiplier,
        None
        if opts.CORE_CHOICE.name in invalid
        else nova_stats.prefers(nova_fit.strategy()),
        not conf.CONF.workarounds.disable_fallback_pcpu_query,
        tuple(_entries()),
        _known(),
        invalid,
    )


def _invalid() -> Iterator[tuple[str, str]]:
    """Options of ours whose values cannot be read, and why."""
    for option in opts.OPTIONS:
        try:
            getattr(conf.CONF.pinning_filter, option.dest)
        except (cfg.Error, ValueError) as error:
            # oslo.config says where it stands, too, in words of Python's.
            _, _, why = str(error).rpartition(" is not valid: ")
            yield option.name, one_line(why).rstrip(".")


def _entries() -> Iterator[Entry]:
    """What the files set, each of which could be read before."""
    files = list(conf.CONF.config_file or ())
    for folder in conf.CONF.config_dirs:
        files += sorted(glob.glob(os.path.join(folder, "*.conf")))
    for file in files:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(file, sections).parse()
        for section, options in sections.items():
            # oslo.config reads any case but that of DEFAULT.
            name = section if section == "DEFAULT" else section.lower()
            for option in options:
                yield Entry(file, name, option)


def _known() -> dict[str, dict[str, Option]]:
    """Every option of Nova's and ours, by section."""
    known: dict[str, dict[str, Option]] = {}
    for group, options in [*nova_opts.list_opts(), *opts.list_opts()]:
        section = getattr(group, "name", group)
        names = known.setdefault(section, {})
        for option in options:
            why = "" if not option.deprecated_for_removal else one_line(
                option.deprecated_reason or "it will be removed"
            )
            made = Option(why)
            names |= {option.name: made, option.dest: made}
            for old in option.deprecated_opts:
                place = known.setdefault(old.group or section, {})
                text = f"it is the old name of [{section}] {option.dest}"
                place.setdefault(old.name or option.dest, Option(text))
    return known
