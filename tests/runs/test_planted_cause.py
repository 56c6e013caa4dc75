"""A cause that was planted is found: one memory of a bank replaced by that of another video."""

from __future__ import annotations

import pytest

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.tracking.donors import SessionDonor
from napari_sam2_probe.tracking.intervening import Intervention, donors_by_name
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import prompts_from_labels
from napari_sam2_probe.tracking.repeating import planned_steps
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.video.masks import read_mask
from napari_sam2_probe.video.open import open_video

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

LAST = 8
# Of the sample videos, memories whose exchange changes the mask by more than 0.1: video, other video, frame, memory.
CASES = [
    ("rocket", "astronaut", 4, 0),
    ("rocket", "astronaut", 8, 0),
    ("coins", "cat", 7, 4),
    ("coins", "cat", 4, 2),
    ("coins", "cat", 5, 3),
    ("coins", "cat", 5, 0),
]


@pytest.fixture(scope="module")
def donors(one_thread_in_module):
    loaded, root = load_model(ModelChoice("sample", None, "cpu")), sample_data_folder()
    made = {}
    for name in ("rocket", "astronaut", "coins", "cat"):
        [prompt, *_] = prompts_from_labels(0, read_mask(root / "Annotations" / "480p" / name / "00000.png"))
        made[name] = SessionDonor(
            name,
            loaded.model,
            open_video(root / name),
            SessionOptions.for_model(loaded, intervention=Intervention(donors=donors_by_name(made))),
            planned_steps([prompt], [("forward", range(LAST + 1))]),
        )
        made[name].track_to(LAST)
    yield made
    for donor in made.values():
        donor.close()


@pytest.mark.parametrize(("video", "other", "frame", "memory"), CASES)
def test_the_planted_memory_is_blamed_first(video, other, frame, memory, donors):
    session = donors[video].session
    swap = {"edit": "swap", "target": "memory", "entries": {"frames": [memory]}, "from": other}
    planted = session.repeat(frame, 1, parse_edits([swap]))
    assert region_similarity(session.repeat(frame, 1).mask, planted.mask) < 0.9

    def effect(entry) -> float:
        drop = {"edit": "drop", "target": entry.kind, "entries": {"frames": [entry.frame]}}
        after = session.repeat(frame, 1, parse_edits([swap, drop]))
        return 1 - region_similarity(planted.mask, after.mask)

    ranked = sorted(session.bank(frame, 1).entries, key=effect, reverse=True)
    assert (ranked[0].kind, ranked[0].frame) == ("memory", memory)
