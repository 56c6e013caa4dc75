"""Measure the sample model: ``python -m tools.sample_model.evaluate --weights FILE --davis ROOT --out RESULT.json``.

Tracking is the project's own session on the stock flags. J of a video is the mean over tracked frames (the prompted
frame is left out) in which the object is visible. Intervals are 95 %, by a bootstrap that draws whole clips (or whole
sequences). Held-out clips keep one mix of events, whatever training's is, so that results can be compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt

from napari_sam2_probe.analysis.auroc import auroc_estimate
from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate
from napari_sam2_probe.families.loading import build_model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.davis import DavisDataset
from tools.sample_model.bank import build_bank
from tools.sample_model.model import CONFIG
from tools.sample_model.render import ClipRenderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]
    Masks = NDArray[np.bool_]
    Asker = Callable[[VideoSession, Masks], None]

LENGTH = 28
EVENT = (12, 16)
PACE = 0.5
_EVENT_PROBABILITY = (0.58, 0.13, 0.13, 0.08, 0.08)
_SEED = 20_000


def overlap(first: Masks, second: Masks) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


def _middle(region: Masks) -> tuple[float, float]:
    """The pixel furthest from a region's edge, x and y of its centre."""
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), region.shape)
    return x + 0.5, y + 0.5


def _by_mask(session: VideoSession, mask: Masks) -> None:
    session.add_prompt(Prompt.from_mask(0, 1, mask))


def _by_box(session: VideoSession, mask: Masks) -> None:
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    session.add_prompt(Prompt.from_points(0, 1, box=box))


def _by_click(session: VideoSession, mask: Masks) -> None:
    session.add_prompt(Prompt.from_points(0, 1, [_middle(mask)], [1]))


def _by_two_clicks(session: VideoSession, mask: Masks) -> None:
    first = _middle(mask)
    guess = session.add_prompt(Prompt.from_points(0, 1, [first], [1])).masks()[0]
    missing, excess = mask & ~guess, guess & ~mask
    add = missing.sum() >= excess.sum()
    wrong = missing if add else excess
    second = _middle(wrong if wrong.any() else mask)
    session.add_prompt(Prompt.from_points(0, 1, [first, second], [1, int(add)]))


PARTS = ("speed", "videos", "rendered", "events", "kinds")
"""What can be measured: sample and DAVIS videos are ``videos``, cuts and removals in rendered clips ``events``."""

PROMPTS: dict[str, Asker] = {"mask": _by_mask, "box": _by_box, "click": _by_click, "two clicks": _by_two_clicks}


def track(model: Any, frames: Frames, mask: Masks, ask: Asker = _by_mask) -> tuple[Masks, NDArray[np.float64]]:
    """Masks ``(T, H, W)`` and object scores ``(T,)`` of one object, prompted on frame 0."""
    masks = np.zeros(frames.shape[:3], bool)
    scores = np.full(len(frames), np.nan)
    with VideoSession(model, ArraySource(frames)) as session:
        ask(session, mask)
        for result in session.propagate():
            masks[result.frame_idx] = result.masks()[0]
            scores[result.frame_idx] = result.object_scores[0]
    return masks, scores


def _frame_overlaps(truth: Masks, found: Masks) -> NDArray[np.float64]:
    """J of each frame after the first, NaN where the object is not visible."""
    return np.array([overlap(a, b) if a.any() else np.nan for a, b in zip(truth[1:], found[1:], strict=True)])


