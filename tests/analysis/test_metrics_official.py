"""Our scores against numbers that the official DAVIS 2017 evaluation gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from helpers import synthetic_masks
from napari_sam2_probe.evaluation.metrics import evaluate_folders, score_masks
from napari_sam2_probe.video.masks import read_mask, write_mask

GOLDEN = json.loads(Path(__file__).with_name("golden_scores.json").read_text())
TOLERANCE = 1e-9


def assert_equal_scores(scores, expected):
    assert scores.sequences.keys() == expected.keys()
    for name, objects in scores.sequences.items():
        assert [o.object_id for o in objects] == list(range(1, len(expected[name]["J"]) + 1))
        for index, found in enumerate(objects):
            for key, per_frame, summary in (
                ("J", found.region_per_frame, found.region),
                ("F", found.boundary_per_frame, found.boundary),
            ):
                np.testing.assert_allclose(per_frame, expected[name][key][index], rtol=0, atol=TOLERANCE)
                values = (summary.mean, summary.recall, summary.decay)
                np.testing.assert_allclose(values, expected[name][f"{key}_summary"][index], rtol=0, atol=TOLERANCE)


def test_masks_are_those_of_the_golden_numbers():
    assert synthetic_masks.digest() == GOLDEN["masks_sha256"]


def test_scores_equal_the_golden_numbers(tmp_path):
    synthetic_masks.write(tmp_path / "truth", which=0)
    synthetic_masks.write(tmp_path / "predicted", which=1)
    scores = evaluate_folders(tmp_path / "truth", tmp_path / "predicted")
    assert_equal_scores(scores, {name: GOLDEN["scores"][name] for name in sorted(GOLDEN["scores"])})

    rows = [row for sequence in GOLDEN["scores"].values() for row in sequence["J_summary"]]
    assert scores.region.mean == pytest.approx(np.mean([row[0] for row in rows]), abs=TOLERANCE)
    rows = [row for sequence in GOLDEN["scores"].values() for row in sequence["F_summary"]]
    assert scores.boundary.recall == pytest.approx(np.mean([row[1] for row in rows]), abs=TOLERANCE)


@pytest.mark.official
def test_golden_numbers_are_the_official_ones(official_checkout, tmp_path):
    from make_golden_scores import official_scores

    synthetic_masks.write(tmp_path / "davis" / "Annotations" / "480p", which=0)
    synthetic_masks.write(tmp_path / "predicted", which=1)
    names = list(GOLDEN["scores"])
    assert official_scores(official_checkout, tmp_path / "davis", tmp_path / "predicted", names) == GOLDEN["scores"]


def spoil(labels, frame_idx):
    """Shift, erode and dilate a mask by amounts that grow with time, and lose it now and then."""
    moved = np.roll(labels, (frame_idx // 6, -(frame_idx // 4)), axis=(0, 1))
    if frame_idx % 3 == 0:
        moved = ndimage.grey_erosion(moved, size=(5, 5))
    elif frame_idx % 3 == 1:
        moved = ndimage.grey_dilation(moved, size=(7, 7))
    return np.zeros_like(moved) if frame_idx % 17 == 11 else moved


@pytest.mark.davis
@pytest.mark.official
def test_real_masks(official_checkout, davis_root, tmp_path):
    from make_golden_scores import official_scores

    names = ["kite-surf", "scooter-black"]
    for name in names:
        for path in sorted((davis_root / "Annotations" / "480p" / name).glob("*.png")):
            labels = read_mask(path)
            write_mask(tmp_path / "davis" / "Annotations" / "480p" / name / path.name, labels)
            write_mask(tmp_path / "predicted" / name / path.name, spoil(labels, int(path.stem)))
    expected = official_scores(official_checkout, tmp_path / "davis", tmp_path / "predicted", names)
    scores = evaluate_folders(tmp_path / "davis", tmp_path / "predicted")
    assert_equal_scores(scores, expected)
    assert 0.2 < scores.jf_mean < 0.95

    for path in (tmp_path / "davis" / "Annotations").glob("480p/*/*.png"):
        Image.fromarray(read_mask(path) * np.uint8(255)).save(path)
    assert_equal_scores(evaluate_folders(tmp_path / "davis", tmp_path / "predicted"), expected)


@pytest.mark.davis
@pytest.mark.official
def test_several_real_objects(official_checkout, davis_root, tmp_path):
    """Objects of other sequences on top of each other, so that they touch and hide one another."""
    from make_golden_scores import official_scores

    annotations = davis_root / "Annotations" / "480p"
    for index in range(30):
        labels = np.zeros((480, 854), np.uint8)
        for object_id, name in enumerate(["dog", "goat", "blackswan", "horsejump-high"], start=1):
            labels[read_mask(annotations / name / f"{index:05d}.png") == 1] = object_id
        write_mask(tmp_path / "davis" / "Annotations" / "480p" / "crowd" / f"{index:05d}.png", labels)
        write_mask(tmp_path / "predicted" / "crowd" / f"{index:05d}.png", spoil(labels, index))
    expected = official_scores(official_checkout, tmp_path / "davis", tmp_path / "predicted", ["crowd"])
    assert_equal_scores(evaluate_folders(tmp_path / "davis", tmp_path / "predicted"), expected)


@pytest.mark.official
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_random_masks_of_many_sizes(official_checkout, monkeypatch):
    monkeypatch.syspath_prepend(str(official_checkout))
    from davis2017.metrics import db_eval_boundary, db_eval_iou

    rng = np.random.default_rng(5)
    for _ in range(150):
        shape = tuple(rng.integers(2, 260, 2))
        truth, prediction = (
            ndimage.gaussian_filter(rng.standard_normal(shape), sigma=rng.uniform(0.5, 12)) > 0 for _ in range(2)
        )
        official = (db_eval_iou(truth, prediction), db_eval_boundary(truth, prediction))
        assert score_masks(truth, prediction) == pytest.approx(official, abs=TOLERANCE)
