"""What it costs to record where memory attention looks, and to blame the entries of a bank.

Two sessions with a probe track the same video with the same weights in one process, frame by frame in turn, one of them
recording attention from 256 queries. Then entries of a frame's bank are dropped one by one; a pass is compared with
tracking a frame without its image features, which are not computed again.

    python benchmarks/memory_causes.py --config sam2.1_hiera_t --frames 10
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import torch
from probe_overhead import recorded, timed, write_video

from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, predictor_flags
from napari_sam2_probe.models.device import choose_device, describe_device
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource


def measure(config: str | Path, num_frames: int, device: torch.device) -> tuple[list[tuple[float, float]], list[float]]:
    """Return seconds a frame, probed without and with attention; and of a frame tracked again, plain, then blamed."""
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
        seconds = []
        for frame in range(num_frames):
            row = [0.0, 0.0]
            for k in (frame % 2, 1 - frame % 2):
                row[k] = timed(runs[k], device)
            seconds.append((row[0], row[1]))
        last = num_frames - 1
        passes = [repeated(sessions[0], last, [])]
        for entry in sessions[0].bank(last, 1).entries:
            edit = {"edit": "drop", "target": entry.kind, "entries": {"frames": [entry.frame]}}
            passes.append(repeated(sessions[0], last, parse_edits([edit])))
    return seconds[3:], passes


def repeated(session: VideoSession, frame: int, edits) -> float:
    began = time.perf_counter()
    session.repeat(frame, 1, edits)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="small", help="small, or an official name such as sam2.1_hiera_t")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    config = SMALL_CONFIG if arguments.config == "small" else arguments.config
    device = choose_device(arguments.device)
    seconds, passes = measure(config, arguments.frames, device)
    plain, looking = (statistics.median(column) for column in zip(*seconds, strict=True))
    ratio = statistics.median(b / a for a, b in seconds)
    print(f"{arguments.config}, {len(seconds)} frames, {describe_device(device)}, torch {torch.__version__}")
    print(f"median seconds a frame, probed: {plain:.4f}; recording attention too: {looking:.4f}")
    print(f"ratio: {looking / plain:.3f} (median of the ratios by frame: {ratio:.3f})")
    print(
        f"blame: {len(passes) - 1} entries, {statistics.median(passes[1:]):.4f} s a pass; "
        f"the same pass without an edit: {passes[0]:.4f} s, a tracked frame {plain:.4f} s"
    )


if __name__ == "__main__":
    main()
