"""``pinning-filter metrics``: a cloud in numbers, for Prometheus."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pinning_filter.cli.inputs import arguments, flavors
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.output import Command, Status, to_stdout, warn, written
from pinning_filter.cloud import flavors as cloud_flavors
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError, Invalid
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import Strategy
from pinning_filter.metrics import (
    drift,
    families,
    figures,
    per_host,
    reading,
    refusals,
    text,
)
from pinning_filter.metrics.exporter import Exporter
from pinning_filter.metrics.families import Family
from pinning_filter.metrics.reading import Outcome

#: Seconds from one reading to the next.
_INTERVAL = 60
#: Seconds between two looks of the audit: longer than a claim takes.
_WAIT = 30


class Metrics(Command):
    """Write what the commands count, in Prometheus' text format.

    Without --textfile or --listen to standard output. Exit status: 0 done,
    2 bad usage or input, or an output that cannot be written, 4 a cell did
    not answer. Where nothing could be read, nothing is written, and an old
    file stays as it is.
    """

    examples = """\
examples:

  For node_exporter's textfile collector, from cron or a timer:

    pinning-filter metrics --textfile /var/lib/node_exporter/pinning.prom

  As an exporter at 127.0.0.1, with the pCPUs of each host:

    pinning-filter metrics --listen 9779 --per-host pcpus

  On each further scheduler, only what it has refused:

    pinning-filter metrics --listen 9779 --only-refusals
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Where to, how much of it, and which cloud."""
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--textfile",
            type=arguments.given,
            metavar="FILE",
            help="write there, in one step; node_exporter wants a name that "
            "ends in .prom",
        )
        where.add_argument(
            "--listen",
            type=arguments.address,
            metavar="[HOST:]PORT",
            help="answer scrapes there, until interrupted; HOST is 127.0.0.1 "
            "unless it is given",
        )
        parser.add_argument(
            "--interval",
            type=arguments.whole(),
            default=_INTERVAL,
            metavar="SECONDS",
            help="with --listen, read the cloud at most that often; scrapes "
            "are answered from memory (default: %(default)s)",
        )
        parser.add_argument(
            "--per-host",
            action="append",
            default=[],
            choices=[kind.value for kind in per_host.Kind],
            help="also series of each host; may be repeated. The manual says "
            "how many series each kind costs",
        )
        flavors.add_flavor_argument(
            parser, "a pinned flavor to count room for", "all of the cloud"
        )
        parser.add_argument(
            "--allocations",
            action="store_true",
            help="also ask the Placement API who holds what, for the audit: "
            "four questions a host at each reading. A file has the answers "
            "or not",
        )
        parser.add_argument(
            "--wait",
            type=arguments.whole(),
            default=_WAIT,
            metavar="SECONDS",
            help="before the audit's second look at a running cloud, which "
            "is only taken if the first finds something; with --listen the "
            "next reading is the second look (default: %(default)s)",
        )
        parser.add_argument(
            "--refusals",
            type=arguments.given,
            metavar="DIR",
            help="where schedulers of this machine count what they refuse; "
            "default: [pinning_filter] counters_directory of nova.conf",
        )
        parser.add_argument(
            "--only-refusals",
            action="store_true",
            help="nothing else: no cloud is read",
        )
        cloud_inputs.add_cloud_arguments(parser)

    def act(self, parsed_args: argparse.Namespace) -> int:
        """Read, count, and write or answer."""
        if parsed_args.listen:
            return _listen(parsed_args)
        found = _Source(parsed_args).read()
        made = (reading.build(), *found.families, *_refusals(parsed_args))
        if parsed_args.textfile:
            with written(f"--textfile {parsed_args.textfile}"):
                text.write(parsed_args.textfile, made)
        else:
            with to_stdout(self.app) as stdout:
                stdout.write(text.of(made).decode())
        complete = found.outcome is Outcome.COMPLETE
        return Status.YES if complete else Status.INCOMPLETE


#: Of what is the same at each reading, or at each scrape.
_warn_once = functools.cache(warn)


class _Found(NamedTuple):
    """What one reading came to."""

    families: tuple[Family, ...]
    outcome: Outcome


class _Source:
    """Reads the cloud that the arguments name, again and again."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._kinds = [per_host.Kind(kind) for kind in args.per_host]
        self._drift = drift.Drift(cloud_inputs.is_live(args))

    def read(self, patient: bool = True) -> _Found:
        """Read once.

        :param patient: whether to wait for a second look.
        :raises InputError: if nothing can be read.
        """
        if self._args.only_refusals:
            return _Found((), Outcome.COMPLETE)
        with _without_collecting():
            return self._read(patient)

    def _read(self, patient: bool) -> _Found:
        begin = time.monotonic()
        snapshot = self._snapshot()
        findings = self._drift.look(snapshot)
        if findings is None and patient:
            time.sleep(self._args.wait)
            begin = time.monotonic()
            snapshot = self._snapshot()
            findings = self._drift.look(snapshot)
        cloud_inputs.report_unreachable(snapshot)
        counted = figures.count(
            snapshot, *_flavors(self._args, snapshot), _strategy(), findings
        )
        taken = reading.unix_time(snapshot.taken) or time.time()
        made = (
            *families.of_cloud(counted),
            *per_host.of_hosts(counted.hosts, self._kinds),
            *reading.of_data(taken, time.monotonic() - begin),
        )
        part = bool(snapshot.unreachable)
        return _Found(made, Outcome.INCOMPLETE if part else Outcome.COMPLETE)

    def _snapshot(self) -> Snapshot:
        asked = self._args.allocations
        found = cloud_inputs.read(
            self._args, placement=asked, allocations=asked
        )
        if found.unreachable and not found.nodes:
            cloud_inputs.report_unreachable(found)
            raise InputError("no cell answers: there is nothing to count")
        return found


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Without looking for garbage: a cloud is made of what stays to the end.

    A sixth of the CPU seconds of a reading went into that.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _strategy() -> Strategy:
    from pinning_filter.cli.inputs import question as question_inputs

    return question_inputs.strategy()


