"""A clip and its twin tracked from the same prompts, without a window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2_probe import compare, make_clip
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.live.prompt_state import PackedMask, PromptState
from napari_sam2_probe.live.twin import TwinRun, find_twin, has_twin, prompts_for_twin
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.transforms.dataset import iterate_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.video import DavisDataset, Video, open_video

LENGTHS = (3, 2, 2)
CLICK = PromptState(((10.0, 8.0, 1),))


@pytest.fixture(scope="module")
def pair():
    return make_clip(sample_data_folder() / "coins", "interjection", lengths=LENGTHS, seed=3)


def test_a_clip_finds_its_own_twin_and_nothing_else_does(pair):
    clip, twin = pair
    other, _ = make_clip(sample_data_folder() / "coins", "interjection", lengths=LENGTHS, seed=4)
    video = open_video(sample_data_folder() / "coins")
    assert find_twin(clip, [video, other, clip, twin]) is twin
    for candidate in (clip, other, video):
        assert not has_twin(clip, [candidate])
        assert find_twin(clip, [candidate]) is None
    for clean in (twin, video):
        assert find_twin(clean, [clip, twin]) is None


def test_prompts_go_to_the_frames_of_the_same_source(pair):
    clip, twin = pair
    sources = [list(zip(v.truth.source_sequence, v.truth.source_frame.tolist(), strict=True)) for v in pair]
    shared = [t for t, source in enumerate(sources[0]) if source in sources[1]]
    foreign = [t for t in range(clip.num_frames) if t not in shared]
    assert shared[:3] == [0, 1, 2]
    assert foreign == [3, 4]
    for t in shared:
        ((other, obj_id),) = prompts_for_twin(clip, twin, {(t, 1): CLICK})
        assert sources[1][other] == sources[0][t]
        assert obj_id == 1
        np.testing.assert_array_equal(clip.read(t), twin.read(other))
    with pytest.raises(InputError, match="frame 3 of the clip"):
        prompts_for_twin(clip, twin, {(0, 1): CLICK, (3, 1): CLICK})
    with pytest.raises(InputError, match="Add a prompt first"):
        prompts_for_twin(clip, twin, {})
    blank = Video(twin.frames)
    with pytest.raises(InputError, match="don't say"):
        prompts_for_twin(clip, blank, {(0, 1): CLICK})


def test_the_twin_is_tracked_to_its_end_and_can_be_compared(pair, model_cache, tmp_path):
    clip, twin = pair
    states = {(0, 1): PromptState(mask=PackedMask.pack(clip.object_mask(0, 1)))}
    choice = ModelChoice("sample", device="cpu")
    runs = [TwinRun(of, choice, tmp_path, model_cache, states, names={1: "coin"}) for of in (clip, twin)]
    for run in runs:
        for _ in run.track():
            pass
        assert run.complete
    opened = [open_run(run.path) for run in runs]
    assert all(run.finished and run.tracked.all() for run in opened)
    assert opened[0].truth.recipe["twin"] == opened[1].truth.clip
    # Up to the change all is the same, to the last bit.
    np.testing.assert_array_equal(opened[0].masks[:3], opened[1].masks[:3])
    distances = compare(runs[0].path, runs[1].path).distances.groupby("frame")["distance"].max()
    assert (distances.loc[:2] == 0).all()
    assert (distances.loc[5:] > 0).any()


def test_stopped_half_way_it_is_not_complete(pair, model_cache, tmp_path):
    _, twin = pair
    states = {(0, 1): PromptState(mask=PackedMask.pack(twin.object_mask(0, 1)))}
    run = TwinRun(twin, ModelChoice("sample", device="cpu"), tmp_path, model_cache, states)
    steps = run.track()
    while run.path is None:
        next(steps)
    steps.close()
    assert not run.complete
    assert not open_run(run.path).finished


def test_the_twin_on_disk(tmp_path):
    for kind in ("interjection", "clean"):
        order = ClipSpec(kind, lengths=LENGTHS, seed=5)
        for _ in iterate_dataset(DavisDataset(sample_data_folder()), tmp_path / kind, order, 1, workers=1):
            pass
    clip = open_video(tmp_path / "interjection" / "JPEGImages" / "480p" / "interjection-00000")
    twin = find_twin(clip)
    assert twin is not None
    assert twin.folder == tmp_path / "clean" / "JPEGImages" / "480p" / "clean-00000"
    np.testing.assert_array_equal(twin.read(0), clip.read(0))
    # Of the same name, made with another seed.
    other = replace(clip.truth, recipe={**clip.truth.recipe, "seed": 6})
    assert find_twin(Video(clip.frames, truth=other)) is None
    (tmp_path / "clean").rename(tmp_path / "gone")
    assert find_twin(open_video(clip.folder)) is not None
    (tmp_path / "gone" / "JPEGImages" / "480p" / "clean-00000").rename(tmp_path / "elsewhere")
    assert not has_twin(clip)
    assert find_twin(clip) is None
