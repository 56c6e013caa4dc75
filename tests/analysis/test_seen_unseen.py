"""The score of YouTube-VOS is that of its definition, computed directly."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.cli.app import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation.metrics import boundary_accuracy, evaluate_folders, region_similarity, seen_unseen

CATEGORIES = {"a": {"1": "dog", "2": "zebra"}, "b": {"1": "zebra"}, "c": {"1": "dog"}}
H, W, T = 40, 60, 6


def write_masks(folder, labels):
    folder.mkdir(parents=True)
    for t, label in enumerate(labels):
        Image.fromarray(label).save(folder / f"{t:05d}.png")


def meta(path, categories):
    videos = {
        name: {"objects": {k: {"category": c, "frames": ["00000"]} for k, c in objects.items()}}
        for name, objects in categories.items()
    }
    path.write_text(json.dumps({"videos": videos}))
    return path


@pytest.fixture
def masks(tmp_path):
    """Squares that move, and predictions that lie beside them."""
    rng = np.random.default_rng(0)
    for name, objects in CATEGORIES.items():
        truth, predicted = np.zeros((2, T, H, W), np.uint8)
        for k in map(int, objects):
            for t in range(T):
                x = 4 + 3 * t + 12 * k
                truth[t, 5 * k : 5 * k + 14, x : x + 14] = k
                dx, dy = rng.integers(0, 5, 2)
                predicted[t, 5 * k + dy : 5 * k + dy + 14, x + dx : x + dx + 14] = k
        write_masks(tmp_path / "gt" / name, truth)
        write_masks(tmp_path / "pred" / name, predicted)
    return tmp_path


def read(folder, name, t):
    return np.asarray(Image.open(folder / name / f"{t:05d}.png"))


def test_it_is_the_mean_of_four_means(masks, capsys):
    files = meta(masks / "meta.json", CATEGORIES), meta(masks / "train.json", {"x": {"1": "dog", "7": "cat"}})
    found = seen_unseen(evaluate_folders(masks / "gt", masks / "pred"), *files)
    values = {True: [], False: []}
    for name, objects in CATEGORIES.items():
        for k, category in objects.items():
            pairs = [[read(masks / part, name, t) == int(k) for part in ("gt", "pred")] for t in range(1, T - 1)]
            by_frame = [(region_similarity(*pair), boundary_accuracy(*pair)) for pair in pairs]
            values[category == "dog"].append(np.mean(by_frame, axis=0))
    seen, unseen = (np.mean(values[key], axis=0) for key in (True, False))
    assert (found.region_seen, found.boundary_seen) == pytest.approx(tuple(seen))
    assert (found.region_unseen, found.boundary_unseen) == pytest.approx(tuple(unseen))
    assert found.overall == pytest.approx(np.mean([*seen, *unseen]))
    assert (found.num_seen, found.num_unseen) == (2, 2)
    assert not np.allclose(seen, unseen)

    command = ["evaluate", "--gt", str(masks / "gt"), "--pred", str(masks / "pred"), "--meta", *map(str, files)]
    assert main(command) == 0
    assert f"overall (mean of the four): {found.overall:.4f}" in capsys.readouterr().out


def test_without_unseen_objects_there_is_no_overall(masks):
    files = meta(masks / "meta.json", CATEGORIES), meta(masks / "train.json", CATEGORIES)
    found = seen_unseen(evaluate_folders(masks / "gt", masks / "pred"), *files)
    assert np.isnan(found.overall)
    assert (found.num_seen, found.num_unseen) == (4, 0)


def test_a_file_of_another_split_is_told(masks):
    scores = evaluate_folders(masks / "gt", masks / "pred")
    train = meta(masks / "train.json", CATEGORIES)
    other = meta(masks / "meta.json", {"a": {"1": "dog"}})
    with pytest.raises(InputError, match="doesn't name the category of object 2 of a"):
        seen_unseen(scores, other, train)
    other.write_text("[]")
    with pytest.raises(InputError, match="is not a meta"):
        seen_unseen(scores, other, train)