def _flavors(
    args: argparse.Namespace, snapshot: Snapshot
) -> tuple[Mapping[str, Request], Mapping[str, Request]]:
    """Those to count room for, and those by which capacity is stranded.

    A flavor that Nova refuses must not cost the rest.
    """
    if args.flavor:
        wanted = {}
        for name in args.flavor:
            found = cloud_flavors.request(cloud_flavors.named(name, snapshot))
            if found is None:
                raise InputError(f"--flavor: {name!r} pins no vCPUs")
            wanted[name] = found
        return wanted, wanted
    wanted = {}
    for flavor in snapshot.flavors:
        try:
            found = cloud_flavors.request(flavor)
        except InputError as error:
            _warn_once(f"it is left out: {error}")
            continue
        if found is not None:
            wanted[flavor.name] = found
    return wanted, cloud_flavors.of_guests(snapshot) or wanted


def _refusals(args: argparse.Namespace) -> Iterable[Family]:
    """What schedulers count, where they do."""
    folder = args.refusals or _configured(args)
    if not folder:
        if args.only_refusals:
            raise InputError(
                "--only-refusals: [pinning_filter] counters_directory is not "
                "set in nova.conf; give --refusals DIR"
            )
        return ()
    try:
        return tuple(refusals.families(folder))
    except OSError as error:
        if args.refusals:
            raise InputError(
                f"--refusals {folder}: {error.strerror}"
            ) from error
        _warn_once(f"no scheduler counts here yet: {folder}: {error.strerror}")
        return ()


def _configured(args: argparse.Namespace) -> str:
    """The folder that nova.conf names; empty: none, or a file is asked."""
    if not cloud_inputs.is_live(args):
        return ""
    cloud_inputs.session(args)
    from nova import conf

    return str(conf.CONF.pinning_filter.counters_directory)


def _listen(args: argparse.Namespace) -> int:
    """Answer scrapes, and read now and then, until interrupted."""
    host, port = args.listen
    with written(f"--listen {host}:{port}"):
        exporter = Exporter(host, port, functools.partial(_quietly, args))
    source = _Source(args)
    first = source.read(patient=False)
    _refusals(args)  # what is wrong with them is told at once
    exporter.keep(first.families, first.outcome)
    warn(f"metrics at {exporter.url}")
    while True:
        time.sleep(args.interval)
        _again(source, exporter)


def _again(source: _Source, exporter: Exporter) -> None:
    """One more reading: whatever happens, scrapes are answered."""
    try:
        found = source.read(patient=False)
        exporter.keep(found.families, found.outcome)
    except (InputError, Invalid) as error:
        warn(f"the cloud cannot be read now: {error}")
        exporter.failed()
    except Exception:
        traceback.print_exc()
        exporter.failed()


def _quietly(args: argparse.Namespace) -> Iterable[Family]:
    try:
        return _refusals(args)
    except InputError:
        return ()
