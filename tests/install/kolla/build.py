"""Kolla's own kolla-build, without the engine that would build the images.

Run with Kolla's Python, and with kolla-build's arguments. What an engine would
be given stays in ``--work-dir``: for each image a Dockerfile, and the archives
that it adds.
"""

from unittest import mock

from kolla.engine_adapter import engine
from kolla.image import build


def main() -> None:
    """All that kolla-build does up to the engine, one image at a time."""
    docker = mock.Mock()
    docker.images.build.return_value = (None, [])
    with mock.patch.object(engine, "getEngineClient", return_value=docker):
        build.run_build()


if __name__ == "__main__":
    main()
