"""The command, stopped and killed at random moments, comes to the same bytes as at one go."""

from __future__ import annotations

import os
import random
import shlex
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helpers.small_experiments import start_command, start_command_making_beside, table_bytes, words
from killed_command import run_command, run_killed
from napari_sam2_probe.experiments.results import open_experiment

if TYPE_CHECKING:
    import subprocess

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills processes")]

# SAM2_PROBE_KILLS=20 kills oftener; each costs a start of the command.
KILLS = int(os.environ.get("SAM2_PROBE_KILLS", "3"))


def begun(child: subprocess.Popen, out) -> None:
    """Wait until the command has found everything in order and started to write."""
    lock = out / ".lock"
    before = lock.stat().st_mtime_ns if lock.exists() else None
    while child.poll() is None and not (lock.exists() and (before is None or held_by_another(lock))):
        time.sleep(0.02)


def held_by_another(lock) -> bool:
    import fcntl

    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_killed_at_random_moments(tiny_experiment, settings, tmp_path):
    out = tmp_path / "out"
    rng = random.Random(4)
    done = []
    for _ in range(KILLS):
        child = start_command(*words(settings, out))
        begun(child, out)
        # All of it takes about six seconds from here.
        time.sleep(rng.uniform(0, 4))
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        done.append(open_experiment(out).done if (out / "experiment.toml").exists() else 0)
    assert done == sorted(done), "what is complete stays"
    # To the end, with what is stored.
    child = start_command("experiment", "--out", out)
    printed, said = child.communicate(timeout=200)
    assert child.returncode == 0, said
    assert printed.startswith(f"4 clip(s) of 2 kind(s) with sample are in {out}; make figures")
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert not [*out.glob(".*-*"), *out.glob("parts/.*"), *out.glob(".unfinished/*")]
    results = open_experiment(out)
    assert results.complete
    for kind in results.kinds:
        for clip in results.clips(kind):
            assert (results.masks(kind, clip) == open_experiment(tiny_experiment).masks(kind, clip)).all()


def wait_for_both(child: subprocess.Popen, out) -> None:
    """Wait until one kind is tracked while the clips of the other are made."""
    while child.poll() is None and not ((out / "clips/interjection").exists() and (out / ".unfinished").exists()):
        time.sleep(0.01)


def test_killed_while_clips_are_made_beside_the_tracking(tiny_experiment, settings, tmp_path):
    out = tmp_path / "out"
    rng = random.Random(5)
    for _ in range(max(1, KILLS // 3)):
        child = start_command_making_beside(*words(settings, out))
        wait_for_both(child, out)
        time.sleep(rng.uniform(0, 2))
        child.kill()
        # The processes that make clips hold the pipes too: they are gone when these end.
        child.communicate(timeout=60)
    child = start_command_making_beside("experiment", "--out", out)
    _, said = child.communicate(timeout=200)
    assert child.returncode == 0, said
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert not [*out.glob(".*-*"), *out.glob("parts/.*"), *out.glob(".unfinished/*"), *out.glob("clips/*/.*")]


def test_ctrl_c_ends_both(settings, tmp_path):
    out = tmp_path / "out"
    child = start_command_making_beside(*words(settings, out))
    wait_for_both(child, out)
    # As a terminal does: all processes get it.
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=100)
    assert (child.returncode, said) == (130, "sam2-probe: interrupted; what was finished is kept.\n")
    assert not open_experiment(out).complete


def test_ctrl_c_keeps_what_is_whole(settings, tmp_path):
    out = tmp_path / "out"
    child = start_command(*words(settings, out))
    while child.poll() is None and not list(out.glob("parts/*.frames.parquet")):
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=100)
    assert (child.returncode, said) == (130, "sam2-probe: interrupted; what was finished is kept.\n")
    results = open_experiment(out)
    assert 1 <= results.done < 4
    [session] = results.provenance["sessions"]
    assert session["finished"] is None
    assert session["frames"] >= 8
    assert session["command"] == shlex.join(["sam2-probe", *words(settings, out)])


def test_killed_in_the_first_writes(tiny_experiment, settings, tmp_path):
    """Neither the experiment's folder nor that of the clips in it is taken for somebody else's afterwards."""
    out = tmp_path / "out"
    run_killed("experiment.toml", *words(settings, out))
    assert [path.suffix for path in out.glob(".sam2-probe-*")] == [".toml"]
    run_killed("clips/clean/dataset.json", *words(settings, out))
    assert [path.suffix for path in (out / "clips/clean").glob(".sam2-probe-*")] == [".json"]
    done = run_command(*words(settings, out))
    assert done.returncode == 0, done.stderr
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert not [*out.rglob(".sam2-probe-*"), *out.rglob(".lock")]
