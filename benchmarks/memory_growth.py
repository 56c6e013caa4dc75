"""Whether memory grows with the length of a video, and whether numbers survive being spilled to disk.

Tracks videos of two lengths with a probe attached, each in a process of its own, and compares the resident memory
at the end. The small configuration's tensors are a sixteenth of the official ones, so the budgets for features and
outputs are a sixteenth of the defaults: as in real use they are full long before the shorter video ends.

Then corrects an early frame of a tracked video and tracks on, with outputs spilled and with all of them in memory.

    python benchmarks/memory_growth.py
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import subprocess
import sys

import numpy as np
import psutil

HEIGHT, WIDTH = 144, 256
DEFAULT_SHARE = 16
ALLOWED_GROWTH = 0.10


class GeneratedSource:
    """A moving rectangle on a textured ground, drawn when a frame is read; no frame is held."""

    name, path, fps, scaling = "generated", None, None, None
    height, width = HEIGHT, WIDTH

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames
        self._ground = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)

    def read(self, frame_idx: int) -> np.ndarray:
        frame = self._ground.copy()
        frame[self.box(frame_idx)] = (200, 60, 30)
        return frame

    def box(self, frame_idx: int) -> tuple[slice, slice]:
        x = 20 + abs(frame_idx % 200 - 100)
        return slice(50, 100), slice(x, x + 60)

    def fingerprint(self) -> str:
        return "0" * 64

    def close(self) -> None: ...


def session_on(num_frames: int, *, spill: bool):
    import torch

    from napari_sam2_probe.families.loading import seeded_model
    from napari_sam2_probe.probe.recorder import ProbeRecorder
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import SessionOptions
    from napari_sam2_probe.tracking.session import VideoSession

    torch.set_num_threads(1)
    default, source = SessionOptions(), GeneratedSource(num_frames)
    options = SessionOptions(
        feature_budget=default.feature_budget // DEFAULT_SHARE,
        output_budget=default.output_budget // DEFAULT_SHARE if spill else 2**40,
    )
    recorder = ProbeRecorder(num_frames)
    session = VideoSession(seeded_model(), source, options, recorder)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[source.box(0)] = True
    session.add_prompt(Prompt.from_mask(0, 1, mask))
    return session, recorder


def resident_mebibytes(num_frames: int) -> float:
    session, recorder = session_on(num_frames, spill=True)
    for _ in session.propagate():
        recorder.take()
    recorder.features(1)
    gc.collect()
    resident = psutil.Process().memory_info().rss / 2**20
    session.close()
    recorder.close()
    return resident


def corrected_digest(num_frames: int, *, spill: bool) -> str:
    from napari_sam2_probe.tracking.prompts import Prompt

    digest = hashlib.sha256()
    session, recorder = session_on(num_frames, spill=spill)
    for _ in session.propagate():
        recorder.take()
    session.add_prompt(Prompt.from_points(5, 1, [[110.0, 75.0], [10.0, 10.0]], [1, 0]))
    for result in session.propagate("forward", 5, 25):
        digest.update(result.mask_logits.numpy().tobytes() + result.object_scores.tobytes())
    digest.update(np.nan_to_num(recorder.features(1).values).tobytes())
    for result in session.propagate("backward", num_frames - 1, num_frames - 10):
        digest.update(result.mask_logits.numpy().tobytes())
    session.close()
    recorder.close()
    return digest.hexdigest()


def in_a_process(what: str, num_frames: int):
    command = [sys.executable, __file__, "--only", what, "--frames", str(num_frames)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=200)
    parser.add_argument("--long", type=int, default=2000)
    parser.add_argument("--only", choices=["resident", "spilled", "held"], help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only == "resident":
        print(json.dumps(resident_mebibytes(arguments.frames)))
        return 0
    if arguments.only:
        print(json.dumps(corrected_digest(arguments.frames, spill=arguments.only == "spilled")))
        return 0
    short, long = (in_a_process("resident", n) for n in (arguments.short, arguments.long))
    growth = long / short - 1
    same = in_a_process("spilled", arguments.short) == in_a_process("held", arguments.short)
    print(f"resident memory: {short:.0f} MiB at {arguments.short} frames, {long:.0f} MiB at {arguments.long} frames")
    print(f"growth {growth:+.1%} (allowed {ALLOWED_GROWTH:.0%})")
    print(f"a correction on an early frame with outputs spilled: {'the same' if same else 'OTHER'} numbers")
    return int(growth > ALLOWED_GROWTH or not same)


if __name__ == "__main__":
    raise SystemExit(main())