def _mean_overlap(values: NDArray[np.float64]) -> float:
    """Mean of frames' overlaps; NaN where the object is visible in none."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _row(name: str, estimate: Estimate) -> dict[str, Any]:
    """A number and its interval, as results hold them."""
    return {name: estimate.value, f"{name} interval": [estimate.low, estimate.high]}


def held_out_renderer() -> ClipRenderer:
    """Clips of photographs, textures and outlines that are not in training."""
    return ClipRenderer(build_bank("held_out", crops=60, count=200), event_probability=_EVENT_PROBABILITY)


def _clips(renderer: ClipRenderer, count: int, **options: Any) -> Iterator[tuple[Frames, Masks]]:
    """Held-out clips, rendered in pairs so that a cut has another scene to show."""
    for index in range(-(-count // 2)):
        batch = renderer.render((_SEED, index), clips=2, frames=LENGTH, pace=PACE, **options)
        for b in range(min(2, count - 2 * index)):
            frames = (batch.frames[b] * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
            yield frames, batch.masks[b].numpy()


def rendered(model: Any, renderer: ClipRenderer, count: int, kind: str) -> dict[str, Any]:
    """J on held-out clips with their mix of events, by the kind of prompt."""
    values, copied, first = [], [], []
    for frames, truth in _clips(renderer, count):
        found, _ = track(model, frames, truth[0], PROMPTS[kind])
        first.append(overlap(truth[0], found[0]))
        values.append(_mean_overlap(_frame_overlaps(truth, found)))
        copied.append(_mean_overlap(_frame_overlaps(truth, np.broadcast_to(truth[0], truth.shape))))
    return _row("J", mean_estimate(values, np.arange(len(values)))) | {
        "copying": float(np.nanmean(copied)),
        "first frame": float(np.mean(first)),
        "clips": len(values),
    }


def absence(model: Any, renderer: ClipRenderer, count: int, event: str) -> dict[str, Any]:
    """AUROC of the object score against absence in frames 12-15, and J after it against before."""
    present, scores, clips, before, after, alarms = [], [], [], [], [], []
    for index, (frames, truth) in enumerate(_clips(renderer, count, event=event, event_frames=EVENT)):
        found, score = track(model, frames, truth[0])
        visible = truth.any((1, 2))
        present.extend(visible[1:])
        scores.extend(score[1:])
        clips.extend([index] * len(score[1:]))
        values = _frame_overlaps(truth, found)
        before.append(_mean_overlap(values[: EVENT[0] - 1]))
        after.append(_mean_overlap(values[EVENT[1] - 1 :]))
        alarms.append(found[EVENT[0] : EVENT[1]].any((1, 2)).mean())
    everything = np.arange(len(before))
    return (
        _row("AUROC", auroc_estimate(scores, present, clips))
        | _row("prefix J", mean_estimate(before, everything))
        | _row("suffix J", mean_estimate(after, everything))
        | _row("suffix minus prefix", mean_estimate(np.subtract(after, before), everything))
        | {"mask on absent frames": float(np.mean(alarms)), "clips": len(before)}
    )


def sequences(root: Path, length: int) -> Iterator[tuple[str, Frames, NDArray[np.uint8]]]:
    """Name, frames and labels of the first ``length`` frames of each sequence of a DAVIS folder."""
    for folder in sorted((root / "JPEGImages" / "480p").iterdir()):
        files = sorted(folder.glob("*.jpg"))[:length]
        frames = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        annotations = root / "Annotations" / "480p" / folder.name
        yield folder.name, frames, np.stack([np.asarray(Image.open(annotations / f"{f.stem}.png")) for f in files])


def dataset(model: Any, root: Path, length: int, names: set[str] | None = None) -> dict[str, Any]:
    """Mean J by sequence (over its objects) with the first mask given, and that of copying it.

    Where objects are out of sight in some frames, also the AUROC of the object score.
    """
    rows: dict[str, dict[str, float]] = {}
    visible, scores, places = [], [], []
    for name, frames, labels in sequences(root, length):
        if names is not None and name not in names:
            continue
        values, copied = [], []
        for label in np.unique(labels[0][(labels[0] > 0) & (labels[0] < 255)]):
            truth = labels == label
            found, score = track(model, frames, truth[0])
            values.append(_mean_overlap(_frame_overlaps(truth, found)))
            copied.append(_mean_overlap(_frame_overlaps(truth, np.broadcast_to(truth[0], truth.shape))))
            visible.extend(truth.any((1, 2))[1:])
            scores.extend(score[1:])
            places.extend([name] * len(score[1:]))
        rows[name] = {"J": float(np.mean(values)), "copying": float(np.mean(copied)), "objects": len(values)}
    result = _row("J", mean_estimate([row["J"] for row in rows.values()], list(rows)))
    result["copying"] = float(np.mean([row["copying"] for row in rows.values()]))
    if not all(visible):
        result |= _row("AUROC", auroc_estimate(scores, visible, places))
    return result | {"sequences": rows}


def transformed(model: Any, kind: str, count: int, seed: int = 0) -> dict[str, Any]:
    """The same for clips of one kind, made from the sample videos."""
    order = ClipSpec(kind=kind, seed=seed, options=KINDS.find(kind).read_options())
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(DavisDataset(CONFIG.parents[1]), folder, order, count, workers=1)
        return dataset(model, Path(folder), LENGTH)


def speed(model: Any, root: Path) -> dict[str, float]:
    """Seconds a tracked frame, with reading, resizing and the probe: by the clock, and of the processor."""
    _, frames, labels = next(sequences(root, LENGTH))
    begin, spent = time.perf_counter(), time.process_time()
    recorder = ProbeRecorder(len(frames))
    with VideoSession(model, ArraySource(frames), observer=recorder) as session:
        _by_mask(session, labels[0] == labels[0].max())
        for _ in session.propagate():
            recorder.take()
    recorder.close()
    wall, processor = time.perf_counter() - begin, time.process_time() - spent
    return {"clock": wall / len(frames), "processor": processor / len(frames)}


def load(weights: Path, config: Path = CONFIG) -> Any:
    """The model with these weights, as users get it."""
    return build_model(None, CheckpointFile("sample", weights, config), torch.device("cpu"))


def measured(model: Any, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the command line asks for, one result after the other."""
    if "speed" in options.parts:
        yield "seconds a frame", speed(model, CONFIG.parents[1])
    if "videos" in options.parts:
        yield "sample data", dataset(model, CONFIG.parents[1], options.frames)
        if options.davis is not None:
            names = set(options.names) if options.names else None
            yield "DAVIS", dataset(model, options.davis, options.frames, names)
        for folder in options.folders:
            yield folder.name, dataset(model, folder, options.frames)
    if {"rendered", "events"} & set(options.parts):
        yield from _measured_on_rendered(model, options)
    for kind in KINDS if "kinds" in options.parts and options.kinds else ():
        yield f"sample data, {kind}", transformed(model, kind, options.kinds)


