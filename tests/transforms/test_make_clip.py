"""A clip and its twin from any video, in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from test_dataset import hashes

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.kinds.object_removal import ObjectRemoval
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.pair import make_clip
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.transforms.recipe import Recipe, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS, paper_kinds, register_transform
from napari_sam2_probe.video import DavisDataset, FrameSource, Video, open_video

SHORT = (3, 2, 3)
SHORT_FILM = np.zeros((1, 9, 9, 3), np.uint8)


def footage_of(shape, seed, t=12):
    return np.random.default_rng(seed).integers(0, 255, (t, *shape, 3), np.uint8)


def square(shape, t=12):
    """Return masks of an object that moves to the right."""
    masks = np.zeros((t, *shape), np.uint8)
    for i in range(t):
        masks[i, 10:25, 5 + i : 20 + i] = 1
    return masks


@pytest.fixture
def film():
    return open_video(footage_of((40, 60), 1), name="film", masks=square((40, 60)))


@pytest.mark.parametrize("kind", paper_kinds())
def test_every_kind_with_its_twin_and_what_is_known_of_them(kind, tiny, tiny_root):
    clip, twin = make_clip(tiny_root / "cat-run", kind, seed=3, lengths=SHORT)
    assert isinstance(clip, Video)
    assert isinstance(clip, FrameSource)
    truth = clip.truth
    assert (clip.num_frames, clip.height, clip.width, clip.object_ids(), clip.path) == (8, 72, 128, [1], None)
    assert truth.object_present.tolist() == KINDS[kind].present_frames(SHORT).tolist()
    # The recipe makes the same again from the data set.
    recipe = Recipe.from_dict(truth.recipe)
    assert (recipe.kind, recipe.base.sequence, recipe.seed, recipe.lengths) == (kind, "cat-run", 3, SHORT)
    for video, same in ((clip, recipe), (twin, make_twin_recipe(recipe))):
        made = render_clip(same, Footage(tiny))
        np.testing.assert_array_equal([video.read(t) for t in range(8)], made.frames)
        np.testing.assert_array_equal([video.mask(t) for t in range(8)], made.masks)
        np.testing.assert_array_equal(video.truth.obscured_fraction, made.obscured_fraction)
    own = truth.source_frame if KINDS[kind].keeps_time else truth.source_frame[truth.object_present]
    assert own.tolist() == twin.truth.source_frame[: len(own)].tolist()
    if kind == "clean":
        assert twin is clip
    else:
        assert truth.recipe["twin"] == twin.truth.clip == "clean-00000"


def test_the_same_arguments_give_the_same_clip(film):
    others = [open_video(footage_of((50, 50), 2)), open_video(footage_of((50, 50), 3))]
    clip, _ = make_clip(film, "interjection", seed=5, lengths=SHORT, others=others)
    again, _ = make_clip(film, "interjection", seed=5, lengths=SHORT, others=others)
    another, _ = make_clip(film, "interjection", seed=6, lengths=SHORT, others=others)
    assert clip.fingerprint() == again.fingerprint() != another.fingerprint()
    assert clip.truth.as_json() == again.truth.as_json()


def test_frames_may_be_read_by_several_threads_in_any_order(film):
    clip, twin = make_clip(film, "interjection", lengths=SHORT, others=footage_of((40, 60), 2))
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(8), 20)).tolist()
    expected = {t: (clip.read(t), twin.read(t)) for t in range(8)}
    with ThreadPoolExecutor(4) as pool:
        for t, frame, plain in zip(order, pool.map(clip.read, order), pool.map(twin.read, order), strict=True):
            np.testing.assert_array_equal(frame, expected[t][0])
            np.testing.assert_array_equal(plain, expected[t][1])


def test_others_are_given_as_they_are_at_hand(film, tiny_root):
    foreign = footage_of((40, 60), 2)
    named = open_video(foreign, name="film")
    for others, name in (
        (foreign, "array"),
        ([foreign, foreign], ("array", "array 2")),
        ({"sea": foreign}, "sea"),
        (named, "other film"),
        (tiny_root, tuple(DavisDataset(tiny_root))),
        (DavisDataset(tiny_root), tuple(DavisDataset(tiny_root))),
        (tiny_root / "train", "train"),
    ):
        clip, _ = make_clip(film, "interjection", lengths=SHORT, others=others)
        used = clip.truth.source_sequence[3]
        assert used in ((name,) if isinstance(name, str) else name)
        assert clip.truth.source_sequence == ("film",) * 3 + (used,) * 2 + ("film",) * 3


def test_a_cut_out_comes_from_others_with_masks(film):
    masked = open_video(footage_of((40, 60), 2), name="ball", masks=square((40, 60)))
    plain = open_video(footage_of((40, 60), 3), name="sky")
    clip, _ = make_clip(film, "object-removal", lengths=SHORT, others=[plain, masked])
    (distractor,) = clip.truth.recipe["distractors"]
    assert distractor["sequence"] == "ball"


def test_corruptions_and_options_go_into_both(film):
    clip, twin = make_clip(film, "context-removal", lengths=SHORT, fill="mean", then=["gaussian-noise:sigma=5"])
    assert clip.truth.recipe["options"] == {"fill": "mean"}
    assert (
        clip.truth.recipe["then"]
        == twin.truth.recipe["then"]
        == ({"name": "gaussian-noise", "options": {"sigma": 5.0}},)
    )
    np.testing.assert_array_equal(clip.read(0), twin.read(0))
    assert (twin.read(0) != film.read(int(twin.truth.source_frame[0]))).any()


class Given:
    """Arguments of a mistake."""

    def __init__(self, says, kind="clean", video=None, **options):
        self.says, self.kind, self.video, self.options = says, kind, video, options


@pytest.mark.parametrize(
    "given",
    [
        Given("array has no true masks", video=footage_of((40, 60), 1)),
        Given("There is no video nowhere", video="nowhere"),
        Given("array is not a video", video=7),
        Given("There is no kind 'melt': choose one of clean", kind="melt"),
        Given("None is not the name of a kind: give one of clean", kind=None),
        Given("Object 2 is not in film: choose one of 1", object_id=2),
        Given("Object '1' is not in film", object_id="1"),
        Given(r"film has 12 frames and lengths=\(12, 4, 12\) needs 28: give shorter lengths", lengths=(12, 4, 12)),
        Given("lengths=8 can't be used: give three numbers of frames", lengths=8),
        Given("lengths=(0, 1, 1) can't be used".replace("(", r"\(").replace(")", r"\)"), lengths=(0, 1, 1)),
        Given("seed=-1 can't be used: give a whole number", seed=-1),
        Given("seed=0.5 can't be used", seed=0.5),
        Given("clean has no option 'fill': it takes none", fill="mean"),
        Given("option fill is 'red' but must be one of black, mean, blur", kind="context-removal", fill="red"),
        Given("There is no corruption 'fog'", then=["fog"]),
        Given("takes footage from another video: give others=..., a video or several", kind="interjection"),
        Given("from another video with true masks: give others", kind="obscuration"),
        Given("takes footage from another video", kind="context-removal", fill="sequence"),
        Given("none of the others has true masks", kind="obscuration", others=footage_of((40, 60), 2)),
        Given(r"others=\[\] holds no video", kind="interjection", others=[]),
        Given("There is no video nowhere", kind="interjection", others="nowhere"),
        Given(
            "None of the other videos has 2 frames: give others", kind="interjection", others=footage_of((9, 9), 2, 1)
        ),
        Given(
            "None of the other videos has an object in 8 frames in a row",
            kind="obscuration",
            others=open_video(footage_of((40, 60), 2, 7), masks=square((40, 60), 7)),
        ),
    ],
    ids=lambda given: given.says[:40],
)
def test_a_mistake_is_one_sentence_in_the_words_of_python(given, film):
    arguments = {"lengths": SHORT} | given.options
    with pytest.raises(InputError, match=given.says) as told:
        make_clip(film if given.video is None else given.video, given.kind, **arguments)
    assert "--" not in str(told.value)


def test_an_object_that_is_not_there_long_enough_is_told():
    masks = square((40, 60))
    masks[4] = 0
    with pytest.raises(InputError, match="Object 1 of film is not seen, and large enough, in 8 frames in a row"):
        make_clip(open_video(footage_of((40, 60), 1), name="film", masks=masks), "clean", lengths=SHORT)


class Kept(ObjectRemoval):
    """The same pasted object, never removed."""

    name = "kept"
    title = "Kept"
    description = "a pasted object that stays"
    object_present = "always"
    section = ""

    def render(self, recipe, footage, options):
        return super().render(replace(recipe, lengths=(recipe.num_frames, 0, 0)), footage, options)


@pytest.fixture
def kept():
    KINDS.register(Kept)
    yield
    KINDS.unregister("kept")


def test_kinds_with_one_stream_draw_the_same_footage(kept, tiny_root):
    removed, _ = make_clip(tiny_root / "cat-run", "object-removal", lengths=SHORT)
    stays, _ = make_clip(tiny_root / "cat-run", "kept", lengths=SHORT)
    assert stays.truth.recipe["distractors"] == removed.truth.recipe["distractors"]
    for t in range(8):
        assert stays.mask(t).any()
        assert removed.mask(t).any() == (t not in (3, 4))
        if t not in (3, 4):
            np.testing.assert_array_equal(stays.read(t), removed.read(t))


def test_what_a_program_registers_is_made_by_other_processes_too(kept, tiny, catalogue, tmp_path):
    order = ClipSpec("kept", lengths=SHORT)
    for workers in (1, 2):
        make_dataset(tiny, tmp_path / str(workers), order, 4, workers=workers, catalogue=catalogue)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_what_other_processes_cant_import_is_made_in_this_one(tiny, catalogue, tmp_path):
    @register_transform
    class Here(Kept):
        name = "here"

    try:
        make_dataset(tiny, tmp_path / "clips", ClipSpec("here", lengths=SHORT), 2, workers=2, catalogue=catalogue)
    finally:
        KINDS.unregister("here")
    assert DavisDataset(tmp_path / "clips").names == ["here-00000", "here-00001"]
