"""The sample model as it is shipped."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors import safe_open

from napari_sam2_probe.analysis.loss_warning import verdict
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE, SHIPPED, find_decoder
from napari_sam2_probe.runs.loss import find_warning
from tools.sample_model.decoder import HELD_OUT
from tools.sample_model.evaluate import PROMPTS, load, overlap, sequences, track
from tools.sample_model.model import CONFIG

FOLDER = CONFIG.parent
WEIGHTS = FOLDER / "model.safetensors"


@pytest.fixture(scope="module")
def model():
    return load(WEIGHTS)


def test_the_file_is_small_half_precision_and_the_one_described():
    assert WEIGHTS.stat().st_size <= 20_000_000
    with safe_open(WEIGHTS, "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert digest in (FOLDER / "MODEL_CARD.md").read_text()


def test_the_sums_are_those_of_the_files():
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()}  {name}" for name in (SHIPPED, WEIGHTS.name)
    ]


def test_its_warning_is_found_and_says_what_it_is_worth(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))  # none of the user's own
    warning = find_warning(hashlib.sha256(WEIGHTS.read_bytes()).hexdigest())
    assert warning is not None
    card = (FOLDER / "MODEL_CARD.md").read_text()
    for one in warning.horizons:
        held = one.held
        assert f"{held.auroc.value:.2f} [{held.auroc.low:.2f}, {held.auroc.high:.2f}]" in card
        gain = held.auroc_gain
        assert f"{gain.value:.3f} [{gain.low:.3f}, {gain.high:.3f}]" in card
        assert ("NO BETTER" in verdict(one)) == (gain.low < 0 < gain.high)


def test_its_decoder_is_found_and_says_how_good_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))  # no decoder of the user's own
    decoder = find_decoder(hashlib.sha256(WEIGHTS.read_bytes()).hexdigest())
    assert decoder is not None
    assert decoder.num_channels == 256
    report = decoder.report
    assert all(name.startswith("train") for name in report.fitted_sequences)
    assert all(name.startswith(HELD_OUT) for name in report.held_out_sequences)
    # The card states what was measured, not what was hoped for.
    card = (FOLDER / "MODEL_CARD.md").read_text()
    assert f"{report.iou.value:.3f}" in card
    assert f"{report.baseline_iou.value:.3f}" in card


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "horse"])
def test_it_tracks_better_than_a_mask_that_stays(model, name):
    frames, labels = next((f, a) for n, f, a in sequences(FOLDER.parent, 14) if n == name)
    truth = labels == 1
    found, scores = track(model, frames, truth[0])
    tracked = np.mean([overlap(a, b) for a, b in zip(truth[1:], found[1:], strict=True)])
    copied = np.mean([overlap(a, truth[0]) for a in truth[1:]])
    assert tracked > copied + 0.1
    assert (scores > 0).all()


def test_a_prompt_says_where_the_object_is(model):
    frames, labels = next((f[:1], a[:1]) for n, f, a in sequences(FOLDER.parent, 1) if n == "coffee")
    truth = labels == 1
    for ask in PROMPTS.values():
        found, _ = track(model, frames, truth[0], ask)
        assert overlap(found[0], truth[0]) > overlap(np.ones_like(truth[0]), truth[0])