def _measured_on_rendered(model: Any, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    others = options.clips if options.other_clips is None else options.other_clips
    if not (options.clips or others):
        return
    renderer = held_out_renderer()
    for prompt in PROMPTS if "rendered" in options.parts else ():
        if count := options.clips if prompt == "mask" else others:
            yield f"rendered, {prompt}", rendered(model, renderer, count, prompt)
    for event in ("cut", "removal") if "events" in options.parts and others else ():
        yield event, absence(model, renderer, others, event)


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=CONFIG.with_name("model.safetensors"))
    parser.add_argument("--config", type=Path, default=CONFIG, help="or model_512.yaml: four times the time")
    parser.add_argument("--davis", type=Path)
    parser.add_argument("--names", nargs="*", help="only these DAVIS sequences")
    parser.add_argument("--folders", type=Path, nargs="*", default=[], help="more folders in DAVIS's layout")
    parser.add_argument("--kinds", type=int, default=10, help="clips of each kind made from the sample videos")
    parser.add_argument("--clips", type=int, default=200, help="held-out clips; 0 leaves them out")
    parser.add_argument("--other-clips", type=int, help="held-out clips of each prompt but the mask, and of each event")
    parser.add_argument("--frames", type=int, default=LENGTH, help="of each DAVIS or sample sequence")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="measure only these")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load(options.weights, options.config)
    results: dict[str, Any] = {}
    for name, value in measured(model, options):
        results[name] = value
        if options.out is not None:
            options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
