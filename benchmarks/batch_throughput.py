"""How many frames a second a batch of clips is tracked and probed at, against the stock predictor clip by clip.

Both track the same JPEGs with the same weights in one process, in turn, so that whatever else the machine does falls
on both alike; the median of the rounds' ratios counts. On a CPU the processor time is compared too, which other
programs hardly change. Of both everything counts from the files to masks in memory,
and of the batch engine also the probe: every position observed, features computed, pointers and features handed over.

    python benchmarks/batch_throughput.py --config sample --batch 1 2 4                              # a CPU
    python benchmarks/batch_throughput.py --config sam2.1_hiera_t --device cuda --dtype bfloat16     # a GPU
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

from napari_sam2_probe.families.loading import build_model, seeded_model
from napari_sam2_probe.models.checkpoints import resolve
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, predictor_flags
from napari_sam2_probe.models.device import choose_device, choose_dtype, computing, describe_device
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.video.folder import FolderSource


class Clips:
    """Rectangles that move over textured grounds, as JPEGs, with their masks on the first frame."""

    def __init__(self, folder: Path, count: int, num_frames: int, height: int, width: int) -> None:
        self.num_frames = num_frames
        self.folders, self.masks = [], []
        for k in range(count):
            self.folders.append(folder / f"{k:03d}")
            self.folders[-1].mkdir()
            rng = np.random.default_rng(k)
            ground = Image.fromarray(rng.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8))
            ground = np.asarray(ground.resize((width, height)))
            top, left = rng.integers(0, height // 2), rng.integers(0, width // 3)
            boxes = [
                (slice(top, top + height // 4), slice(left + 3 * t, left + 3 * t + width // 4))
                for t in range(num_frames)
            ]
            for t, box in enumerate(boxes):
                frame = ground.copy()
                frame[box] = (200, 60, 30)
                Image.fromarray(frame).save(self.folders[-1] / f"{t:05d}.jpg", quality=95)
            mask = np.zeros((height, width), bool)
            mask[boxes[0]] = True
            self.masks.append(mask)


def models(config: str, device: torch.device):
    """Return the stock predictor and ours with the same weights, and the options of a session."""
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    flags = ModelFlags()
    if config == "sample":
        checkpoint = resolve("sample")
        stock = build_model(None, checkpoint, device, flags, model_class=SAM2VideoPredictor)
        ours = build_model(None, checkpoint, device, flags)
    else:
        path = SMALL_CONFIG if config == "small" else config
        stock = seeded_model(path, device=device, flags=flags, model_class=SAM2VideoPredictor)
        ours = seeded_model(path, device=device, flags=flags)
    return stock, ours, flags


def run_stock(stock, clips: Clips, device: torch.device, dtype: torch.dtype) -> list[list[np.ndarray]]:
    masks = []
    for folder, mask in zip(clips.folders, clips.masks, strict=True):
        with computing(device, dtype):
            state = stock.init_state(str(folder))
            stock.add_new_mask(state, 0, 1, mask)
            masks.append([(logits[0, 0] > 0).cpu().numpy() for _, _, logits in stock.propagate_in_video(state)])
    return masks


def run_batches(ours, clips: Clips, size: int, options: SessionOptions, *, probe: bool) -> list[list[np.ndarray]]:
    masks = []
    for first in range(0, len(clips.folders), size):
        chosen = slice(first, first + size)
        sources = [FolderSource(folder) for folder in clips.folders[chosen]]
        present = np.ones((len(sources), clips.num_frames), bool)
        recorder = BatchRecorder(clips.num_frames, present) if probe else None
        with BatchTracker(ours, sources, clips.masks[chosen], options, recorder) as tracker:
            frames = [frame.masks() for frame in tracker.track()]
        masks += [list(of_clip) for of_clip in zip(*frames, strict=True)]
        if recorder is not None:
            assert np.isfinite(recorder.values()[:, :, 2:]).all()
            recorder.pointers(), recorder.pointers(raw=True)
    return masks


def least_iou(a: list[list[np.ndarray]], b: list[list[np.ndarray]]) -> float:
    pairs = [pair for clips in zip(a, b, strict=True) for pair in zip(*clips, strict=True)]
    return min((x & y).sum() / max(1, (x | y).sum()) if x.any() or y.any() else 1.0 for x, y in pairs)


def timed(run, device: torch.device) -> tuple[float, float]:
    """Return seconds, and seconds of all processors."""
    began, busy = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, time.process_time() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="sample", help="sample, small, or an official name (seeded weights)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=28)
    parser.add_argument("--size", default="854x480", help="of the clips")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-probe", action="store_true", help="leave the probe out, to see its cost")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    dtype = choose_dtype(arguments.dtype, device)
    width, height = map(int, arguments.size.split("x"))
    stock, ours, flags = models(arguments.config, device)
    options = SessionOptions(flags=predictor_flags(flags), dtype=dtype)
    print(f"{arguments.config}, {str(dtype).removeprefix('torch.')}, {describe_device(device)}")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{arguments.clips} clips of {arguments.frames} frames of {width}x{height}, {arguments.rounds} rounds")
    with tempfile.TemporaryDirectory() as name:
        clips = Clips(Path(name), arguments.clips, arguments.frames, height, width)
        count = arguments.clips * arguments.frames

        def stock_run():
            # The stock predictor draws progress bars and says at every frame that it can't fill holes.
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                return run_stock(stock, clips, device, dtype)

        sizes = [size for size in arguments.batch if size <= arguments.clips]
        runs = {
            size: lambda size=size: run_batches(ours, clips, size, options, probe=not arguments.no_probe)
            for size in sizes
        }
        expected = stock_run()
        agreement = {size: least_iou(run(), expected) for size, run in runs.items()}
        seconds = {key: [] for key in ("stock", *sizes)}
        for _ in range(arguments.rounds):
            seconds["stock"].append(timed(stock_run, device))
            for size, run in runs.items():
                seconds[size].append(timed(run, device))
    print(f"stock, clip by clip: {rate(seconds['stock'], count):.2f} frames a second")
    for size in sizes:
        speed, work = (ratio(seconds["stock"], seconds[size], which) for which in (0, 1))
        by_work = f" (by processor time {work:.2f})" if device.type == "cpu" else ""
        print(f"batch of {size}: {rate(seconds[size], count):.2f} frames a second, {speed:.2f} times stock{by_work}")
        print(f"    masks against stock: least IoU {agreement[size]:.4f}")


def rate(seconds: list[tuple[float, float]], count: int) -> float:
    return count / statistics.median(wall for wall, _ in seconds)


def ratio(stock: list[tuple[float, float]], ours: list[tuple[float, float]], which: int) -> float:
    return statistics.median(a[which] / b[which] for a, b in zip(stock, ours, strict=True))


if __name__ == "__main__":
    main()
