"""Weights and configurations become models; everything else becomes one sentence."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from helpers.fresh_hydra import fresh_hydra
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loading import build_model, read_weights, recognise, seeded_model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import OFFICIAL_CONFIGS, SMALL_CONFIG, ModelFlags

CPU = torch.device("cpu")
TINY = "configs/sam2.1/sam2.1_hiera_t.yaml"


class OnMeta(TorchFunctionMode):
    """Make tensors without memory, but for the one that Hiera reads values from while it is built."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in _device_constructors() and function is not torch.linspace:
            kwargs.setdefault("device", "meta")
        return function(*args, **kwargs)


@pytest.fixture(scope="module")
def predictor_class():
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    return SAM2VideoPredictor


@pytest.fixture(scope="module")
def small(predictor_class):
    return seeded_model(model_class=predictor_class)


def saved(path, content):
    torch.save(content, path)
    return CheckpointFile(path.stem, path, SMALL_CONFIG)


@pytest.fixture(scope="module")
def parameter_counts():
    """Millions of parameters as the README of sam2 states them, by configuration."""
    from napari_sam2_probe.models.checkpoints import OFFICIAL

    return {checkpoint.config: checkpoint.params_millions for checkpoint in OFFICIAL}


@pytest.mark.slow
@pytest.mark.parametrize("config", OFFICIAL_CONFIGS)
def test_every_official_configuration_builds_and_is_recognised(config, parameter_counts, predictor_class):
    with OnMeta():
        model = seeded_model(config, device=torch.device("meta"), model_class=predictor_class)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(parameter_counts[config], abs=0.1)
    assert recognise(model.state_dict()) == config


@pytest.mark.slow
def test_tiny_checkpoint_round_trips_and_equals_what_sam2_builds(tmp_path, predictor_class):
    from sam2.build_sam import build_sam2_video_predictor

    seeded = seeded_model(TINY, 3, model_class=predictor_class)
    path = tmp_path / "mine.pt"
    torch.save({"model": seeded.state_dict()}, path)
    # No configuration is given: the weights tell.
    flags = ModelFlags(add_all_frames_to_correct_as_cond=False)
    ours = build_model(None, CheckpointFile("mine", path, None), CPU, flags, model_class=predictor_class)
    with fresh_hydra(initialised=True):
        stock = build_sam2_video_predictor(TINY, str(path), device="cpu")
    expected = stock.state_dict()
    assert list(ours.state_dict()) == list(expected)
    assert all(torch.equal(value, expected[key]) for key, value in ours.state_dict().items())
    assert plain_attributes(ours) == plain_attributes(stock)
    assert not ours.training


def plain_attributes(model) -> dict:
    """Numbers, flags and words that the modules of a model hold, by place."""
    return {
        f"{place}.{key}": value
        for place, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, bool | int | float | str)
    }


def test_a_host_application_may_clear_hydra(predictor_class):
    with fresh_hydra(initialised=False) as hydra:
        seeded_model(model_class=predictor_class)
        assert not hydra.is_initialized()


def test_seeded_weights_depend_on_the_seed_alone(small, predictor_class):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again, other = (seeded_model(seed=seed, model_class=predictor_class).state_dict() for seed in (0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, again[key]) for key, value in small.state_dict().items())
    assert not torch.equal(again["maskmem_tpos_enc"], other["maskmem_tpos_enc"])


def test_small_model_has_the_channels_of_the_official_ones(small):
    assert small.image_size == 256
    with torch.inference_mode():
        features = small.forward_image(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)))
    assert [tuple(level.shape[1:]) for level in features["backbone_fpn"]] == [(32, 64, 64), (64, 32, 32), (256, 16, 16)]
    assert small.mem_dim == 64
    assert small.hidden_dim == 256


def test_seeded_model_sees_its_object_and_its_means_are_no_rounding_noise(small):
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        features = small.forward_image(torch.rand(1, 3, 256, 256, generator=generator))
        _, vision, _, sizes = small._prepare_backbone_features(features)
        embedding = vision[-1].permute(1, 2, 0).view(1, 256, *sizes[-1]) + small.no_mem_embed.view(1, 256, 1, 1)
        high = [level.permute(1, 2, 0).view(1, -1, *size) for level, size in zip(vision[:-1], sizes[:-1], strict=True)]
        normalised = small.memory_attention.norm(vision[-1])
        *_, masks, pointer, score = small._forward_sam_heads(embedding, high_res_features=high)
    assert score.item() > 0
    assert (masks > 0).any()
    assert (masks < 0).any()
    assert pointer.std() > 1e-3
    assert normalised.mean(-1).std() > 1e-5  # as initialised, the means are zero up to 1e-8


def test_score_bias_shuts_the_gate(predictor_class):
    heads = [
        seeded_model(model_class=predictor_class, score_bias=bias).sam_mask_decoder.pred_obj_score_head.layers[-1].bias
        for bias in (0.0, -20.0)
    ]
    assert (heads[1] - heads[0]).item() == pytest.approx(-20.0)


def test_checkpoint_without_weights_is_the_seeded_model(small, predictor_class):
    model = build_model(None, CheckpointFile("sample", None, SMALL_CONFIG), CPU, model_class=predictor_class)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in small.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_safetensors_become_float32(tmp_path, small, predictor_class, dtype):
    weights = {key: value.to(dtype).clone() for key, value in small.state_dict().items()}
    path = tmp_path / "model.safetensors"
    save_file(weights, path)
    model = build_model(SMALL_CONFIG, CheckpointFile("model", path, None), CPU, model_class=predictor_class)
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, weights[key].to(torch.float32))


