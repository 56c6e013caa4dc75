"""How much longer a frame takes with a probe attached than in the stock predictor.

Both track the same JPEGs with the same weights in one process, frame by frame in turn, so that whatever else the
machine does falls on both alike. What a run does with a frame is counted: every position observed, statistics and
features computed, small arrays moved off the device.

    python benchmarks/probe_overhead.py --config sam2.1_hiera_t --frames 12
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, predictor_flags
from napari_sam2_probe.models.device import choose_device, describe_device
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

HEIGHT, WIDTH = 480, 854
WARM_UP = 2
"""Frames after the prompted one that aren't counted."""


def write_video(folder: Path, num_frames: int) -> np.ndarray:
    """Write a moving rectangle on a textured ground as JPEGs and return its mask on the first frame."""
    ground = np.random.default_rng(0).integers(0, 256, (48, 86, 3), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(ground).resize((WIDTH, HEIGHT)))
    for t in range(num_frames):
        frame = ground.copy()
        frame[150:300, 100 + 4 * t : 300 + 4 * t] = (200, 60, 30)
        Image.fromarray(frame).save(folder / f"{t:05d}.jpg", quality=95)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[150:300, 100:300] = True
    return mask


def measure(config: str | Path, num_frames: int, device: torch.device) -> list[tuple[float, float, float]]:
    """Return seconds a frame: stock, session, session with a probe."""
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    flags = ModelFlags()
    stock = seeded_model(config, device=device, flags=flags, model_class=SAM2VideoPredictor)
    ours = seeded_model(config, device=device, flags=flags)
    options = SessionOptions(flags=predictor_flags(flags))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        mask = write_video(Path(name), num_frames)
        state = stock.init_state(name)
        stock.add_new_mask(state, 0, 1, mask)
        recorder = ProbeRecorder(num_frames)
        stack.callback(recorder.close)
        plain, probed = (
            stack.enter_context(VideoSession(ours, FolderSource(name), options, observer))
            for observer in (None, recorder)
        )
        for session in (plain, probed):
            session.add_prompt(Prompt.from_mask(0, 1, mask))
        runs = [stock.propagate_in_video(state), plain.propagate(), recorded(probed, recorder)]
        seconds = []
        for frame in range(num_frames):
            row = [0.0] * len(runs)
            # Who comes first changes from frame to frame.
            for k in range(len(runs)):
                which = (frame + k) % len(runs)
                row[which] = timed(runs[which], device)
            seconds.append(tuple(row))
    return seconds[1 + WARM_UP :]


def recorded(session, recorder):
    for result in session.propagate():
        recorder.take()
        yield result


def timed(run, device: torch.device) -> float:
    began = time.perf_counter()
    next(run)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="small", help="small, or an official name such as sam2.1_hiera_t")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    config = SMALL_CONFIG if arguments.config == "small" else arguments.config
    device = choose_device(arguments.device)
    # The stock predictor draws progress bars and says at every frame that it can't fill holes.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        seconds = measure(config, arguments.frames, device)
    stock, plain, probed = (statistics.median(column) for column in zip(*seconds, strict=True))
    by_frame = statistics.median(row[2] / row[0] for row in seconds)
    print(f"{arguments.config}, {len(seconds)} frames of {WIDTH}x{HEIGHT}, {describe_device(device)}")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"median seconds a frame: stock {stock:.4f}, session {plain:.4f}, probed {probed:.4f}")
    print(f"probed / stock: {probed / stock:.3f} (median of the ratios by frame: {by_frame:.3f})")
    print(f"probed / session without a probe: {probed / plain:.3f}")


if __name__ == "__main__":
    main()
