"""Processes that work on lists."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from napari_sam2_probe.transforms.workers import map_unordered


def is_ctrl_c_held_back():
    """Make a function that says so of its process, from its first moment on."""
    # In time for every process to be given something.
    time.sleep(0.2)
    held_back = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return lambda _: held_back


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="a system without masks of signals")
def test_ctrl_c_never_reaches_a_worker_process_and_still_reaches_this_one():
    assert sorted(map_unordered(is_ctrl_c_held_back, (), range(8), 2)) == [(k, True) for k in range(8)]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_script_is_not_run_again_by_its_processes(tmp_path):
    """Although it says nothing of ``if __name__ == "__main__"``."""
    script = tmp_path / "script.py"
    script.write_text(
        "import operator, os\n"
        "from napari_sam2_probe.transforms.workers import map_unordered\n"
        "print('begun', __name__)\n"
        "print(sorted(map_unordered(operator.attrgetter, ('real',), [3, 1, 2], 2)))\n"
        "import __main__\n"
        "print(__main__.__file__ == __file__)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["begun __main__", "[(1, 1), (2, 2), (3, 3)]", "True"]
    assert done.stderr == ""
