"""What it costs to record where memory attention looks, and to blame the entries of a bank.

Two sessions with a probe track the same video with the same weights in one process, frame by frame in turn, one of them
recording attention from 256 queries. Ratios are of processor time, of the clock, and frame by frame: beside other work
the processor's tell most. Then a frame is blamed: the time of it all beside that of as many passes without an edit as
its bank has entries and groups; image features are not computed again.

    python benchmarks/memory_causes.py --config sam2.1_hiera_t --frames 10
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from probe_overhead import recorded, write_video

from napari_sam2_probe.causes.explain import blame
from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, predictor_flags
from napari_sam2_probe.models.device import choose_device, describe_device
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

CLOCKS = ("clock", "processor")


@dataclass(frozen=True)
class Costs:
    """Seconds of the clock and of the processor.

    Attributes
    ----------
    frames
        (N, 2, 2): by frame, without and with attention, clock and processor.
    passes
        (N, 2): of one pass of the last frame without an edit.
    blame
        (2,): of the last frame's blame.
    num_rows
        Entries of its bank, and groups.
    """

    frames: np.ndarray
    passes: np.ndarray
    blame: np.ndarray
    num_rows: int


def measure(config: str | Path, num_frames: int, device: torch.device) -> Costs:
    """Track with and without recorded attention in turn, then blame the last frame."""
    flags = ModelFlags()
    model = seeded_model(config, device=device, flags=flags)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        mask = write_video(Path(name), num_frames)
        runs, sessions = [], []
        for detail in ("none", "sampled"):
            recorder = ProbeRecorder(num_frames)
            stack.callback(recorder.close)
            options = SessionOptions(flags=predictor_flags(flags), attention=detail)
            session = stack.enter_context(VideoSession(model, FolderSource(name), options, recorder))
            session.add_prompt(Prompt.from_mask(0, 1, mask))
            sessions.append(session)
            runs.append(recorded(session, recorder))
        frames = np.zeros((num_frames, 2, 2))
        for frame in range(num_frames):
            for k in (frame % 2, 1 - frame % 2):
                frames[frame, k] = timed(lambda k=k: next(runs[k]), device)
        _print_frames(frames[3:])
        last = num_frames - 1
        passes = np.array([timed(lambda: sessions[0].repeat(last, 1), device) for _ in range(4)])
        rows: list[dict] = []
        cost = timed(lambda: rows.extend(blame(sessions[0], last, 1)), device)
    return Costs(frames[3:], passes[1:], cost, len(rows))


def timed(work, device: torch.device) -> np.ndarray:
    """Return the seconds of the clock and of the processor that work takes."""
    began = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return np.array([time.perf_counter() - began[0], time.process_time() - began[1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="small", help="small, or an official name such as sam2.1_hiera_t")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    config = SMALL_CONFIG if arguments.config == "small" else arguments.config
    device = choose_device(arguments.device)
    costs = measure(config, arguments.frames, device)
    print(f"{arguments.config}, {describe_device(device)}, torch {torch.__version__}")
    for of, name in enumerate(CLOCKS):
        unedited = np.median(costs.passes[:, of])
        print(
            f"{name}: blame {costs.blame[of]:.2f} s, {costs.num_rows} passes of {unedited:.3f} s are "
            f"{costs.num_rows * unedited:.2f} s; ratio {costs.blame[of] / (costs.num_rows * unedited):.3f}"
        )


def _print_frames(frames: np.ndarray) -> None:
    for of, name in enumerate(CLOCKS):
        plain, looking = frames[:, 0, of], frames[:, 1, of]
        print(
            f"{name}: {np.median(plain):.3f} s a frame, probed; recording attention too, {np.median(looking):.3f} s; "
            f"ratio of sums {looking.sum() / plain.sum():.3f}, median of the ratios by frame "
            f"{np.median(looking / plain):.3f}, from {len(frames)} frames",
            flush=True,
        )


if __name__ == "__main__":
    main()
