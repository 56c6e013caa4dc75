"""Run every command that writes on a disk that gets full, and with too little memory, and say what became of it.

python tools/limits.py                 all of it, as two tables; exit 1 if one ends badly
python tools/limits.py --only export --levels 2

The disk is a real one where the system lets a small one be mounted (a tmpfs of a few megabytes, which needs root);
elsewhere a limit on the size of files stands for it (RLIMIT_FSIZE). Memory is limited by RLIMIT_AS.

A command ends well if it says one sentence and exits with 2. What it leaves must be nothing, or a run whose tracked
frames are right, or something that the same command goes on with, once there is room, to the same bytes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from kills import _contents

from helpers.small_experiments import small_davis
from napari_sam2_probe.export.registry import EXPORTS
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.reader import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = ["--checkpoint", "sample", "--device", "cpu"]
SHORT = ["--lengths", "2,2,2"]


@dataclass
class Command:
    """One command; OUT in its words is where it writes."""

    words: list[str]
    goes_on: bool = False
    makes_run: bool = False


@dataclass
class Tally:
    """What became of a command at all levels."""

    cases: int = 0
    done: int = 0
    sentences: int = 0
    bad: list[str] = field(default_factory=list)


def commands(davis: Path, run: Path, experiment: Path) -> dict[str, Command]:
    cat = str(davis / "JPEGImages" / "480p" / "cat")
    masks = str(davis / "Annotations" / "480p")
    every = {
        "transform": Command(["transform", "obscuration", "--davis", str(davis), "--samples", "3", *SHORT, "--workers",
                              "1", "--out", "OUT"], goes_on=True),
        "run": Command(["run", cat, "--point", "80,60", "--out", "OUT", *MODEL], makes_run=True),
        "run --keep-frames": Command(["run", cat, "--point", "80,60", "--end", "1", "--keep-frames", "--out", "OUT",
                                      *MODEL], makes_run=True),
        "experiment": Command(["experiment", "--davis", str(davis), "--kinds", "clean", "--samples", "2",
                               "--batch-size", "1", *SHORT, "--out", "OUT", *MODEL], goes_on=True),
        "protocols": Command(["protocols", "--davis", str(davis), "--prompts", "mask", "--interactive", "none",
                              "--out", "OUT", *MODEL], goes_on=True),
        "report": Command(["report", str(experiment), "--out", "OUT"]),
        "evaluate": Command(["evaluate", "--gt", masks, "--pred", masks, "--out", "OUT"]),
        "decoder fit": Command(["decoder", "fit", "--davis", str(davis), "--out", "OUT", "--weight-decay", "1",
                                *MODEL]),
        "explain": Command(["explain", str(run), "--frame", "2", "--out", "OUT"]),
    }  # fmt: skip
    for what, formats in EXPORTS.items():
        for name in formats:
            words = ["export", str(run), "--what", what, "--format", name, "--out", "OUT"]
            every[f"export {what} {name}"] = Command(words)
    return every


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=int, default=3, help="how full or small, for each command")
    parser.add_argument("--only", default="", help="commands whose name holds this")
    parser.add_argument("--skip", choices=("disk", "memory"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        davis, run, experiment = small_davis(place / "davis"), place / "run", place / "experiment"
        for path, words in (
            (run, commands(davis, run, experiment)["run"].words),
            (experiment, commands(davis, run, experiment)["experiment"].words),
        ):
            if start(words, path)[0]:
                raise RuntimeError(f"{words} doesn't work at all")
        chosen = {n: c for n, c in commands(davis, run, experiment).items() if arguments.only in n}
        tables = {}
        if arguments.skip != "disk":
            tables["full disk"] = {n: full_disk(c, place, arguments.levels) for n, c in chosen.items()}
        if arguments.skip != "memory":
            tables["little memory"] = {n: little_memory(c, place, arguments.levels) for n, c in chosen.items()}
    for title, tallies in tables.items():
        sys.stdout.write(f"\n| {title} | cases | done nevertheless | one sentence | ended badly |\n")
        sys.stdout.write("| --- | --: | --: | --: | --: |\n")
        for name, tally in tallies.items():
            sys.stdout.write(f"| `{name}` | {tally.cases} | {tally.done} | {tally.sentences} | {len(tally.bad)} |\n")
            for said in tally.bad:
                sys.stderr.write(f"{title}, {name}: {said}\n")
    return int(any(tally.bad for tallies in tables.values() for tally in tallies.values()))


def full_disk(command: Command, place: Path, levels: int) -> Tally:
    tally = Tally()
    whole = place / "whole" / "out"
    whole.parent.mkdir()
    start(command.words, whole)
    needed = sum(path.stat().st_size for path in [whole, *whole.rglob("*")] if path.is_file())
    expected = _contents(whole) if command.goes_on else {}
    for level in range(levels):
        share = (level + 0.5) / levels
        with small_disk(place / "small", int(needed * share)) as (disk, limit):
            out = disk / "out"
            code, said = start(command.words, out, limit)
            judge(tally, code, said, f"{share:.0%} of {needed} bytes")
            if code == 0:
                continue
            if command.makes_run and is_run(out):
                compare_runs(tally, out, whole, f"{share:.0%}")
            elif not (command.goes_on or command.makes_run) and any(path.is_file() for path in disk.rglob("*")):
                left = [path.name for path in disk.rglob("*") if path.is_file()]
                # A folder of figures is written one by one, each of them whole.
                if command.words[0] != "explain":
                    tally.bad.append(f"{share:.0%}: left {left[:3]}")
            if command.goes_on and limit is None:
                subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
                if start(command.words, out)[0] or _contents(out) != expected:
                    tally.bad.append(f"{share:.0%}: gone on with, it differs")
    shutil.rmtree(whole.parent)
    return tally


def little_memory(command: Command, place: Path, levels: int) -> Tally:
    """From what Python alone needs to what the command needs, as found by halving."""
    tally = Tally()
    low, high = 256, 16384
    for _ in range(levels):
        limit = int((low * high) ** 0.5)
        out = place / "little"
        code, said = start(command.words, out, ("memory", limit << 20))
        judge(tally, code, said, f"{limit} MiB")
        if code == 0:
            high = limit
        else:
            low = limit
        shutil.rmtree(out, ignore_errors=True)
        out.unlink(missing_ok=True)
    return tally


def judge(tally: Tally, code: int, said: str, at: str) -> None:
    tally.cases += 1
    lines = [line for line in said.splitlines() if line.strip()]
    if code == 0:
        tally.done += 1
    elif code == 2 and lines and lines[-1].startswith("sam2-probe: ") and "Traceback" not in said:
        tally.sentences += 1
    else:
        tally.bad.append(f"{at}: exit {code}, {lines[-1] if lines else 'nothing said'}")


def compare_runs(tally: Tally, out: Path, whole: Path, at: str) -> None:
    run, expected = open_run(out), open_run(whole)
    for t in np.flatnonzero(run.tracked.any(0)):
        if not np.array_equal(run.masks[t], expected.masks[t]):
            tally.bad.append(f"{at}: frame {t} differs")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[tuple[Path, tuple[str, int] | None]]:
    """Give a folder on a disk of that size; where none can be mounted, an ordinary folder and a limit on files."""
    folder.mkdir()
    pages = max(size, 1 << 14) // 4096 * 4096
    mounted = (
        os.name == "posix"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={pages}", "tmpfs", str(folder)], capture_output=True
        ).returncode
    )
    try:
        yield folder, None if mounted else ("file", max(size // 8, 4096))
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


def start(words: list[str], out: Path, limit: tuple[str, int] | None = None) -> tuple[int, str]:
    """Run a command; return its exit code and what it said to stderr."""

    def set_limit() -> None:
        if limit is not None:
            which = resource.RLIMIT_AS if limit[0] == "memory" else resource.RLIMIT_FSIZE
            resource.setrlimit(which, (limit[1], limit[1]))

    try:
        done = subprocess.run(
            [sys.executable, "-m", "napari_sam2_probe.cli", *(str(out) if word == "OUT" else word for word in words)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=300,
            preexec_fn=set_limit,
        )
    except subprocess.TimeoutExpired:
        return -1, "hang"
    return done.returncode, done.stderr.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
