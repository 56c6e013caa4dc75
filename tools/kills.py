"""Kill commands at random moments until they are done, and compare what they leave with what is written undisturbed.

python tools/kills.py                 20 kills of each command
python tools/kills.py --kills 5 --only transform
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

from helpers.small_experiments import small_davis
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.reader import open_run

_SHORT = ["--lengths", "3,2,3"]
# What says when and by how many sessions something was made.
_TOLD_ELSEWHERE = ("provenance.json", "protocols.json")


def commands(davis: Path) -> dict[str, list[str]]:
    model = ["--checkpoint", "sample", "--device", "cpu"]
    return {
        "transform": ["transform", "obscuration", "--davis", str(davis), "--samples", "6", *_SHORT, "--workers", "1"],
        "experiment": [
            *("experiment", "--davis", str(davis), "--kinds", "clean", "interjection", "--samples", "2"),
            *("--batch-size", "1", *_SHORT, *model),
        ],
        "protocols": ["protocols", "--davis", str(davis), "--prompts", "mask,box", "--interactive", "none", *model],
        "run": ["run", str(davis / "JPEGImages" / "480p" / "cat"), "--point", "80,60", *model],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    bad = 0
    sys.stdout.write("| command | kills | continued to the same bytes | lost or wrong |\n| --- | --: | --: | --: |\n")
    with tempfile.TemporaryDirectory() as place:
        davis = small_davis(Path(place) / "davis")
        for name, words in commands(davis).items():
            if arguments.only in (None, name):
                check = check_run if name == "run" else check_resumable
                kills, same, wrong = check(words, Path(place) / name, arguments.kills, rng)
                bad += wrong
                sys.stdout.write(f"| `{name}` | {kills} | {same} | {wrong} |\n")
                sys.stdout.flush()
    return int(bad > 0)


def check_resumable(words: list[str], place: Path, kills: int, rng: random.Random) -> tuple[int, int, int]:
    """Kill, go on, kill again; whenever it is done, its files have to be those of the undisturbed one."""
    seconds = _whole([*words, "--out", str(place / "whole")])
    expected = _contents(place / "whole")
    done = same = wrong = 0
    while done < kills:
        out = place / "killed"
        shutil.rmtree(out, ignore_errors=True)
        while True:
            killed = _killed([*words, "--out", str(out)], rng.uniform(0.3, 1.1) * seconds)
            done += killed
            if not killed or done >= kills:
                break
        if killed:
            _whole([*words, "--out", str(out)])
        same += (is_same := _contents(out) == expected)
        wrong += not is_same
    return done, same, wrong


def check_run(words: list[str], place: Path, kills: int, rng: random.Random) -> tuple[int, int, int]:
    """Kill; what is left is no run, or one whose tracked frames are those of the undisturbed one."""
    seconds = _whole([*words, "--out", str(place / "whole")])
    expected = open_run(place / "whole")
    done = same = wrong = 0
    while done < kills:
        out = place / f"killed-{done}"
        if not _killed([*words, "--out", str(out)], rng.uniform(0.3, 1.0) * seconds):
            shutil.rmtree(out)
            continue
        done += 1
        try:
            run = open_run(out) if is_run(out) else None
        except InputError:
            run = None
        right = run is None or all(
            np.array_equal(run.masks[t], expected.masks[t])
            and np.array_equal(run.object_pointers[:, t], expected.object_pointers[:, t])
            for t in np.flatnonzero(run.tracked.any(0))
        )
        same += right
        wrong += not right
        shutil.rmtree(out, ignore_errors=True)
    return done, same, wrong


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "napari_sam2_probe.cli", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _whole(words: list[str]) -> float:
    began = time.perf_counter()
    process = _start(words)
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{words}: {said.decode()}")
    return time.perf_counter() - began


def _killed(words: list[str], after: float) -> bool:
    """Start a command, kill it and all that it started after some time; say whether it was still at work."""
    process = _start(words)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _TOLD_ELSEWHERE)
    return {str(path.relative_to(folder)): _without_times(path) for path in files}


def _without_times(path: Path) -> bytes:
    """Return what a file holds but for how long it took to compute it."""
    content = path.read_bytes()
    if path.suffix != ".json" or b'"seconds"' not in content:
        return content
    stored = json.loads(content)
    return json.dumps({name: stored[name] for name in stored if name not in ("seconds", "checksum")}).encode()


if __name__ == "__main__":
    sys.exit(main())
