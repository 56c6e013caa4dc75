"""``sam2-probe run``: from a video and a prompt to a run on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import layout_trees
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video.masks import write_mask

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SMALL = ("--checkpoint", "sample", "--device", "cpu")


def test_a_mask(command, video, mask, tmp_path):
    answer = command("run", video, "--out", tmp_path / "run", "--mask", mask, *SMALL)
    assert answer.code == 0
    assert answer.err == "", "a short job writes nothing into a log"
    assert f"Tracked 6 frames and 1 object(s) of {video.name}" in answer.out
    run = open_run(tmp_path / "run")
    assert run.finished
    assert run.tracked.all()
    # SAM 2 gives a prompted mask back from a coarser grid, so corners are lost.
    assert (run.masks_per_object[0, 0] != square_mask(0)).sum() < 20
    assert ("UNTRAINED" in answer.out) == (not run.info["model"]["trained"])


def test_a_mask_of_several_objects(command, video, tmp_path):
    labels = square_mask(0).astype(np.uint8) * 4
    labels[5:15, 100:130] = 2
    write_mask(tmp_path / "m.png", labels)
    job = ("run", video, "--mask", tmp_path / "m.png", "--end", 1, *SMALL)
    assert command(*job, "--out", tmp_path / "all").code == 0
    assert open_run(tmp_path / "all").object_ids.tolist() == [2, 4]
    assert command(*job, "--out", tmp_path / "one", "--object", 4).code == 0
    assert open_run(tmp_path / "one").object_ids.tolist() == [4]


@pytest.mark.parametrize("points", [["--point", "35,42", "100,20,0"], ["--point", "35,42", "--point", "100,20,0"]])
def test_points_and_a_box(command, video, tmp_path, points):
    words = ["run", video, "--out", tmp_path / "run", "--frame", 2, "--object", 3, *points, "--box", "20,20,90,80.5"]
    assert command(*words, "--direction", "both", *SMALL).code == 0
    run = open_run(tmp_path / "run")
    assert run.info["prompts"] == [
        {
            "frame": 2,
            "object_id": 3,
            "points": [[35, 42], [100, 20]],
            "labels": [1, 0],
            "box": [20, 20, 90, 80.5],
        }
    ]
    assert run.tracked.all()
    assert np.argwhere(run.prompted).tolist() == [[0, 2]]


def test_a_prompts_file_gives_what_options_give(command, video, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps([{"frame": 1, "object_id": 5, "box": [18, 28, 52, 58]}]))
    job = ("run", video, "--end", 3, *SMALL)
    assert command(*job, "--out", tmp_path / "a", "--prompts", tmp_path / "p.json").code == 0
    options = ("--frame", 1, "--object", 5, "--box", "18,28,52,58")
    assert command(*job, "--out", tmp_path / "b", *options).code == 0
    a, b = open_run(tmp_path / "a"), open_run(tmp_path / "b")
    assert np.flatnonzero(a.tracked[0]).tolist() == [1, 2, 3]
    np.testing.assert_array_equal(a.masks[:], b.masks[:])
    np.testing.assert_array_equal(a.object_pointers, b.object_pointers)


def test_options_arrive(command, video, mask, tmp_path):
    words = ["run", video, "--out", tmp_path / "run", "--mask", mask, "--end", 1, *SMALL, "--no-postprocessing"]
    words += ["--no-prompted-references", "--denominator", "standard-deviation", "--epsilon", "1e-3", "--unblanked"]
    words += ["--no-add-all-frames-to-correct-as-cond", "--clear-non-cond-mem-around-input", "--non-overlap-masks"]
    assert command(*words).code == 0
    info = open_run(tmp_path / "run").info
    assert info["model"]["flags"] == {
        "apply_postprocessing": False,
        "add_all_frames_to_correct_as_cond": False,
        "clear_non_cond_mem_around_input": True,
        "non_overlap_masks": True,
    }
    features = info["parameters"]["features"]
    assert features == {"denominator": "standard deviation", "epsilon": 1e-3, "prompted_references": False}
    assert info["parameters"]["unblanked"] is True


def test_a_clip_of_a_data_set(command, tmp_path):
    clips = tmp_path / "clips"
    made = command(
        *("transform", "interjection", "--davis", sample_data_folder(), "--out", clips),
        *("--samples", 1, "--lengths", "2,2,1", "--workers", 1),
    )
    assert made.code == 0
    (name,) = (clips / "ImageSets" / "2017" / "val.txt").read_text().split()
    prompt = clips / "Annotations" / "480p" / name / "00000.png"
    words = ("run", clips / name, "--mask", prompt, *SMALL)
    # What is known of the clip is found beside it.
    assert command(*words, "--out", tmp_path / "run").code == 0
    told = (*words, "--frames-csv", clips / "frames.csv")
    assert command(*told, "--out", tmp_path / "told").code == 0
    assert open_run(tmp_path / "told").info["known"] == open_run(tmp_path / "run").info["known"]
    run = open_run(tmp_path / "run")
    assert run.object_present[run.object_ids.tolist().index(1)].tolist() == [True, True, False, False, True]
    assert run.info["known"]["recipe"]["clip"] == name
    assert run.info["known"]["recipe"]["kind"] == "interjection"
    (clips / "frames.csv").write_text("clip,frame\n")
    refused = command(*words, "--out", tmp_path / "damaged")
    assert (refused.code, (tmp_path / "damaged").exists()) == (2, False)
    assert "can't be read as a frames.csv (it is not as it was written" in refused.sentence


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupted(tmp_path):
    video = write_video(tmp_path / "video", np.tile(moving_video(6), (40, 1, 1, 1)))
    out = tmp_path / "run"
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "napari_sam2_probe.cli",
            "run",
            video,
            "--out",
            str(out),
            "--box",
            "18,28,52,58",
            *SMALL,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    patience = time.monotonic() + 120
    masks = out / "probe.zarr" / "maps" / "memory_features" / "mean" / "c" / "0" / "4"
    while not masks.exists() and child.poll() is None and time.monotonic() < patience:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said, complained = child.communicate(timeout=120)
    assert child.returncode == 130
    assert said == ""
    assert complained == "sam2-probe: interrupted; what was finished is kept.\n"
    run = open_run(out)
    assert not run.finished
    assert run.info["stopped"] == "stopped by the user"
    done = np.flatnonzero(run.tracked[0])
    assert 4 <= len(done) < 240
    assert done.tolist() == list(range(len(done)))
    kept = run.features.query("position == '1'").set_index("frame")["short_term_l2"]
    assert kept.loc[1 : done[-1]].notna().all()


def test_masks_of_a_data_set_with_frame_names_of_its_own_are_found_again(command, tmp_path):
    """LVOS counts frames from 1 in steps of 5; what is exported has to be matched by these names."""
    root = layout_trees.lvos(tmp_path / "lvos", num_frames=5)
    mask = root / "valid" / "Annotations" / "0tCWPOrc" / "00000001.png"
    run, out = tmp_path / "run", tmp_path / "masks" / "0tCWPOrc"
    assert command("run", root / "valid" / "0tCWPOrc", "--out", run, "--mask", mask, *SMALL).code == 0
    assert command("export", run, "--what", "masks", "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == [f"{5 * t + 1:08d}.png" for t in range(5)]
    scores = command("evaluate", "--gt", root / "valid", "--pred", tmp_path / "masks")
    assert scores.code == 0
    assert "0tCWPOrc" in scores.out


def test_again(command, video, mask, tmp_path):
    options = ("--direction", "both", "--no-postprocessing", "--epsilon", "1e-3", "--unblanked")
    assert command("run", video, "--out", tmp_path / "run", "--frame", 2, "--mask", mask, *options, *SMALL).code == 0
    answer = command("run", "--again", tmp_path / "run", "--out", tmp_path / "again")
    assert answer.code == 0, answer.err
    assert f"of {video.name} with sample" in answer.out
    run, again = open_run(tmp_path / "run"), open_run(tmp_path / "again")
    np.testing.assert_array_equal(run.masks[:], again.masks[:])
    np.testing.assert_array_equal(run.object_pointers, again.object_pointers)
    assert (run.path / "features.csv").read_bytes() == (again.path / "features.csv").read_bytes()
    assert again.info["model"] == run.info["model"]
    assert again.info["parameters"] == run.info["parameters"]

    moved = video.rename(tmp_path / "moved")
    assert "There is no video" in command("run", "--again", tmp_path / "run", "--out", tmp_path / "third").sentence
    assert command("run", moved, "--again", tmp_path / "run", "--out", tmp_path / "third").code == 0
    refused = command("run", "--again", tmp_path / "run", "--out", tmp_path / "fourth", "--mask", mask)
    assert refused.code == 2
    assert "leave out --mask" in refused.sentence


def test_without_a_video(command, mask, tmp_path):
    answer = command("run", "--out", tmp_path / "run", "--mask", mask)
    assert answer.code == 2
    assert "give VIDEO, or --again RUN" in answer.sentence
