"""How long a run of 2,000 frames takes to open, and a step of the time slider: its masks and the video's frame.

    python benchmarks/opening.py [--frames N]

The run is written as a tracked one is, with made-up contents at 480 x 854. The first picture should come in less than
a second, a step in less than 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.video import open_video

HEIGHT, WIDTH = 480, 854
FIRST_SECONDS, STEP_SECONDS = 1.0, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    num_frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), num_frames)
        start = time.perf_counter()
        run = open_run(Path(folder) / "run")
        video = open_video(Path(folder) / "video")
        look(run, video, num_frames // 3)
        first = time.perf_counter() - start
        steps = []
        for t in np.random.default_rng(0).integers(0, num_frames, 100):
            start = time.perf_counter()
            look(run, video, int(t))
            steps.append(time.perf_counter() - start)
    step = statistics.median(steps)
    print(f"{num_frames} frames of {WIDTH} x {HEIGHT}: first picture {first:.2f} s, a step {1e3 * step:.0f} ms")
    return int(first > FIRST_SECONDS or step > STEP_SECONDS)


def write(folder: Path, num_frames: int) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    (folder / "video").mkdir()
    Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(folder / "video" / "00000.jpg")
    for t in range(1, num_frames):
        (folder / "video" / f"{t:05d}.jpg").hardlink_to(folder / "video" / "00000.jpg")
    info = {"video": {"path": str(folder / "video"), "name": "made up", "num_frames": num_frames}}
    writer = RunWriter(folder / "run", (1,), (num_frames, HEIGHT, WIDTH), 256, info)
    mask = np.zeros((1, HEIGHT, WIDTH), bool)
    mask[:, 100:300, 200:400] = True
    numbers = np.ones(1, np.float32)
    for t in range(num_frames):
        writer.write_frame(
            t, mask[0].astype(np.uint16), mask, object_scores=numbers, predicted_iou=numbers, prompted=[t == 0],
            object_present=[True],
        )  # fmt: skip
    writer.finish()


def look(run: object, video: object, t: int) -> None:
    np.asarray(run.masks[t])
    video.read(t)


if __name__ == "__main__":
    sys.exit(main())