def test_predictor_flags_reach_the_stock_class(tmp_path, small, predictor_class):
    checkpoint = saved(tmp_path / "small.pt", {"model": small.state_dict()})
    flags = ModelFlags(apply_postprocessing=False, non_overlap_masks=True)
    model = build_model(None, checkpoint, CPU, flags, model_class=predictor_class)
    assert (model.fill_hole_area, model.non_overlap_masks, model.add_all_frames_to_correct_as_cond) == (0, True, True)
    assert model.sam_mask_decoder.dynamic_multimask_via_stability is False


def test_the_observed_class_is_built_unless_another_is_named(small):
    from napari_sam2_probe.families.sam2 import ObservedSAM2

    model = seeded_model()
    assert type(model) is ObservedSAM2
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in small.state_dict().items())


def test_any_sam2_class_can_be_built():
    from sam2.modeling.sam2_base import SAM2Base

    assert type(seeded_model(model_class=SAM2Base)) is SAM2Base


class RunsCode:
    """Its pickle makes a file when it is loaded carelessly."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("place", ["inside", "beside", "alone"])
def test_pickled_code_is_refused_and_not_run(tmp_path, place):
    marker, path = tmp_path / "ran", tmp_path / "evil.pt"
    evil = RunsCode(marker)
    weights = {"a": torch.ones(3)}
    torch.save({"inside": {"model": evil}, "beside": {"model": weights, "epoch": evil}, "alone": evil}[place], path)
    with pytest.raises(InputError, match="pickled code") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the file would not have run anything, so the test shows nothing"


def test_bare_pickles_are_refused_and_not_run(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(RunsCode(marker)))
    with pytest.raises(InputError):
        read_weights(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_truncated_files_are_refused(tmp_path, suffix, share):
    whole = tmp_path / f"whole{suffix}"
    weights = {"a": torch.arange(5000.0), "b": torch.ones(3)}
    if suffix == ".pt":
        torch.save({"model": weights}, whole)
    else:
        save_file(weights, whole)
    assert set(read_weights(whole)) == {"a", "b"}
    content = whole.read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="not a complete checkpoint") as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"these are words", b"\x80\x02garbage", b"PK\x03\x04" + b"\0" * 100, b"\0" * 4096])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_other_files_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_weights(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"weights": {}}, "no weights under 'model'"),
        ({"model": [1, 2]}, "no weights under 'model'"),
        ([1, 2], "no weights under 'model'"),
        ({"model": {}}, "not tensors"),
        ({"model": {"a": "words"}}, "not tensors"),
    ],
)
def test_checkpoints_without_weights_are_refused(tmp_path, content, says):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=says):
        read_weights(tmp_path / "odd.pt")


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(InputError, match="no such checkpoint file"):
            read_weights(path)


def test_weights_of_another_configuration_name_the_right_one(tmp_path, predictor_class):
    with OnMeta():
        shapes = seeded_model(TINY, device=torch.device("meta"), model_class=predictor_class).state_dict()
    weights = {key: torch.zeros(1).expand(value.shape) for key, value in shapes.items()}
    path = tmp_path / "tiny.pt"
    torch.save({"model": weights}, path)
    with pytest.raises(InputError, match=f"they fit {TINY}"):
        build_model(SMALL_CONFIG, CheckpointFile("tiny", path, None), CPU, model_class=predictor_class)


def test_weights_that_fit_nothing_are_refused(tmp_path, small, predictor_class):
    weights = dict(small.state_dict())
    weights.pop("no_mem_embed")
    checkpoint = saved(tmp_path / "less.pt", {"model": weights})
    with pytest.raises(InputError, match=r"1 differ, the first is no_mem_embed.*trained with"):
        build_model(None, checkpoint, CPU, model_class=predictor_class)
    unknown = CheckpointFile("less", checkpoint.path, None)
    with pytest.raises(InputError, match="--config"):
        build_model(None, unknown, CPU, model_class=predictor_class)


@pytest.mark.parametrize(
    ("place", "key", "value", "says"),
    [
        ("model", "no_such_option", 1, "no_such_option"),
        ("model.memory_attention", "d_model", "wide", "model.memory_attention"),
        ("model.image_encoder.neck", "backbone_channel_list", [1, 2], "model"),
        ("model.image_encoder", "trunk", None, "model.image_encoder"),
        ("model.memory_encoder.mask_downsampler", "stride", 0, "model.memory_encoder.mask_downsampler"),
    ],
)
def test_parameters_that_build_nothing_are_one_sentence(tmp_path, predictor_class, place, key, value, says):
    config = yaml.safe_load(SMALL_CONFIG.read_text(encoding="utf-8"))
    node = config
    for step in place.split("."):
        node = node[step]
    node[key] = value
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        seeded_model(path, model_class=predictor_class)
    assert "\n" not in str(caught.value)


def test_absurd_sizes_are_out_of_memory_not_a_crash(tmp_path, predictor_class):
    from napari_sam2_probe.common.errors import ProbeError

    config = yaml.safe_load(SMALL_CONFIG.read_text(encoding="utf-8"))
    config["model"]["memory_attention"]["layer"]["dim_feedforward"] = 10**12
    path = tmp_path / "huge.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ProbeError):
        seeded_model(path, model_class=predictor_class)
