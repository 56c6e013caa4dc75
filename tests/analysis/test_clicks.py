"""The simulated user clicks where SAM 2's own evaluation does."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_sam2_probe.evaluation.clicks import Click, box_of, next_click

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12)


@pytest.fixture(scope="module")
def theirs():
    """``theirs(truth, prediction)`` -> x, y, label of sam2's own function, with its OpenCV or, without, SciPy's."""
    torch = pytest.importorskip("torch")
    utils = pytest.importorskip("sam2.modeling.sam2_utils")

    def distance(image, *_):
        # OpenCV's is in float32 too.
        return ndimage.distance_transform_edt(image).astype(np.float32)

    stand_in = SimpleNamespace(distanceTransform=distance, DIST_L2=2)

    def ask(truth, prediction):
        with pytest.MonkeyPatch.context() as patch:
            try:
                import cv2  # noqa: F401
            except ImportError:
                patch.setitem(sys.modules, "cv2", stand_in)
            masks = [None if m is None else torch.from_numpy(m)[None, None] for m in (truth, prediction)]
            points, labels = utils.get_next_point(*masks, method="center")
        x, y = points[0, 0].tolist()
        return int(x), int(y), int(labels[0, 0])

    return ask


def blobs(seed, shape=(61, 83), level=0.1):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal(shape), sigma=rng.uniform(1, 6)) > level * rng.uniform(-1, 1)


@pytest.mark.parametrize("seed", range(25))
def test_equal_to_the_evaluation_of_sam2(theirs, seed):
    truth, prediction = blobs(seed), blobs(seed + 1000)
    click = next_click(truth, prediction)
    assert (click.x, click.y, int(click.positive)) == theirs(truth, prediction)
    first = next_click(truth)
    assert (first.x, first.y, int(first.positive)) == theirs(truth, None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_click_lies_in_an_error_and_none_is_deeper(data):
    shape = data.draw(shapes)
    truth, prediction = (data.draw(hnp.arrays(bool, shape)) for _ in range(2))
    click = next_click(truth, prediction)
    if (truth == prediction).all():
        assert click is None
        return
    assert truth[click.y, click.x] == click.positive
    assert prediction[click.y, click.x] != click.positive

    def depth(region, y, x):
        outside = np.argwhere(~np.pad(region, 1)) - 1
        return np.hypot(*(outside - (y, x)).T).min()

    own = depth(truth & ~prediction if click.positive else prediction & ~truth, click.y, click.x)
    for region in (truth & ~prediction, prediction & ~truth):
        assert all(depth(region, y, x) <= own for y, x in np.argwhere(region))


def test_the_middle_of_an_object_at_the_edge_of_the_image():
    truth = np.zeros((20, 30), bool)
    truth[:9, 25:] = True
    assert next_click(truth) == Click(27, 2, True)


def test_too_much_wins_over_too_little_where_both_are_as_deep():
    truth, prediction = np.zeros((2, 9, 20), bool)
    truth[2:5, 2:5] = True
    prediction[2:5, 12:15] = True
    assert next_click(truth, prediction) == Click(13, 3, False)
    truth[2:7, 2:7] = True
    assert next_click(truth, prediction) == Click(4, 4, True)


def test_boxes_are_those_of_sam2():
    torch = pytest.importorskip("torch")
    misc = pytest.importorskip("sam2.utils.misc")
    for seed in range(10):
        mask = np.zeros((40, 50), bool)
        mask[seed : 20 + seed, 5 : 45 - 3 * seed] = blobs(seed, (20, 40 - 3 * seed))
        assert box_of(mask).tolist() == misc.mask_to_box(torch.from_numpy(mask)[None, None])[0, 0].tolist()


def test_a_box_has_an_area():
    mask = np.zeros((5, 6), bool)
    mask[4, 2:6] = True
    assert box_of(mask).tolist() == [2, 4, 5, 5]
