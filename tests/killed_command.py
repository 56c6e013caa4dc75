"""The command in a process that is killed while it writes a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

# Every file of ours takes its place by a rename; at this one the process is killed, with its temporary file there.
_SCRIPT = """
import os, pathlib, signal, sys
name, left = sys.argv.pop(1), int(sys.argv.pop(1))
rename = pathlib.Path.replace

def replace(path, target):
    global left
    if str(target).endswith(name):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

pathlib.Path.replace = replace
from napari_sam2_probe.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run_killed(name: str, *arguments: object, before: int = 0) -> None:
    """Run the command and kill it by SIGKILL when it writes the file `name`, after so many times `before`."""
    done = run_command(*arguments, script=(_SCRIPT, name, str(before)))
    assert done.returncode == -signal.SIGKILL, done.stderr


def run_command(*arguments: object, script: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, on one thread."""
    start = ("-c", *script) if script else ("-m", "napari_sam2_probe.cli")
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
