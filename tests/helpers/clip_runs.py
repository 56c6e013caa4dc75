"""Small probe runs on clips with everything that panels look at; written frame by frame, as a live run is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as FEATURES
from napari_sam2_probe.gui.state import RunEntry
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.probe.recorder import FrameRecord
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.video import write_mask
from napari_sam2_probe.video.truth import ClipTruth

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

if TYPE_CHECKING:
    from pathlib import Path

NUM_FRAMES, HEIGHT, WIDTH, CHANNELS = 12, 32, 64, 8
MAP_SHAPE = (16, 16)
ABSENT = slice(5, 7)


def obscured_fraction(kind: str) -> np.ndarray:
    return np.clip(np.arange(NUM_FRAMES) - 2, 0, 8) / 8 if kind == "obscuration" else np.zeros(NUM_FRAMES)


def box(obj_id: int, frame_idx: int) -> tuple[slice, slice]:
    """Rows and columns of an object: it moves to the right."""
    return slice(4 * obj_id, 4 * obj_id + 6), slice(frame_idx, frame_idx + 10)


@dataclass
class ClipRuns:
    """Makes clips and runs on them under one folder."""

    folder: Path

    def video(self, name: str) -> Path:
        """A clip in DAVIS layout with the masks of two objects."""
        frames, masks = (self.folder / part / "480p" / name for part in ("JPEGImages", "Annotations"))
        if frames.is_dir():
            return frames
        frames.mkdir(parents=True)
        for t in range(NUM_FRAMES):
            labels = np.zeros((HEIGHT, WIDTH), np.uint8)
            for obj_id in (1, 2):
                labels[box(obj_id, t)] = obj_id
            Image.fromarray(np.stack([100 * labels] * 3, axis=-1)).save(frames / f"{t:05d}.png")
            write_mask(masks / f"{t:05d}.png", labels)
        return frames

    def begin(self, kind: str, object_ids: tuple[int, ...] = (1,), name: str | None = None) -> RunWriter:
        """A run that has no frame yet."""
        clip = f"{kind}-00000"
        present = np.ones(NUM_FRAMES, bool)
        if kind == "interjection":
            present[ABSENT] = False
        recipe = {
            "clip": clip,
            "twin": None if kind == "clean" else "clean-00000",
            "kind": kind,
            "base": {"sequence": "coins", "start": 0, "object_id": 1},
            "lengths": [5, 2, 5],
            "seed": 5,
            "then": [],
        }
        known = ClipTruth(
            clip, present, present, obscured_fraction(kind), ("coins",) * NUM_FRAMES, np.arange(NUM_FRAMES), recipe
        )
        info = {
            "video": {"path": str(self.video(clip))},
            "known": known.as_json(),
            "parameters": {"features": {"prompted_references": True}},
        }
        shape = (NUM_FRAMES, HEIGHT, WIDTH)
        return RunWriter(self.folder / "runs" / (name or kind), object_ids, shape, CHANNELS, info)

    def run(self, kind: str, object_ids: tuple[int, ...] = (1,), name: str | None = None) -> RunEntry:
        """A finished run."""
        writer = self.begin(kind, object_ids, name)
        for t in range(NUM_FRAMES):
            write_frame(writer, kind, object_ids, t)
        writer.write_features(features_table(kind, object_ids), np.zeros((len(object_ids), NUM_FRAMES), bool))
        writer.finish()
        return RunEntry(writer.path, name or kind)


def write_frame(writer: RunWriter, kind: str, object_ids: tuple[int, ...], t: int) -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    for obj_id in object_ids:
        labels[box(obj_id, t)] = obj_id
        maps = {p.key: map_values(p.key, obj_id, t) for p in MAP_POSITIONS}
        pointers = {key: pointer(kind, obj_id, t, key) for key in ("object_pointer", "object_pointer_raw")}
        pass_kind = PassKind.MASK_PROMPT if t == 0 else PassKind.TRACKED
        writer.write_records([FrameRecord(t, obj_id, pass_kind, maps, pointers)])
    ones = np.ones(len(object_ids), np.float32)
    writer.write_frame(
        t,
        labels,
        np.stack([labels == obj_id for obj_id in object_ids]),
        object_scores=ones,
        predicted_iou=ones,
        prompted=[t == 0] * len(object_ids),
        object_present=[True] * len(object_ids),
    )


def map_values(key: str, obj_id: int, t: int) -> np.ndarray:
    """(2, h, w): values from number to number + 1, of which variances are a hundred times as large."""
    number = [p.key for p in MAP_POSITIONS].index(key)
    ramp = np.linspace(0, 1, MAP_SHAPE[0] * MAP_SHAPE[1], dtype=np.float32).reshape(MAP_SHAPE)
    mean = ramp + number + 10 * obj_id + 0.01 * t
    return np.stack([mean, 100 * mean])


def pointer(kind: str, obj_id: int, t: int, key: str) -> np.ndarray:
    """A pointer on a circle; obscuration takes it away along an axis of its own."""
    values = np.zeros(CHANNELS, np.float32)
    values[:2] = 10 * np.cos(t / 2 + obj_id), 10 * np.sin(t / 2 + obj_id)
    values[2] = 3 * obscured_fraction(kind)[t] * (2 if key == "object_pointer_raw" else 1)
    return values


def features_table(kind: str, object_ids: tuple[int, ...]) -> pd.DataFrame:
    rows = []
    for obj_id in object_ids:
        for number, position in enumerate(POSITIONS):
            values = np.random.default_rng((obj_id, number, len(kind))).uniform(1, 100, (NUM_FRAMES, 3))
            values[0] = np.nan
            for t in range(NUM_FRAMES):
                rows.append((obj_id, position.number, t, *values[t]))
    return pd.DataFrame(rows, columns=["object_id", "position", "frame", *FEATURES])
