"""Training of the sample model."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sam2.modeling.sam2_base import SAM2Base

from tools.sample_model.losses import losses
from tools.sample_model.model import CONFIG, Prediction, TrainableSAM2, build, explicit_attention
from tools.sample_model.prompts import Prompter
from tools.sample_model.train import Batches, Run, Settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_software_opengl():
    # torch's optimisers load triton, which crashes where the LLVM of software OpenGL was loaded before.
    loaded = Path("/proc/self/maps")
    if loaded.exists() and "libLLVM" in loaded.read_text(encoding="utf-8"):
        pytest.skip("a window was opened in this process before; run tests/sample_model by itself")


@pytest.fixture(autouse=True)
def _muon_in_float32(monkeypatch):
    # Muon rounds to bfloat16, which processors without it multiply a hundred times slower.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)


SMALL = Settings(clips=2, frames=2, warmup_steps=2, minutes=1.0)


@pytest.fixture(scope="module")
def batches(bank):
    rendered = Batches(bank, SMALL, 64)
    return [rendered[step] for step in range(4)]


@pytest.fixture
def clock():
    ticks = count()
    return lambda: float(next(ticks))


def test_a_run_that_went_on_equals_one_that_never_stopped(batches, tmp_path, clock):
    straight = Run(tmp_path / "straight", SMALL, clock)
    for _, parts in zip(range(4), straight.train(iter(batches)), strict=False):
        assert all(np.isfinite(value) for value in parts.values())
    first = Run(tmp_path / "stopped", SMALL, clock)
    for _ in zip(range(2), first.train(iter(batches[:2])), strict=False):
        pass
    first.save()
    second = Run(tmp_path / "stopped", SMALL, clock)
    assert second.step == 2
    for _ in zip(range(2), second.train(iter(batches[2:])), strict=False):
        pass
    for (name, expected), value in zip(
        straight.model.state_dict().items(), second.model.state_dict().values(), strict=True
    ):
        assert torch.equal(expected, value), name
    for name, value in straight.averaged.items():
        assert torch.equal(value, second.averaged[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_what_a_cpu_learns(batches, tmp_path, clock):
    losses = [
        [
            parts["total"]
            for _, parts in zip(
                range(4), Run(tmp_path / device, SMALL, clock, device=device).train(iter(batches)), strict=False
            )
        ]
        for device in ("cpu", "cuda")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_the_shipped_weights_are_an_average_over_steps(batches, tmp_path, clock):
    run = Run(tmp_path, SMALL, clock)
    name = "memory_attention.layers.0.linear1.weight"
    expected = run.model.state_dict()[name].clone()
    for step, _ in zip(range(3), run.train(iter(batches)), strict=False):
        keep = (1 + step) / (10 + step)
        expected = keep * expected + (1 - keep) * run.model.state_dict()[name]
    torch.testing.assert_close(run.averaged[name], expected)
    run.save()
    kept = {which: load_file(tmp_path / f"{which}.safetensors") for which in ("model", "last")}
    assert torch.equal(kept["model"][name], run.averaged[name].half())
    assert torch.equal(kept["last"][name], run.model.state_dict()[name].half())
    assert not torch.equal(kept["model"][name], kept["last"][name])


def test_a_run_can_start_from_shipped_weights(tmp_path):
    weights = CONFIG.with_name("model.safetensors")
    run = Run(tmp_path, SMALL, init=weights)
    for name, value in load_file(weights).items():
        assert torch.equal(run.model.state_dict()[name], value.float()), name


def test_the_learning_rate_warms_up_and_ends_at_zero(tmp_path):
    run = Run(tmp_path, SMALL)
    assert run.learning_rate() == pytest.approx(SMALL.learning_rate / 2)
    run.step, run.seconds = 10, 0.0
    assert run.learning_rate() == pytest.approx(SMALL.learning_rate)
    run.seconds = 60.0
    assert run.learning_rate() == pytest.approx(0.0, abs=1e-12)


def test_the_shortened_neck_is_the_whole_neck():
    model = build("tools.sample_model.model.TrainableSAM2").eval()
    images = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        short, whole = model.forward_image(images), SAM2Base.forward_image(model, images)
    for ours, theirs in zip(short["backbone_fpn"], whole["backbone_fpn"], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_explicit_attention_is_attention():
    query, key, value = torch.randn(3, 2, 4, 10, 8)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    with explicit_attention():
        ours = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert torch.nn.functional.scaled_dot_product_attention(query, key, value).equal(expected)


@pytest.mark.parametrize(("kind", "corrections", "expected"), [("mask", 0, 2), ("box", 0, 3), ("click", 2, 5)])
def test_every_prediction_is_kept(batches, kind, corrections, expected):
    model: TrainableSAM2 = build("tools.sample_model.model.TrainableSAM2")
    model.set_resolution(64)
    images, masks, _ = batches[1]  # one clip of four frames
    prompter = Prompter(np.random.default_rng(0), kind, corrections)
    with torch.no_grad():
        found = model(images[:, :3].float() / 255, masks[:, :3], prompter)
    assert len(found) == expected
    assert [p.logits.shape for p in found] == [(1, 4, 16, 16)] * expected
    if kind == "click":
        assert [p.multimask for p in found] == [True, False, False, True, True]


def test_further_users_see_the_first_frame_alone(batches):
    model: TrainableSAM2 = build("tools.sample_model.model.TrainableSAM2").eval()
    model.set_resolution(64)
    images, masks, _ = batches[0]

    def track(others):
        with torch.no_grad():
            prompter = Prompter(np.random.default_rng(0), "mask")
            return model(images[:, :2].float() / 255, masks[:, :2], prompter, others)

    others = [Prompter(np.random.default_rng(1), kind) for kind in ("box", "click")]
    alone, together = track([]), track(others)
    assert [p.frame for p in alone] == [1]
    assert [p.frame for p in together] == [0, 0, 1]
    torch.testing.assert_close(together[-1].logits, alone[-1].logits)
    assert not torch.equal(together[0].logits, together[1].logits)


def _prediction(logits, score):
    return [Prediction(0, logits, torch.full((len(logits), 4), 0.5), score, False)]


def test_losses_prefer_the_truth():
    masks = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    masks[..., 16:32, 16:48] = True
    present = torch.ones(1, 1, dtype=torch.bool)
    truth = torch.nn.functional.max_pool2d(masks.float(), 4) * 20 - 10
    yes = torch.full((1, 1), 5.0)
    right = losses(_prediction(truth.expand(1, 4, 16, 16), yes), masks, present)
    wrong = losses(_prediction(-truth.expand(1, 4, 16, 16), yes), masks, present)
    assert right["miou"] == 1
    assert right["mask"] < 1e-3 < wrong["mask"]
    assert right["dice"] < 1e-2 < wrong["dice"]
    assert right["iou"] == pytest.approx(0.5)


def test_an_absent_target_trains_the_score_alone():
    masks = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    present = torch.zeros(1, 1, dtype=torch.bool)
    logits = torch.zeros(1, 4, 16, 16, requires_grad=True)
    score = torch.zeros(1, 1, requires_grad=True)
    losses(_prediction(logits, score), masks, present)["total"].backward()
    assert not logits.grad.any()
    assert score.grad.item() > 0
