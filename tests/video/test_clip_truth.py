"""Reading ``frames.csv`` and ``clips.jsonl`` as the data set writer writes them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.video import ArraySource, FolderSource
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.truth import ClipTruth, find_truth, read_truth

if TYPE_CHECKING:
    from pathlib import Path

LENGTHS = (3, 2, 2)


@pytest.fixture(scope="module", params=["interjection", "obscuration"])
def made(request, tmp_path_factory):
    """Two clips of one kind from the sample videos."""
    out = tmp_path_factory.mktemp("clips") / request.param
    order = ClipSpec(kind=request.param, seed=3, lengths=LENGTHS)
    make_dataset(DavisDataset(sample_data_folder()), out, order, samples=2, workers=1)
    return out


def clips_of(folder: Path) -> list[str]:
    return (folder / "ImageSets" / "2017" / "val.txt").read_text().split()


def test_a_clip_of_a_data_set(made):
    table = pd.read_csv(made / "frames.csv")
    recipes = [json.loads(line) for line in (made / "clips.jsonl").read_text().splitlines()]
    for clip, recipe in zip(clips_of(made), recipes, strict=True):
        known = read_truth(made / "frames.csv", clip, sum(LENGTHS))
        rows = table[table["clip"] == clip]
        assert known.clip == clip
        assert known.recipe == recipe
        assert recipe["kind"] == made.name
        for name in ("object_present", "context_present", "source_frame"):
            np.testing.assert_array_equal(getattr(known, name), rows[name])
        assert list(known.source_sequence) == rows["source_sequence"].tolist()
        np.testing.assert_array_equal(known.obscured_fraction, rows["obscured_fraction"])
        if made.name == "interjection":
            assert known.object_present.tolist() == [True] * 3 + [False] * 2 + [True] * 2
        else:
            assert known.object_present.all()
            assert known.obscured_fraction.max() > 0


def test_a_clip_is_known_by_the_data_set_it_lies_in(made):
    clip = clips_of(made)[1]
    found = find_truth(DavisDataset(made).sequence(clip).frames)
    assert found is not None
    assert found.as_json() == read_truth(made / "frames.csv", clip, sum(LENGTHS)).as_json()
    sample = sample_data_folder() / "JPEGImages" / "480p" / "coins"
    assert find_truth(FolderSource(sample)) is None
    assert find_truth(ArraySource(np.zeros((2, 8, 8), np.uint8), name="array")) is None


def test_json_round_trip(made):
    known = read_truth(made / "frames.csv", clips_of(made)[1], sum(LENGTHS))
    back = ClipTruth.from_json(json.loads(json.dumps(known.as_json(), allow_nan=False)))
    assert back.as_json() == known.as_json()
    for name in ("object_present", "context_present", "obscured_fraction", "source_frame"):
        a, b = getattr(known, name), getattr(back, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert back.source_sequence == known.source_sequence


def test_without_recipes(made, tmp_path):
    shutil.copy(made / "frames.csv", tmp_path)
    assert read_truth(tmp_path / "frames.csv", clips_of(made)[0], sum(LENGTHS)).recipe is None


def test_a_name_with_an_unusual_line_separator(tmp_path):
    name = "caf\x85é\u2028"
    (tmp_path / "clips.jsonl").write_text(json.dumps({"clip": name}, ensure_ascii=False) + "\n", encoding="utf-8")
    (tmp_path / "frames.csv").write_text(HEADER + f"{name},0,a,0,True,True,\n", encoding="utf-8")
    assert read_truth(tmp_path / "frames.csv", name, 1).recipe == {"clip": name}


HEADER = "clip,frame,source_sequence,source_frame,object_present,context_present,obscured_fraction\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"can't be read as a frames\.csv \(it has no column clip"),
        ("clip,frame\nc,0\n", r"can't be read as a frames\.csv \(it has no column source_sequence"),
        (HEADER, "0 rows for the clip c"),
        (HEADER + "other,0,a,0,True,True,\n", "0 rows for the clip c"),
        (HEADER + "c,0,a,0,True,True,\nc,2,a,2,True,True,\n", "2 rows for the clip c, whose video has 2 frames"),
        (HEADER + "c,0,a,0,True,True,\nc,x,a,1,True,True,\n", "no number or flag"),
        (HEADER + "c,0,a,0,True,True,\nc,1\n", "no number or flag"),
        (HEADER + "c,0,a,0,maybe,True,\nc,1,a,1,True,True,\n", "no number or flag"),
        (HEADER + "c,0,a,0,True,True,half\nc,1,a,1,True,True,\n", "no number or flag"),
        (HEADER + f"c,0,a,{10**30},True,True,\nc,1,a,1,True,True,\n", "no number or flag"),
    ],
)
def test_refused(tmp_path, text, sentence):
    (tmp_path / "frames.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_truth(tmp_path / "frames.csv", "c", 2)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"can't be read as a frames\.csv"):
        read_truth(tmp_path / "none.csv", "c", 2)


@pytest.mark.parametrize("text", ["{", "[]\n", '{"name": "c"}\n', "3\n"])
def test_damaged_recipes(tmp_path, text):
    (tmp_path / "frames.csv").write_text(HEADER + "c,0,a,0,True,True,\n")
    (tmp_path / "clips.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"clips\.jsonl: the file is damaged"):
        read_truth(tmp_path / "frames.csv", "c", 1)
