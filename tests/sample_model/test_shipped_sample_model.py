"""The sample model as it is shipped."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors import safe_open

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
    assert (FOLDER / "SHA256SUMS").read_text().split() == [digest, WEIGHTS.name]
    assert digest in (FOLDER / "MODEL_CARD.md").read_text()


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
