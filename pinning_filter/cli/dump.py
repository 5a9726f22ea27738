"""``pinning-filter dump``: the cloud as one file, to be asked elsewhere."""

from __future__ import annotations

import argparse
import json

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.output import Command, Status, save, to_stdout
from pinning_filter.cloud import anonymous, dumpfile


class Dump(Command):
    """Write what pinning-filter sees of a cloud into one JSON file.

    Every other command takes it as --host FILE, on any machine. It holds
    hosts, their NUMA cells and usage, guests' placements, flavors, and what
    the Placement API says of the hosts; no passwords, addresses, users,
    projects or images. Names of hosts and servers are there, unless
    --anonymous. Exit status: 0 done, 2 bad usage or input, 4 a cell did not
    answer.
    """

    examples = """\
examples:

    pinning-filter dump > cloud.json
    pinning-filter capacity --host cloud.json

  For a bug report:

    pinning-filter dump --anonymous --file report.json
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which cloud, and where to."""
        cloud_inputs.add_cloud_arguments(parser)
        parser.add_argument(
            "--anonymous",
            action="store_true",
            help="replace every name by a number",
        )
        parser.add_argument(
            "--file",
            type=arguments.given,
            metavar="FILE",
            help="write there (readable by its owner only), instead of to "
            "standard output (-)",
        )

    def act(self, parsed_args: argparse.Namespace) -> int:
        """Read, perhaps forget the names, write."""
        snapshot = cloud_inputs.read(
            parsed_args, placement=True, allocations=True, requests=True
        )
        incomplete = cloud_inputs.report_incomplete(snapshot)
        status = Status.INCOMPLETE if incomplete else Status.YES
        if parsed_args.anonymous:
            snapshot = anonymous.anonymous(snapshot)
        text = json.dumps(dumpfile.write(snapshot), indent=1) + "\n"
        if parsed_args.file and parsed_args.file != "-":
            save(parsed_args.file, text, "--file")
        else:
            with to_stdout(self.app) as stdout:
                stdout.write(text)
        return status
