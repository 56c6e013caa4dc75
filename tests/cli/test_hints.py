"""What a person types nearly right: taken as it was meant, or told what was probably meant."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.runs import open_run

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SMALL = ("--checkpoint", "sample", "--device", "cpu", "--end", 0)


@pytest.mark.parametrize("points", [["35,42"], ["35,42", "100,20,0"]])
def test_the_video_may_stand_behind_points(command, video, tmp_path, points):
    answer = command("run", "--out", tmp_path / "run", *SMALL, "--point", *points, video)
    assert answer.code == 0, answer.err
    assert len(open_run(tmp_path / "run").info["prompts"][0]["points"]) == len(points)


def test_a_point_that_is_none_is_not_taken_for_the_video(command, video, tmp_path):
    answer = command("run", video, "--out", tmp_path / "run", *SMALL, "--point", "35,x")
    assert "--point 35,x: give numbers as X,Y" in answer.err
    assert "There is no video to track in" in command("run", "--out", tmp_path / "run", "--point", "35;42").err


def test_the_video_may_be_an_option(command, video, mask, tmp_path):
    assert command("run", "--video", video, "--mask", mask, "--out", tmp_path / "run", *SMALL).code == 0
    assert "two videos" in command("run", video, "--video", video, "--mask", mask, "--out", tmp_path / "b").err


def test_frames_are_kept_where_asked(command, video, mask, tmp_path):
    assert command("run", video, "--mask", mask, "--out", tmp_path / "run", "--keep-frames", *SMALL).code == 0
    assert len(list((tmp_path / "run" / "video").rglob("*.jpg"))) == 6
    assert not list((tmp_path / "run").glob(".*"))


def test_a_soft_mask_is_cut_where_asked(command, video, tmp_path):
    y, x = np.mgrid[:90, :160]
    soft = np.clip(255 * (12 - np.hypot(y - 42, x - 35)) / 8 + 127, 0, 255).astype(np.uint8)
    Image.fromarray(soft).save(tmp_path / "soft.png")
    words = ("run", video, "--mask", tmp_path / "soft.png", *SMALL)
    assert "--mask-threshold 0.5" in command(*words, "--out", tmp_path / "no").err
    assert command(*words, "--mask-threshold", 0.5, "--out", tmp_path / "run").code == 0
    assert open_run(tmp_path / "run").object_ids.tolist() == [1]
    points = command("run", video, "--point", "1,2", "--mask-threshold", 1, "--out", tmp_path / "no")
    assert "give one, or leave it out" in points.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "v", "--out", "o", "--model", "tiny"), "sam2-probe run: unrecognized arguments: --model tiny. Did you "
         "mean '--checkpoint'?"),
        (("export", "r", "--what", "masks", "--out", "o", "--overwrit"), None),
        (("export", "r", "--what", "masks", "--out", "o", "--force"), "Did you mean '--overwrite'?"),
        (("decoder", "fit", "--davis", "d", "--hiden", "3"), "sam2-probe decoder fit: unrecognized arguments: --hiden "
         "3. Did you mean '--hidden'?"),
        (("checkpoints", "list", "--zzz"), "sam2-probe checkpoints list: unrecognized arguments: --zzz. (see"),
        (("run", "v", "--out", "o", "--point", "1,2", "--intervene", '[{"edit": "drop"}]'), "save it as edits.json and "
         "give --intervene edits.json"),
        (("run", "v", "--out", "o", "--prompts", '{"frame": 0}'), "save it as prompts.json"),
    ],
)  # fmt: skip
def test_hints(command, words, said):
    answer = command(*words)
    assert answer.code == 2
    assert said is None or said in answer.err


def test_names_of_sequences(command, tmp_path):
    for name in ("blackswan", "dog"):
        (tmp_path / "JPEGImages" / "480p" / name).mkdir(parents=True)
        Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / "480p" / name / "00000.jpg")
    assert "Did you mean 'blackswan'?" in command("run", tmp_path / "blackswn", "--point", "1,2", "--out", "x").err
    (tmp_path / "holiday.mp4").write_bytes(b"")
    assert "Did you mean 'holiday.mp4'?" in command("run", tmp_path / "holidy.mp4", "--point", "1,2", "--out", "x").err


def test_what_exists_already(command, video, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    answer = command("run", video, "--point", "1,2", "--out", tmp_path / "run")
    assert "such as run-3, or remove this one" in answer.err
