"""The clips that the sample model is trained on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.sample_model import bank as banks
from tools.sample_model import outlines, photographs, textures
from tools.sample_model.photometry import fill, film
from tools.sample_model.prompts import Prompter
from tools.sample_model.render import EVENTS, ClipRenderer


@pytest.fixture(scope="module")
def renderer(bank):
    return ClipRenderer(bank, 64)


def test_the_same_seed_gives_the_same_clips(renderer):
    first, again, other = (renderer.render((1, seed), clips=3, frames=3) for seed in (7, 7, 8))
    assert torch.equal(first.frames, again.frames)
    assert torch.equal(first.masks, again.masks)
    assert first.events == again.events
    assert not torch.equal(first.frames, other.frames)


@given(st.integers(0, 2**32), st.sampled_from(EVENTS))
@settings(max_examples=15, deadline=None)
def test_every_clip_is_whole(renderer, seed, event):
    batch = renderer.render((seed,), clips=2, frames=4, event=event, event_frames=(2, 3))
    assert batch.frames.shape == (2, 4, 3, 64, 64)
    assert torch.isfinite(batch.frames).all()
    assert batch.frames.min() >= 0
    assert batch.frames.max() <= 1
    assert torch.equal(batch.masks.flatten(2).any(-1), batch.present)
    assert batch.during.tolist() == [[False, False, event != "none", False]] * 2


@pytest.mark.parametrize("event", ["cut", "removal", "leaving"])
def test_an_absent_target_has_no_mask_and_comes_back(renderer, event):
    came_back = 0
    for seed in range(4):
        batch = renderer.render((seed,), clips=2, frames=5, event=event, event_frames=(2, 4), pace=0.3)
        assert not batch.present[:, 2:4].any()
        came_back += int(batch.present[:, 4].sum())
    assert came_back >= 6


def test_a_cut_shows_the_scene_of_another_clip(renderer, bank):
    # Only without what a camera adds are the two the same to the last bit.
    plain = ClipRenderer(bank, 64)
    batch = plain.render((5,), clips=2, frames=4, event="cut", event_frames=(1, 2), pace=0.0)
    inside = (batch.frames[0, 1] - batch.frames[0, 0]).abs().mean()
    outside = (batch.frames[0, 2] - batch.frames[0, 0]).abs().mean()
    assert inside > 2 * outside


def test_nothing_moves_at_pace_zero(renderer):
    batch = renderer.render((3,), clips=4, frames=3, event="none", pace=0.0)
    still = [torch.equal(masks[0], masks[2]) for masks in batch.masks]
    assert sum(still) >= 3  # a piece of a sample video moves on its own


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_outlines_and_textures_are_usable(seed):
    rng = np.random.default_rng(seed)
    assert 0.01 < outlines.draw(rng, 64).mean() < 0.6
    texture = textures.draw(rng, 64)
    assert texture.shape == (64, 64, 3)
    assert texture.dtype == np.uint8
    assert texture.std() > 0


def test_filling_removes_the_thing_and_leaves_the_rest():
    picture = torch.full((3, 64, 64), 0.25)
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:40, 20:40] = True
    picture[:, mask] = 1.0
    filled = fill(picture, mask)
    assert filled[:, mask].max() < 0.3
    torch.testing.assert_close(filled[:, :16], picture[:, :16])


def test_film_keeps_the_range():
    for seed in range(10):
        frames = film(np.random.default_rng(seed), torch.rand(2, 3, 32, 32))
        assert 0 <= frames.min() <= frames.max() <= 1


def test_held_out_photographs_are_not_trained_on():
    assert not set(photographs.TRAINING) & set(photographs.HELD_OUT)
    for package, path in photographs.TRAINING + photographs.HELD_OUT:
        picture = photographs.load(package, path)
        assert picture.ndim == 3
        assert 64 < max(picture.shape[:2]) <= 640


def test_a_mask_survives_packing():
    mask = np.random.default_rng(0).random((banks.SIZE, banks.SIZE)) < 0.5
    np.testing.assert_array_equal(banks.unpack(np.packbits(mask)), mask)


@given(st.integers(0, 2**32), st.sampled_from(["box", "click"]), st.booleans())
@settings(max_examples=20, deadline=None)
def test_prompts_are_about_the_target(seed, kind, central):
    rng = np.random.default_rng(seed)
    truth = torch.from_numpy(outlines.draw(rng, 64))[None, None].float()
    points = Prompter(rng, kind, central=central).first(truth)
    coordinates = points["point_coords"][0].numpy()
    if kind == "click":
        x, y = coordinates[0].astype(int)
        assert truth[0, 0, y, x] == 1
        assert points["point_labels"].tolist() == [[1]]
    else:
        rows, columns = np.nonzero(truth[0, 0].numpy())
        tight = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
        assert np.abs(coordinates - tight).max() <= (0 if central else 12)
        assert points["point_labels"].tolist() == [[2, 3]]


def test_corrections_click_on_what_is_wrong():
    truth = torch.zeros(2, 1, 64, 64)
    truth[:, :, 10:30, 10:30] = 1
    guess = torch.full((2, 1, 64, 64), -1.0)
    guess[1, :, 10:30, 10:50] = 1
    prompter = Prompter(np.random.default_rng(0), "click")
    points = prompter.correct(prompter.first(truth), truth, guess)
    assert points["point_labels"].tolist() == [[1, 1], [1, 0]]
    assert (points["point_coords"][1, 1, 0] >= 30).item()
