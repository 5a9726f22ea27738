"""Programs of the environment that ``KOLLA`` names: Kolla's and Ansible's."""

import os
import subprocess
from pathlib import Path

VENV = Path(os.environ.get("KOLLA", "")).absolute()
IS_THERE = "KOLLA" in os.environ


def run(*command: str | Path, **env: str) -> str:
    """Run one to its good end, without which what it said is shown."""
    path = f"{VENV / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        command, env=os.environ | {"PATH": path} | env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout
