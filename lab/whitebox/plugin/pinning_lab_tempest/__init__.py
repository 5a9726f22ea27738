"""Lets whitebox-tempest-plugin reach the lab's hosts and its database.

The suite would use sudo, one ssh for all, and MySQL's port. Here each compute
host has a way of its own and the database has a socket alone; and of the
computes that Nova knows those are meant that the profile names. So three
methods are replaced. Runs in the suite's environment;
:mod:`lab.whitebox.suite` sets the variables.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pymysql
from tempest.lib import exceptions
from tempest.test_discover import plugins

SHELLS = json.loads(os.environ.get("LAB_SHELLS", "{}"))
#: These run here in any case: what they change or read is a file of ours.
HERE = ("crudini ", "/usr/bin/python3 -m lab ")


def execute(self, command, container_name=None, sudo=False):
    """Run a command on one of the lab's hosts; keep each domain's XML."""
    host = self.ctlplane_address
    shell = ["sh", "-c"] if command.startswith(HERE) else SHELLS[host]
    done = subprocess.run(
        [*shell, command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise exceptions.SSHExecCommandFailed(
            command=command, exit_status=done.returncode,
            stdout=done.stdout, stderr=done.stderr)
    if command.startswith("virsh dumpxml "):
        name = command.split()[-1]
        Path(os.environ["LAB_XML"], f"{name}-on-{host}.xml").write_text(
            done.stdout)
    return done.stdout


@contextlib.contextmanager
def cursor(self, database_name, commit=False):
    """A cursor on one of the lab's databases."""
    connection = pymysql.connect(
        unix_socket=os.environ["LAB_MYSQL_SOCKET"], user="root",
        database=database_name, cursorclass=pymysql.cursors.DictCursor)
    with connection, connection.cursor() as answers:
        yield answers
        if commit:
            connection.commit()


def list_compute_hosts(self):
    """The compute hosts of this profile."""
    return list(SHELLS)


class LabPlugin(plugins.TempestPlugin):
    """No tests and no options: tempest loads it, and that is all."""

    def load_tests(self):
        """Called once the options are known, which the module reads."""
        from whitebox_tempest_plugin.api.compute import base

        base.BaseWhiteboxComputeTest.list_compute_hosts = list_compute_hosts
        here = os.path.dirname(os.path.abspath(__file__))
        return here, os.path.dirname(here)

    def register_opts(self, conf):
        """Called before any test is loaded."""
        from whitebox_tempest_plugin.services import clients

        clients.SSHClient.execute = execute
        clients.DatabaseClient.cursor = cursor

    def get_opt_lists(self):
        return []
