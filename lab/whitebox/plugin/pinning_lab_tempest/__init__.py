"""Lets whitebox-tempest-plugin reach the lab's host and its database.

The suite would use ssh, sudo and MySQL's port. The lab's host is this machine
and its database has a socket alone, so two methods are replaced. Runs in the
suite's environment; :mod:`lab.whitebox.suite` sets the variables.
"""

import contextlib
import os
import subprocess
from pathlib import Path

import pymysql
from tempest.lib import exceptions
from tempest.test_discover import plugins


def execute(self, command, container_name=None, sudo=False):
    """Run a command on the lab's host; keep each domain's XML."""
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        raise exceptions.SSHExecCommandFailed(
            command=command, exit_status=done.returncode,
            stdout=done.stdout, stderr=done.stderr)
    if command.startswith("virsh dumpxml "):
        name = command.split()[-1]
        Path(os.environ["LAB_XML"], f"{name}.xml").write_text(done.stdout)
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


class LabPlugin(plugins.TempestPlugin):
    """No tests and no options: tempest loads it, and that is all."""

    def load_tests(self):
        here = os.path.dirname(os.path.abspath(__file__))
        return here, os.path.dirname(here)

    def register_opts(self, conf):
        """Called before any test is loaded."""
        from whitebox_tempest_plugin.services import clients

        clients.SSHClient.execute = execute
        clients.DatabaseClient.cursor = cursor

    def get_opt_lists(self):
        return []
