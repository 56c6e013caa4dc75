"""``run.look`` and ``run.patches``: labelled, and equal to what the session below them gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_sam2_probe as sp
from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags
from napari_sam2_probe.runs.remake import remake

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]
T, H, W = 5, 90, 160


@pytest.fixture(scope="module")
def model(twins):
    _, network, _ = twins("open")
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    return Model(network, checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())


@pytest.fixture(scope="module")
def runs(model, one_thread_in_module):
    """Of a video and of another one with the same true masks."""
    masks = np.stack([square_mask(t) for t in range(T)])
    videos = [sp.open_video(moving_video(T, H, W, seed=seed), name="moving", masks=masks) for seed in (0, 1)]
    return [sp.track(video, model=model) for video in videos]


@pytest.fixture(scope="module")
def look(runs, model, one_thread_in_module):
    return runs[0].look(3, model=model)


def test_a_pixels_attention_over_memories_and_pointers_sums_to_one(look, runs, model):
    memories, pointers = look.from_pixel(50, 40), look.pointers_from_pixel(50, 40)
    assert memories.dims == ("layer", "memory", "y", "x")
    assert memories["memory"].values.tolist() == look.memories == [0, 1, 2]
    total = memories.sum(("memory", "y", "x")) + pointers.sum("pointer")
    np.testing.assert_allclose(total, 1, atol=1e-5)
    # The map covers the video: the centres of its first and last column lie as far from the edges.
    assert memories["x"].values[0] + memories["x"].values[-1] == pytest.approx(W - 1)
    with remake(runs[0]._opened, model, video=runs[0].video) as again:
        again.finish()
        seen = again.session.look(3, 1)
    parts = seen.from_token(seen.token_at(50, 40, (H, W)))
    np.testing.assert_array_equal(memories.sel(memory=1), parts[1])


def test_what_all_pixels_give_a_memory_is_what_the_pixels_say_one_by_one(look):
    readers = look.of_memory(1)
    assert readers.dims == ("layer", "y", "x")
    for row, column in ((0, 0), (5, 9)):
        x, y = float(readers["x"][column]), float(readers["y"][row])
        own = look.from_pixel(x, y).sel(memory=1).sum(("y", "x"))
        np.testing.assert_allclose(readers[:, row, column], own, atol=1e-5)
    part = look.of_memory(1, square_mask(1))
    assert (part <= readers + 1e-6).all()
    assert 0 < float(part.sum()) < float(readers.sum())


def test_the_decoders_tokens_look_at_all_of_the_image(look):
    tokens = look.tokens()
    assert "final" in tokens["layer"].values
    np.testing.assert_allclose(tokens.sum(("y", "x")), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda run, model: run.look(99, model=model), "Frame 99 is not in the run"),
        (lambda run, model: run.look("3", model=model), "3"),
        (lambda run, model: run.look(3, 7, model=model), "There is no object 7"),
        (lambda run, model: run.look(3, model=model).from_pixel(W, 0), f"The pixel {W}, 0 is not in the frame"),
        (lambda run, model: run.look(3, model=model).of_memory(4), "4"),
        (lambda run, model: run.look(3, model=model).of_memory(1, np.zeros((H, W))), "The region is empty"),
        (lambda run, model: run.look(3, model=model).of_memory(1, np.ones((2, 2))), "give a mask of"),
        (lambda run, model: run.patches(run.path / "nowhere", model=model), "nowhere"),
    ],
)
def test_mistakes_are_sentences(runs, model, use, said):
    with pytest.raises(sp.InputError) as error:
        use(runs[0], model)
    assert said in str(error.value)


def test_patches_go_from_the_clips_value_to_the_twins(runs, model):
    table = runs[0].patches(runs[1], model=model)
    assert set(table["position"]) == {"1", "2", "3", "4", "5"}
    assert set(table["measure"]) == {"object_score", "predicted_iou", "J"}
    scores = table[table["measure"] == "object_score"]
    for side, run in zip(("clip_value", "twin_value"), runs, strict=True):
        expected = run.scores.sel(object=1, frame=scores["measured_frame"].to_numpy())
        np.testing.assert_allclose(scores[side], expected, atol=1e-4)
    share = (table["patched_value"] - table["clip_value"]) / (table["twin_value"] - table["clip_value"])
    known = table["recovered"].notna()
    np.testing.assert_allclose(table["recovered"][known], share[known], rtol=1e-9)
