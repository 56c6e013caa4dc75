"""The official SAM 2.1 tiny configuration at its full size, with seeded weights, a few frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.scenarios import assert_equal, moving_video, run_session, run_stock, write_video
from helpers.twins import stock_class
from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.models.config import ModelFlags, predictor_flags
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

CONFIG = "sam2.1_hiera_t"

SHAPES = {
    "image_embedding": (32, 256, 256),
    "memory_attention": (256, 64, 64),
    "prompt_attention": (256, 64, 64),
    "object_pointer": (256,),
    "object_pointer_raw": (256,),
    "memory_features": (64, 64, 64),
    "memory_features_raw": (64, 64, 64),
}

STEPS = [
    ("mask", {"frame": 0, "obj": 1}),
    ("track", {}),
    ("points", {"frame": 2, "obj": 1, "points": [[45, 42]], "labels": [0]}),
    ("track", {"start": 2}),
]


class ShapeRecorder(ProbeRecorder):
    """A recorder that also notes the shapes it is shown."""

    def __init__(self, num_frames):
        super().__init__(num_frames)
        self.shapes: dict[str, set[tuple[int, ...]]] = {}

    def observe(self, at, key, tensor):
        assert tensor.dtype is torch.float32
        self.shapes.setdefault(key, set()).add(tuple(tensor.shape))
        super().observe(at, key, tensor)


@pytest.mark.slow
def test_equal_with_a_probe_attached_and_shaped_as_documented(tmp_path):
    folder = write_video(tmp_path / "moving", moving_video(3))
    flags = ModelFlags()
    ours = seeded_model(CONFIG, flags=flags)
    stock = seeded_model(CONFIG, flags=flags, model_class=stock_class())
    stock.load_state_dict(ours.state_dict())
    expected = run_stock(stock, folder, STEPS)
    recorder = ShapeRecorder(3)
    with VideoSession(
        ours, FolderSource(folder), SessionOptions(flags=predictor_flags(flags)), observer=recorder
    ) as session:
        outcome = run_session(session, STEPS)
    assert_equal(outcome, expected)
    assert (np.array(list(expected.scores.values())) > 0).all()

    shown = {key: {(1, *shape)} for key, shape in SHAPES.items()}
    # What SAM 2 chooses among on a tracked frame.
    assert shown | {"candidate_masks": {(1, 3, 256, 256)}} == recorder.shapes
    records = {r.frame_idx: r for r in recorder.take()}
    assert set(records) == {0, 1, 2}
    for position in POSITIONS:
        for record in records.values():
            if position.is_map:
                assert record.maps[position.key].shape == (2, *SHAPES[position.key][1:])
            else:
                assert record.vectors[position.key].shape == SHAPES[position.key]
    assert np.isfinite(recorder.features(1).values[:, 2]).all()
    recorder.close()
