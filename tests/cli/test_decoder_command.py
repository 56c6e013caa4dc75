"""``sam2-probe decoder`` from a folder in DAVIS layout to boxes in an exported table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.decoder import library as decoders
from napari_sam2_probe.decoder.file import load_decoder
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE, find_decoder, find_lead, installed_path
from napari_sam2_probe.models.checkpoints import sample_checkpoint
from napari_sam2_probe.video.masks import write_mask

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SAMPLE = ("--checkpoint", "sample", "--device", "cpu")


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def davis(tmp_path):
    """Three sequences of five frames; in the last one a second object comes on frame 2."""
    root = tmp_path / "davis"
    for index, name in enumerate(("apple", "brick", "cloud")):
        frames = moving_video(5, seed=index)[:, :, :: -1 if index == 1 else 1]
        write_video(root / "JPEGImages" / "480p" / name, np.ascontiguousarray(frames))
        for t in range(5):
            labels = square_mask(t)[:, :: -1 if index == 1 else 1].astype(np.uint8)
            if index == 2 and t >= 2:
                labels[60:80, 100:130] = 2
            write_mask(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels)
    return root


@pytest.mark.slow
def test_fit_show_and_find_again(command, davis, tmp_path, own_folder):
    out = tmp_path / "d.safetensors"
    answer = command("decoder", "fit", "--davis", davis, "--out", out, "--held-out", 0.4, "--hidden", "8,4", *SAMPLE)
    assert answer.code == 0, answer.err
    decoder = load_decoder(out)
    assert (decoder.checkpoint, decoder.sha256) == ("sample", sample_checkpoint().sha256)
    assert [len(biases) for biases in decoder.biases] == [8, 4, 4]
    # Object 2 of the last sequence is prompted on frame 2.
    frames = {"apple": 4, "brick": 4, "cloud": 4 + 2}
    report = decoder.report
    assert report.fitted_frames == sum(frames[name] for name in report.fitted_sequences)
    assert report.held_out_frames == sum(frames[name] for name in report.held_out_sequences)
    shown = command("decoder", "show", out)
    assert shown.out.strip() in answer.out
    assert "mean IoU" in shown.out
    assert report.held_out_sequences[0] in shown.out
    assert not own_folder.exists()


@pytest.mark.slow
def test_installed_by_default(command, davis, own_folder):
    sha256 = sample_checkpoint().sha256
    answer = command("decoder", "fit", "--davis", davis, "--max-frames", 3, "--hidden", 4, *SAMPLE)
    assert answer.code == 0, answer.err
    assert str(installed_path(sha256)) in answer.out
    assert installed_path(sha256).parent == own_folder
    found = find_decoder(sha256)
    assert found.sha256 == sha256
    assert found.report.fitted_frames + found.report.held_out_frames == 2 + 2 + 2
    assert find_decoder("ab" * 32) is None
    assert find_decoder(None) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--davis", "nowhere"), "nowhere"),
        (("--held-out", "1"), "--held-out 1: give a share"),
        (("--hidden", "8,x"), "--hidden 8,x: give whole numbers"),
        (("--hidden", "0"), "--hidden 0: give whole numbers"),
        (("--max-frames", "1"), "give at least 2"),
        (("--seed", "-1"), "--seed -1"),
        (("--weight-decay", "nan"), "--weight-decay nan"),
        (("--split", "val"), "val"),
        (("--checkpoint", "none-such"), "none-such"),
    ],
)
def test_bad_input(command, davis, tmp_path, own_folder, words, said):
    before = sorted(tmp_path.rglob("*"))
    answer = command("decoder", "fit", "--davis", davis, "--out", tmp_path / "d.safetensors", *SAMPLE, *words)
    assert answer.code == 2
    assert said in answer.sentence
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_overwritten_unasked(command, davis, tmp_path):
    (tmp_path / "d").write_text("mine")
    answer = command("decoder", "fit", "--davis", davis, "--out", tmp_path / "d", *SAMPLE)
    assert answer.code == 2
    assert "--overwrite" in answer.sentence
    assert (tmp_path / "d").read_text() == "mine"
    assert "is a folder" in command("decoder", "fit", "--davis", davis, "--out", tmp_path, *SAMPLE).sentence


def test_one_sequence_is_too_few(command, tmp_path, own_folder):
    root = tmp_path / "one"
    write_video(root / "JPEGImages" / "480p" / "apple", moving_video(3))
    Image.fromarray(square_mask(0).astype(np.uint8)).save(tmp_path / "m.png")
    answer = command("decoder", "fit", "--davis", root, *SAMPLE)
    assert answer.code == 2
    assert "at least two" in answer.sentence


def test_show_says_what_is_no_decoder(command, tmp_path):
    assert "There is no decoder" in command("decoder", "show", tmp_path / "nowhere").sentence


@pytest.mark.slow
def test_lead_of_centres(command, davis, tmp_path, own_folder, monkeypatch):
    monkeypatch.setattr(decoders, "SHIPPED", "none.safetensors")
    missing = command("decoder", "lead", "--davis", davis, *SAMPLE)
    assert missing.code == 2
    assert "fit one with" in missing.sentence
    assert command("decoder", "fit", "--davis", davis, *SAMPLE).code == 0
    answer = command("decoder", "lead", "--davis", davis, "--out", tmp_path / "lead.csv", *SAMPLE)
    assert answer.code == 0, answer.err
    assert "video backwards" in answer.out
    table = pd.read_csv(tmp_path / "lead.csv")
    # One sequence was held out, and only that one says something.
    assert table["sequence"].tolist() == list(find_decoder(sample_checkpoint().sha256).report.held_out_sequences)
    # The first and last of five frames have one neighbour only, and the prompted one is not tracked.
    assert table["num_frames"].tolist() == [2]
    assert np.isfinite(table[["forward", "backward"]]).all(axis=None)
    # Without a file it is kept where reports look.
    sha256 = sample_checkpoint().sha256
    assert find_lead(sha256) is None
    kept = command("decoder", "lead", "--davis", davis, *SAMPLE)
    assert str(own_folder) in kept.out
    assert find_lead(sha256).forward.tolist() == pytest.approx(table["forward"].tolist())
    assert (
        "give the name of a .json" in command("decoder", "lead", "--davis", davis, "--out", tmp_path / "a.txt").sentence
    )
