"""What a prompt may say, and the sentence for everything else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels
from napari_sam2_probe.video.array import ArraySource

H, W = 6, 10


@pytest.fixture(scope="module")
def source():
    return ArraySource(np.zeros((4, H, W, 3), np.uint8), name="clip")


def full(height=H, width=W):
    return np.ones((height, width), bool)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Prompt.from_mask(4, 1, full()), "Frame 4 is not in clip, whose frames are 0 to 3: choose one of these."),
        (Prompt.from_mask(-1, 1, full()), "Frame -1 is not in clip, whose frames are 0 to 3: choose one of these."),
        (Prompt.from_mask(0, 0, full()), "Object id 0 can't be used: ids are whole numbers from 1."),
        (
            Prompt.from_mask(0, 1, full(5, 9)),
            "The mask in the prompt for object 1 on frame 0 is 9x5 but clip is 10x6: give a mask of the video's size.",
        ),
        (
            Prompt.from_mask(0, 1, np.ones((H, W, 3), bool)),
            "The mask in the prompt for object 1 on frame 0 has 3 axes: give one of rows and columns.",
        ),
        (
            Prompt.from_mask(0, 1, ~full()),
            "The mask in the prompt for object 1 on frame 0 is empty: mark the object in it.",
        ),
        (
            Prompt.from_points(0, 1, [[1, 1], [2, 2]], [1]),
            "2 points but 1 labels in the prompt for object 1 on frame 0: give one a point.",
        ),
        (
            Prompt.from_points(2, 7),
            "Nothing is said in the prompt for object 7 on frame 2: give a point, a box or a mask.",
        ),
        (
            Prompt.from_points(0, 1, [[1, 1]], [2]),
            "A label in the prompt for object 1 on frame 0 is neither 1 (object) nor 0 (not the object): correct it.",
        ),
        (
            Prompt.from_points(0, 1, [[10.5, 3]], [1]),
            "Point 10.5,3 in the prompt for object 1 on frame 0 is outside the image, which is 10x6: "
            "give coordinates in pixels as x,y.",
        ),
        (
            Prompt.from_points(0, 1, [[np.nan, 3]], [1]),
            "Point nan,3 in the prompt for object 1 on frame 0 is outside the image, which is 10x6: "
            "give coordinates in pixels as x,y.",
        ),
        (
            Prompt.from_points(0, 1, box=[1, 1, 2]),
            "The box in the prompt for object 1 on frame 0 has 3 numbers: give x0, y0, x1, y1.",
        ),
        (
            Prompt.from_points(0, 1, box=[1, -1, 2, 3]),
            "Box corner 1,-1 in the prompt for object 1 on frame 0 is outside the image, which is 10x6: "
            "give coordinates in pixels as x,y.",
        ),
        (
            Prompt.from_points(0, 1, box=[1, 1, 11, 3]),
            "Box corner 11,3 in the prompt for object 1 on frame 0 is outside the image, which is 10x6: "
            "give coordinates in pixels as x,y.",
        ),
        (
            Prompt.from_points(0, 1, box=[3, 1, 3, 4]),
            "The box 3,1,3,4 in the prompt for object 1 on frame 0 has no area: give x0 < x1 and y0 < y1.",
        ),
        (
            Prompt.from_points(0, 1, box=[5, 1, 3, 4]),
            "The box 5,1,3,4 in the prompt for object 1 on frame 0 has no area: give x0 < x1 and y0 < y1.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_said_in_a_sentence(prompt, sentence, source):
    with pytest.raises(InputError) as raised:
        prompt.check(source)
    assert str(raised.value) == sentence


def test_points_that_are_not_pairs_are_said():
    with pytest.raises(InputError, match=r"^The points for object 1 on frame 0 are not pairs of numbers: give x, y"):
        Prompt.from_points(0, 1, [1, 2, 3], [1])


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.from_mask(3, 1, full()),
        Prompt.from_mask(0, 65535, np.eye(H, W, dtype=np.uint8)),
        Prompt.from_points(0, 1, [[0, 0], [W, H]], [1, 0]),
        Prompt.from_points(0, 1, box=[0, 0, W, H]),
        Prompt.from_points(0, 1, [[2.5, 3.5]], [0], box=[1, 1, 4, 4]),
    ],
    ids=["mask", "mask of bytes", "corners", "box", "box and point"],
)
def test_what_fits(prompt, source):
    prompt.check(source)


def test_array_likes_become_arrays_of_one_type():
    prompt = Prompt.from_points(0, 1, ((1, 2), (3, 4)), (True, False), box=(1, 2, 3, 4))
    assert prompt.points.dtype == np.float32
    assert prompt.points.shape == (2, 2)
    assert prompt.labels.dtype == np.int32
    assert prompt.box.dtype == np.float32
    assert Prompt.from_mask(0, 1, np.full((H, W), 7)).mask.dtype == bool


class TestLabels:
    def test_every_object_in_order(self):
        labels = np.array([[0, 5], [2, 5]], np.uint8)
        prompts = prompts_from_labels(3, labels)
        assert [(p.frame_idx, p.obj_id) for p in prompts] == [(3, 2), (3, 5)]
        np.testing.assert_array_equal(prompts[1].mask, labels == 5)

    def test_those_wanted_in_the_order_wanted(self):
        labels = np.array([[1, 2, 3]], np.uint8)
        assert [p.obj_id for p in prompts_from_labels(0, labels, [3, 1])] == [3, 1]

    def test_255_is_void_beside_others(self):
        labels = np.array([[0, 1, 255]], np.uint8)
        [prompt] = prompts_from_labels(0, labels)
        np.testing.assert_array_equal(prompt.mask, [[False, True, False]])

    def test_only_0_and_255_is_one_object(self):
        [prompt] = prompts_from_labels(0, np.array([[0, 255]], np.uint8))
        assert prompt.obj_id == 1
        np.testing.assert_array_equal(prompt.mask, [[False, True]])

    @pytest.mark.parametrize("dtype", [np.uint16, np.int64])
    def test_255_is_an_object_like_others_in_wider_types(self, dtype):
        assert [p.obj_id for p in prompts_from_labels(0, np.array([[0, 1, 255, 300]], dtype))] == [1, 255, 300]

    def test_no_object(self):
        with pytest.raises(InputError, match=r"^The mask for frame 2 holds no object: mark at least one\.$"):
            prompts_from_labels(2, np.zeros((2, 2), np.uint8))

    def test_an_object_that_is_not_there(self):
        with pytest.raises(InputError, match=r"^Object 4 is not in the mask for frame 0, which holds 1, 2\.$"):
            prompts_from_labels(0, np.array([[1, 2, 255]], np.uint8), [1, 4])
