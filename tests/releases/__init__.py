"""Everything on every release of Nova that is supported.

    make releases              all of them; hours
    make releases NOVA=31      one
    make releases NOVA=31 STEPS="unit suites"
    make releases NOVA=31 PYTHON=python3.13

Each runs in an environment of its own, ``.venv-nova31`` or
``.venv-nova31-python3.13``, with the libraries of its time:
``constraints/nova31.txt`` has OpenStack's, and those of others that it needs
older, as ``upper-constraints.txt`` of the release's branch of
openstack/requirements has them. For a new release write one more.

What came out goes into ``doc/source/releases.csv``, a row for each release of
Nova on each of Python, and what was skipped or failed into
``doc/source/releases-exceptions.csv``, with the reason that the run gave. Both
are part of the documentation.
"""
