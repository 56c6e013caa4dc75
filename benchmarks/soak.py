"""Record one very long run and watch memory and pace: both have to stay flat.

    python benchmarks/soak.py                              10,000 frames of the small configuration, to a run on disk
    python benchmarks/soak.py --seconds 480 --plot soak.png  as far as it comes in eight minutes

Everything is on, as in `sam2-probe run`: masks, maps, pointers and features are written to disk frame by frame. Frames
are drawn when they are read. Memory is the resident one of the process, read every 50 frames.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from memory_growth import HEIGHT, WIDTH, GeneratedSource

from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import iterate_run
from napari_sam2_probe.tracking.prompts import Prompt

EVERY = 50
WARM = 1000
"""Frames until the budgets for features and outputs are full."""
ALLOWED_GROWTH = 0.10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw memory and pace")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write what was measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    place = Path(tempfile.mkdtemp())
    try:
        measured = soak(arguments.frames, arguments.seconds, place / "run")
    finally:
        shutil.rmtree(place)
    growth = measured["growth"]
    print(
        f"{measured['tracked']} frames recorded; resident memory {measured['memory'][0][1]:.0f} MiB at first, "
        f"{measured['warm']:.0f} MiB after {WARM} frames, {measured['memory'][-1][1]:.0f} MiB at the end "
        f"({growth:+.1%}, allowed {ALLOWED_GROWTH:.0%}); {1e3 * measured['first_pace']:.0f} ms a frame in the first "
        f"tenth, {1e3 * measured['last_pace']:.0f} ms in the last; opening the run {measured['opened']:.2f} s"
    )
    if arguments.out:
        arguments.out.write_text(json.dumps(measured) + "\n")
    if arguments.plot:
        draw(measured, arguments.plot)
    return int(growth > ALLOWED_GROWTH)


def soak(num_frames: int, seconds: float, out: Path) -> dict:
    source = GeneratedSource(num_frames)
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    model = Model(seeded_model(), checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[source.box(0)] = True
    process, began = psutil.Process(), time.perf_counter()
    memory, times = [], []
    frames = iterate_run(source, [Prompt.from_mask(0, 1, mask)], out, model)
    for done, _ in enumerate(frames):
        times.append(time.perf_counter() - began)
        if done % EVERY == 0:
            memory.append((done, process.memory_info().rss / 2**20))
        if times[-1] > seconds:
            frames.close()
            break
    start = time.perf_counter()
    tracked = int(open_run(out).tracked.sum())
    opened = time.perf_counter() - start
    tenth = max(len(times) // 10, 1)
    warm = next((mebibytes for t, mebibytes in memory if t >= WARM), memory[-1][1])
    return {
        "tracked": tracked,
        "asked": num_frames,
        "memory": memory,
        "warm": warm,
        "growth": memory[-1][1] / warm - 1,
        "seconds": times[:: max(len(times) // 500, 1)],
        "first_pace": times[tenth - 1] / tenth,
        "last_pace": (times[-1] - times[-tenth - 1]) / tenth,
        "opened": opened,
    }


def draw(measured: dict, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    frames, mebibytes = np.array(measured["memory"]).T
    axes.plot(frames, mebibytes, color="#0072b2")
    axes.set_ylim(0, 1.3 * mebibytes.max())
    axes.set_xlabel("frame")
    axes.set_ylabel("resident memory (MiB)")
    axes.set_title(
        f"One run of {measured['tracked']:,} frames, recorded to disk".replace(",", " "), loc="left", fontsize=10
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
