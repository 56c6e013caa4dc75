"""Experiments made of random numbers with known trends: for what reads experiments, without SAM 2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from napari_sam2_probe.experiments.config import ExperimentConfig, make_config, write_config
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.experiments.plan import make_plan, write_plan
from napari_sam2_probe.experiments.store import begin_store, write_clip_arrays
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, STAGES, join_tables, write_table
from napari_sam2_probe.transforms.recipe import clip_name
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.masks import write_mask

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH, CHANNELS = 36, 64, 32
POSITIONS = ("1", "2", "3", "4", "4r", "5", "5r")
ABSENT = ("interjection", "object-removal")
SEQUENCES = ("cat", "dog", "horse", "coffee", "coins", "boat", "swan", "kite", "train")


def write_synthetic_experiment(
    out: Path,
    *,
    kinds: tuple[str, ...] = tuple(KINDS),
    samples: int = 6,
    seed: int = 0,
    lengths: tuple[int, int, int] = (12, 4, 12),
    batch_size: int = 2,
    skip_batches: tuple[str, ...] = (),
    predictions: str | None = None,
    label: str = "",
    with_clips: bool = False,
    with_embeddings: bool = False,
) -> Path:
    """Write an experiment in `out` as the engine would.

    On absent frames features at 1 to 3 are about 3 times as large as elsewhere (separable), those at 4r and 5r not
    (AUROC 0.5), at 4 and 5 the gate makes them 10 times as large; scores are below 0 there. Pointer distance from the
    twin grows with the obscured fraction. The object's box moves to the right and is the first four channels of 4r.
    Batches in `skip_batches` (``"clean-0001"``) are missing: then the experiment is half done. `predictions` names
    another system, whose experiments have no features, pointers and scores. `with_embeddings` adds what probes and the
    warning of loss are made of: attention entropy is high before J falls below 0.5; position 3 holds the object alone,
    position 1 the context alone; the channel variance is higher over the object than elsewhere at 3.
    """
    config = make_config(
        davis="sample_data",
        kinds=kinds,
        samples=samples,
        seed=seed,
        lengths=lengths,
        label=label,
        predictions=None if predictions is None else {"name": predictions, "folder": "masks"},
    )
    folder = ExperimentFolder(out)
    out.mkdir(parents=True)
    write_config(folder.config, config)
    plan = make_plan(config.kinds, samples, batch_size, 1)
    write_plan(folder.plan, plan)
    folder.provenance.write_text(json.dumps(_provenance(config)))
    begin_store(folder, config.kinds)
    for kind in config.kinds:
        if with_clips:
            _write_clips(folder, kind, config)
    for batch in plan.batches:
        if batch.name in skip_batches:
            continue
        tables = [_write_clip(folder, config, batch.kind, int(clip[-5:]), with_embeddings) for clip in batch.clips]
        frames, features = (pd.concat(part, ignore_index=True) for part in zip(*tables, strict=True))
        write_table(folder.features_part(batch.name), FEATURE_COLUMNS, features)
        if predictions is None and batch.kind in ("clean", "object-kept", "other-kept"):
            # As the engine has it: nothing changes, and references stand still as if the object was gone.
            present = _present(config, "interjection")
            gaps = [
                _features(batch.kind, clip, frames["base_sequence"].iloc[0], present, config, rng, changed=False)
                for clip, rng in ((c, _rng(config, int(c[-5:]), 90)) for c in batch.clips)
            ]
            write_table(folder.gap_features_part(batch.name), FEATURE_COLUMNS, pd.concat(gaps, ignore_index=True))
        write_table(folder.frames_part(batch.name), FRAME_COLUMNS, frames)
    if not skip_batches:
        names = [batch.name for batch in plan.batches]
        join_tables(folder.features, FEATURE_COLUMNS, [folder.features_part(name) for name in names])
        parts = [part for part in map(folder.gap_features_part, names) if part.is_file()]
        if parts:
            join_tables(folder.gap_features, FEATURE_COLUMNS, parts)
        join_tables(folder.frames, FRAME_COLUMNS, [folder.frames_part(name) for name in names])
    return out


def _provenance(config: ExperimentConfig) -> dict:
    model = {
        "checkpoint": "synthetic",
        "sha256": "0" * 64,
        "trained": True,
        "config": "none",
        "device": "cpu",
        "device_name": "none",
        "dtype": "float32",
        "threads": 1,
        "flags": {},
    }
    return {
        "software": {"napari-sam2-probe": "0.1.0", "python": "3.11", "torch": "2.14"},
        "model": None if config.predictions else model,
        "data": {"name": "sample_data", "fingerprint": "0" * 64},
        "seed": config.seed,
        "sessions": [{"command": "sam2-probe experiment", "started": "2026-01-01T00:00:00+00:00", "finished": None}],
    }


def _rng(config: ExperimentConfig, number: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, number, stream])


def _stages(config: ExperimentConfig) -> np.ndarray:
    return np.repeat(STAGES, config.lengths)


def _present(config: ExperimentConfig, kind: str) -> np.ndarray:
    return ~((_stages(config) == "interjection") & (kind in ABSENT))


def _boxes(config: ExperimentConfig, number: int) -> np.ndarray:
    """(T, 4) pixels x0, y0, x1, y1."""
    rng = _rng(config, number, 0)
    x, y, speed = rng.uniform(2, 10), rng.uniform(2, 12), rng.uniform(0.4, 1.0)
    left = np.clip(x + speed * np.arange(config.num_frames), 0, WIDTH - 16)
    boxes = np.stack([left, np.full_like(left, y), left + 14, np.full_like(left, y + 12)], axis=1)
    return boxes.astype(int)


def _truth(config: ExperimentConfig, kind: str, number: int) -> np.ndarray:
    masks = np.zeros((config.num_frames, HEIGHT, WIDTH), bool)
    for t, (x0, y0, x1, y1) in enumerate(_boxes(config, number)):
        masks[t, y0:y1, x0:x1] = _present(config, kind)[t]
    return masks


def _write_clip(
    folder: ExperimentFolder, config: ExperimentConfig, kind: str, number: int, with_embeddings: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    name, num_frames = clip_name(kind, number), config.num_frames
    rng = _rng(config, number, 1 + list(KINDS).index(kind))
    present, stages, truth = _present(config, kind), _stages(config), _truth(config, kind, number)
    covered = kind in ("obscuration", "three-object")
    fraction = np.clip(np.sin(np.linspace(-0.5, np.pi + 0.5, num_frames)), 0, 1) if covered else np.zeros(num_frames)
    fraction = np.where(present, fraction, np.nan)
    # All of nine sequences come in turn; the next seed begins with another.
    base = SEQUENCES[(4 * number + 1 + config.seed) % len(SEQUENCES)]
    masks = truth.copy()
    masks[1:] &= rng.random(masks[1:].shape) < 0.9
    false_positive = ~present & (rng.random(num_frames) < 0.3)
    masks[false_positive, :4, :4] = True
    later = np.arange(num_frames) > 0
    scored = present & later
    tracked = config.predictions is None
    score = np.where(present, 6.0, -4.0) + rng.normal(0, 1.5, num_frames)
    edges = _boxes(config, number) / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    frames = pd.DataFrame(
        {
            "kind": kind,
            "clip": name,
            "twin": "" if kind == "clean" else clip_name("clean", number),
            "base_sequence": base,
            "distractor_sequences": "" if kind in ("clean", "context-removal") else SEQUENCES[number % 7],
            "frame": np.arange(num_frames),
            "stage": stages,
            "source_sequence": base,
            "source_frame": np.arange(num_frames),
            "object_present": present,
            "context_present": (stages != "interjection") | (kind not in ("interjection", "context-removal")),
            "obscured_fraction": fraction,
            "object_score": score if tracked else np.nan,
            "predicted_iou": np.where(later, rng.uniform(0.7, 1, num_frames), np.nan) if tracked else np.nan,
            "prompted": ~later,
            "region": np.where(scored, rng.uniform(0.6, 0.95, num_frames), np.nan),
            "boundary": np.where(scored, rng.uniform(0.5, 0.95, num_frames), np.nan),
            "false_positive": false_positive,
            "area": masks.sum((1, 2)),
            **{
                f"true_{side}": np.where(present, edges[:, column], np.nan)
                for column, side in enumerate(("xmin", "ymin", "xmax", "ymax"))
            },
        }
    )
    arrays = {"masks": masks}
    features = pd.DataFrame({column: [] for column in FEATURE_COLUMNS})
    if tracked:
        arrays |= _pointers(config, number, rng, np.nan_to_num(fraction), score)
        if with_embeddings:
            lost = rng.random(num_frames) < 0.2
            frames.loc[lost & scored, "region"] = 0.2
            arrays |= _embeddings(config, kind, number, lost, rng)
        features = _features(kind, name, base, present, config, rng)
    write_clip_arrays(folder, kind, name, arrays)
    return frames, features


def _pointers(config, number, rng, fraction, score) -> dict[str, np.ndarray]:
    size = (config.num_frames, CHANNELS)
    pointers = _rng(config, number, 50).normal(0, 0.1, size) + rng.normal(0, 0.02, size)
    pointers[:, :4] += _boxes(config, number) / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    pointers[:, 4] += 3 * fraction
    gated = np.where(score[:, None] > 0, pointers, 0.5)
    return {"object_pointers": gated.astype(np.float32), "object_pointers_raw": pointers.astype(np.float32)}


def _embeddings(config, kind, number, lost, rng) -> dict[str, np.ndarray]:
    """What clips of one number share is their object (but that of object removal) and context (but where it's gone)."""
    num_frames = config.num_frames
    seen = len(range(2, num_frames, 4))
    entropy = np.clip(0.5 + 0.3 * np.append(lost[1:], False) + rng.normal(0, 0.05, num_frames), 0, 1)
    arrays = {
        "candidate_disagreement": rng.uniform(0, 1, num_frames),
        "attention_entropy": entropy,
    }
    objects, contexts = (_rng(config, number, stream).normal(size=8) for stream in (70, 71))
    if kind == "object-removal":
        objects = _rng(config, number, 72).normal(size=8)
    if kind == "context-removal":
        contexts = _rng(config, number, 73).normal(size=8)
    held = {"image_embedding": contexts, "memory_attention": objects + contexts, "prompt_attention": objects}
    for key in ("image_embedding", "memory_attention", "prompt_attention", "memory_features"):
        mean = held.get(key, contexts) + rng.normal(0, 0.1, (num_frames, 8))
        regions = mean[:, None] + np.array([2.0, 1.0, 0.0, 0.5])[:, None] * (key != "image_embedding")
        other = kind in ("obscuration", "three-object")
        contrast = rng.normal(0, 1, (num_frames, 4, 2)) ** 2
        contrast[:, 0, 1] += 20 * (key == "prompt_attention")
        if not other:
            regions[:, 1], contrast[:, 1] = np.nan, np.nan
        tokens = regions[2::4, :3, None] + rng.normal(0, 0.2, (seen, 3, 3, 8))
        grids = mean[2::4, None] + rng.normal(0, 0.1, (seen, 16, 8))
        arrays |= {f"regions/{key}": regions, f"contrast/{key}": contrast}
        arrays |= {f"tokens/{key}": tokens, f"grids/{key}": grids}
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def _features(kind, name, base, present, config, rng, *, changed=True) -> pd.DataFrame:
    num_frames = config.num_frames
    references = np.array([present[:t].sum() for t in range(num_frames)])
    window = np.minimum(references, 5)
    first_in = (references <= 5) & (references > 0)
    last = np.array([np.flatnonzero(present[:t]).max(initial=-1) for t in range(num_frames)])
    gap = np.where(last >= 0, np.arange(num_frames) - last, np.nan)
    tables = []
    for position in POSITIONS:
        times = {"4": 10.0, "5": 10.0, "4r": 1.0, "5r": 1.0}.get(position, 3.0)
        size = np.where(present | (not changed), 1.0, times)
        short = np.where(window > 0, size * rng.lognormal(2, 0.3, num_frames), np.nan)
        long = np.where(window > 1, size * rng.lognormal(5, 0.5, num_frames), np.nan)
        ratio = np.where(window > 1, size * rng.lognormal(0, 0.3, num_frames), np.nan)
        tables.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "clip": name,
                    "base_sequence": base,
                    "frame": np.arange(num_frames),
                    "position": position,
                    "object_present": present,
                    "prompted_reference": first_in,
                    "window": window,
                    "gap": gap,
                    "short_term_l2": short,
                    "long_term_l2": long,
                    "short_term_ratio": ratio,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _write_clips(folder: ExperimentFolder, kind: str, config: ExperimentConfig) -> None:
    for number in range(config.samples):
        name = clip_name(kind, number)
        truth = _truth(config, kind, number)
        images = folder.clips(kind) / "JPEGImages" / "480p" / name
        images.mkdir(parents=True)
        for t, mask in enumerate(truth):
            frame = np.where(mask[..., None], (220, 90, 40), (60, 110, 90)).astype(np.uint8)
            Image.fromarray(frame).save(images / f"{t:05d}.jpg", quality=95)
            write_mask(folder.clips(kind) / "Annotations" / "480p" / name / f"{t:05d}.png", mask.astype(np.uint8))
