"""A small probe run on disk, with a bright square at known places, and a check for a display."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from helpers.clip_runs import ClipRuns
from napari_sam2_probe.probe.positions import POSITIONS, Position
from napari_sam2_probe.probe.recorder import FrameRecord
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs.writer import RunWriter

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    windows = [
        item for item in items if {"make_napari_viewer", "needs_display"} & set(getattr(item, "fixturenames", ()))
    ]
    for item in windows:
        # A viewer takes a second to come and go, before anything is done in it.
        item.add_marker(pytest.mark.slow)
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        skip = pytest.mark.skip(reason="no display: run 'make test', or pytest under xvfb-run -a")
        for item in windows:
            item.add_marker(skip)


PATIENCE = 200_000
"""Milliseconds that a test waits at least for what must come: how long it takes is nobody's claim here."""


@pytest.fixture
def qtbot(qtbot: QtBot) -> QtBot:
    """The fixture of pytest-qt, whose five seconds are too few on a machine that others work on."""
    wait_until, wait_signal = qtbot.waitUntil, qtbot.waitSignal

    def patient_until(condition, *, timeout=PATIENCE):
        wait_until(condition, timeout=max(timeout, PATIENCE))

    def patient_signal(signal, *, timeout=PATIENCE, **how):
        return wait_signal(signal, timeout=max(timeout, PATIENCE), **how)

    qtbot.waitUntil, qtbot.waitSignal = patient_until, patient_signal
    return qtbot


@pytest.fixture
def needs_display() -> None:
    """A test that asks for this opens a window by itself."""


@dataclass(frozen=True)
class RunMaker:
    """Writes runs and their videos under one folder.

    The video is not square, and its edges are multiples of the map's, so that the square in the video and the one in
    the maps have exactly the same edges.
    """

    folder: Path
    num_frames: int = 6
    height: int = 32
    width: int = 128
    map_size: int = 64

    @property
    def map_square(self) -> tuple[slice, slice]:
        return slice(16, 32), slice(10, 20)

    @property
    def video_square(self) -> tuple[slice, slice]:
        return slice(8, 16), slice(20, 40)

    def video(self, name: str = "square") -> Path:
        folder = self.folder / "videos" / name
        folder.mkdir(parents=True)
        for frame_idx in range(self.num_frames):
            frame = np.zeros((self.height, self.width, 3), np.uint8)
            frame[self.video_square] = 200 + frame_idx
            Image.fromarray(frame).save(folder / f"{frame_idx:05d}.png")
        return folder

    def run(self, name: str = "run", *, video: Path | None = None, object_ids: tuple[int, ...] = (1,)) -> Path:
        """A run whose first frame is prompted, and ten thousand times brighter, and whose last was never tracked."""
        shape = (self.num_frames, self.height, self.width)
        info = {"video": {"path": None if video is None else str(video)}}
        writer = RunWriter(self.folder / name, object_ids, shape, 8, info)
        labels = np.zeros(shape[1:], np.uint16)
        labels[self.video_square] = object_ids[-1]
        ones = np.ones(len(object_ids), np.float32)
        for frame_idx in range(self.num_frames - 1):
            prompted = frame_idx == 0
            kind = PassKind.MASK_PROMPT if prompted else PassKind.TRACKED
            maps = {position.key: self._maps(position, frame_idx) for position in MAP_POSITIONS}
            writer.write_records(FrameRecord(frame_idx, obj_id, kind, maps, {}) for obj_id in object_ids)
            writer.write_frame(
                frame_idx,
                labels,
                np.stack([labels > 0] * len(object_ids)),
                object_scores=ones,
                predicted_iou=ones,
                prompted=[prompted] * len(object_ids),
                object_present=[True] * len(object_ids),
            )
        writer.finish()
        return writer.path

    def _maps(self, position: Position, frame_idx: int) -> np.ndarray:
        number = MAP_POSITIONS.index(position)
        shape = (2, self.map_size, self.map_size)
        maps = np.random.default_rng((number, frame_idx)).uniform(0, 0.1, shape)
        maps[:, *self.map_square] = 1 + number
        return (maps * (10_000 if frame_idx == 0 else 1)).astype(np.float32)


@pytest.fixture
def maker(tmp_path: Path) -> RunMaker:
    return RunMaker(tmp_path)


@pytest.fixture
def clips(tmp_path: Path) -> ClipRuns:
    """Makes runs on clips that have pointers, features and recipes."""
    return ClipRuns(tmp_path)
