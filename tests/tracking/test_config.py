"""Configurations are data: the official ones give exactly what sam2 builds, and no file runs anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from helpers.fresh_hydra import fresh_hydra
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models.config import (
    MODEL_CLASSES,
    OFFICIAL_CONFIGS,
    PART_CLASSES,
    SMALL_CONFIG,
    ModelFlags,
    PredictorFlags,
    config_path,
    model_config,
)

if TYPE_CHECKING:
    from pathlib import Path

SMALL = yaml.safe_load(SMALL_CONFIG.read_text(encoding="utf-8"))


def write(folder: Path, content: object) -> Path:
    path = folder / "model.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def small_with(place: str, key: str, value: object) -> dict:
    """The small configuration with one key set at a dotted place."""
    config = yaml.safe_load(SMALL_CONFIG.read_text(encoding="utf-8"))
    node = config
    for step in place.split("."):
        node = node[step]
    node[key] = value
    return config


def places(node: dict, place: str) -> list[str]:
    inner = [p for key, value in node.items() if isinstance(value, dict) for p in places(value, f"{place}.{key}")]
    return [place, *inner]


@pytest.fixture
def what_sam2_builds(monkeypatch):
    """The ``model`` section that ``build_sam2_video_predictor`` would instantiate."""
    import sam2.build_sam
    import torch

    seen = []

    def keep(config, **_):
        seen.append(OmegaConf.to_container(config, resolve=True))
        return torch.nn.Identity()

    monkeypatch.setattr(sam2.build_sam, "instantiate", keep)

    def built(config: str, **options: bool) -> dict:
        sam2.build_sam.build_sam2_video_predictor(config, device="cpu", **options)
        return seen.pop()

    with fresh_hydra(initialised=True):
        yield built


@pytest.mark.parametrize("postprocessing", [True, False])
@pytest.mark.parametrize("config", OFFICIAL_CONFIGS)
def test_official_configurations_equal_what_sam2_builds(config, postprocessing, what_sam2_builds):
    expected = what_sam2_builds(config, apply_postprocessing=postprocessing)
    model, predictor = model_config(config, ModelFlags(apply_postprocessing=postprocessing))
    assert expected.pop("_target_") == "sam2.sam2_video_predictor.SAM2VideoPredictor"
    assert predictor.fill_hole_area == expected.pop("fill_hole_area", 0)
    assert model.pop("_target_") in MODEL_CLASSES
    assert model == expected
    assert list(model)[: len(expected)] == list(model)


def test_predictor_flags_are_parameters_of_the_stock_predictor():
    import inspect

    from sam2.sam2_video_predictor import SAM2VideoPredictor

    stock = inspect.signature(SAM2VideoPredictor.__init__).parameters
    _, predictor = model_config(SMALL_CONFIG, ModelFlags())
    assert set(asdict(predictor)) == set(stock) - {"self", "kwargs"}


def test_defaults_keep_corrections_and_postprocess():
    _, predictor = model_config(SMALL_CONFIG, ModelFlags())
    assert predictor == PredictorFlags(
        fill_hole_area=8,
        non_overlap_masks=False,
        clear_non_cond_mem_around_input=False,
        add_all_frames_to_correct_as_cond=True,
    )


def test_flags_reach_the_predictor():
    flags = ModelFlags(
        apply_postprocessing=False,
        add_all_frames_to_correct_as_cond=False,
        clear_non_cond_mem_around_input=True,
        non_overlap_masks=True,
    )
    model, predictor = model_config(SMALL_CONFIG, flags)
    assert predictor == PredictorFlags(0, True, True, False)
    assert "sam_mask_decoder_extra_args" not in model
    assert "binarize_mask_from_pts_for_mem_enc" not in model


def test_postprocessing_keeps_other_extra_arguments(tmp_path):
    config = small_with("model", "sam_mask_decoder_extra_args", {"iou_head_depth": 2})
    model, _ = model_config(write(tmp_path, config), ModelFlags())
    assert model["sam_mask_decoder_extra_args"] == {
        "iou_head_depth": 2,
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }


def test_short_and_long_official_names_are_the_same_file():
    assert config_path("sam2.1_hiera_b+") == config_path("configs/sam2.1/sam2.1_hiera_b+.yaml")


def test_official_name_wins_over_a_file_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "configs" / "sam2").mkdir(parents=True)
    (tmp_path / OFFICIAL_CONFIGS[0]).write_text("model: {}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert tmp_path not in config_path(OFFICIAL_CONFIGS[0]).parents
    assert config_path(f"./{OFFICIAL_CONFIGS[0]}").read_text(encoding="utf-8") == "model: {}\n"


def test_unknown_configuration_lists_the_official_names():
    with pytest.raises(InputError, match=r"nowhere.yaml: no such configuration file.*sam2.1_hiera_t"):
        model_config("nowhere.yaml", ModelFlags())


def test_plain_references_are_resolved(tmp_path):
    config = small_with("model", "image_size", "${scratch.resolution}") | {"scratch": {"resolution": 256}}
    model, _ = model_config(write(tmp_path, config), ModelFlags())
    assert model["image_size"] == 256


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("model", "os.system"),
        ("model", "sam2.build_sam.build_sam2"),
        ("model", "sam2.sam2_video_predictor.SAM2VideoPredictorVOS"),
        ("model.image_encoder", "builtins.eval"),
        ("model.image_encoder.trunk", "torch.load"),
        ("model.image_encoder.trunk", "sam2.modeling.sam2_base.SAM2Base"),
        ("model.memory_encoder.fuser.layer", "sam2.build_sam.build_sam2"),
    ],
)
def test_a_class_outside_the_list_is_named_with_its_place(tmp_path, place, target):
    path = write(tmp_path, small_with(place, "_target_", target))
    with pytest.raises(InputError) as caught:
        model_config(path, ModelFlags())
    message = str(caught.value)
    assert str(path) in message
    assert target in message
    assert f"'{place}._target_'" in message


def test_a_class_in_a_list_or_in_extra_arguments_is_found(tmp_path):
    hidden = {"_target_": "os.system", "command": "true"}
    for value, place in [([1, hidden], "model.extra[1]"), ({"a": hidden}, "model.extra.a")]:
        with pytest.raises(InputError, match=r"os\.system") as caught:
            model_config(write(tmp_path, small_with("model", "extra", value)), ModelFlags())
        assert place in str(caught.value)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(places(SMALL["model"], "model")),
    target=st.one_of(
        st.from_regex(r"[a-z_]{1,8}(\.[A-Za-z_0-9]{1,8}){0,4}", fullmatch=True),
        st.sampled_from(sorted(PART_CLASSES)).map(lambda name: name + "s"),
        st.sampled_from(["", "os.system", "sam2", 7, None, ["os.system"]]),
    ),
)
def test_no_other_class_is_ever_accepted(tmp_path, place, target):
    path = write(tmp_path, small_with(place, "_target_", target))
    if target is None and place != "model":
        return  # the same as no class: plain parameters
    with pytest.raises(InputError):
        model_config(path, ModelFlags())


@pytest.mark.parametrize(
    "value",
    [
        "${oc.env:HOME}",
        "${ oc.env : HOME }",
        "${oc.decode:'1'}",
        "x${oc.env:HOME}",
        "${sam2_probe_test:1}",
        "${model.${oc.env:HOME}}",
        r"\${oc.env:HOME}",
        "${model.image_size",
    ],
)
def test_nothing_is_evaluated(tmp_path, value):
    called = []
    OmegaConf.register_new_resolver("sam2_probe_test", lambda x: called.append(x), replace=True)
    for config in (small_with("model", "image_size", value), small_with("model.memory_attention", value, 1)):
        with pytest.raises(InputError, match="evaluated"):
            model_config(write(tmp_path, config), ModelFlags())
    with pytest.raises(InputError, match="evaluated"):
        model_config(write(tmp_path, {**SMALL, "elsewhere": [value]}), ModelFlags())
    assert called == []


def test_references_side_by_side_spell_no_new_one(tmp_path):
    config = small_with("model", "image_size", "${a}${b}") | {"a": "$", "b": "{oc.env:HOME}"}
    with pytest.raises(InputError, match="reference made of references"):
        model_config(write(tmp_path, config), ModelFlags())


def test_a_reference_can_not_smuggle_a_class(tmp_path):
    config = small_with("model.image_encoder", "_target_", "${name}") | {"name": "os.system"}
    with pytest.raises(InputError, match=r"os\.system"):
        model_config(write(tmp_path, config), ModelFlags())


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_recursive_", "_convert_"])
def test_instantiation_keys_are_refused(tmp_path, key):
    with pytest.raises(InputError, match=key):
        model_config(write(tmp_path, small_with("model.image_encoder", key, [])), ModelFlags())


def test_weights_named_inside_a_configuration_are_refused(tmp_path):
    config = small_with("model.image_encoder.trunk", "weights_path", "/tmp/evil.pt")
    with pytest.raises(InputError, match="weights_path"):
        model_config(write(tmp_path, config), ModelFlags())


@pytest.mark.parametrize("key", sorted(PredictorFlags.__dataclass_fields__))
def test_run_options_do_not_belong_into_the_file(tmp_path, key):
    with pytest.raises(InputError, match=key):
        model_config(write(tmp_path, small_with("model", key, 1)), ModelFlags())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no 'model' section"),
        ("trainer: {model: {}}\n", "no 'model' section"),
        ("model: 3\n", "no 'model' section"),
        ("model: {image_size: 256}\n", "names no class"),
        ("- 1\n- 2\n", "mapping"),
        ("just words\n", "configuration"),
        ("model: [1, 2\n", "not a valid YAML"),
        ("model: !!python/object/apply:os.system ['true']\n", "not a valid YAML"),
        ("model: {a: 1, a: 2}\n", "not a valid YAML"),
        ("defaults: [other]\nmodel: {a: 1}\n", "defaults"),
        ("model: {_target_: sam2.modeling.sam2_base.SAM2Base, image_size: '${nowhere}'}\n", "can't be resolved"),
    ],
)
def test_unusable_files_are_one_sentence(tmp_path, content, says):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=says) as caught:
        model_config(path, ModelFlags())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_file_is_refused(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(InputError, match="YAML"):
        model_config(path, ModelFlags())


def test_the_training_configuration_of_sam2_is_refused():
    training = config_path(OFFICIAL_CONFIGS[0]).parents[1] / "sam2.1_training" / "sam2.1_hiera_b+_MOSE_finetune.yaml"
    with pytest.raises(InputError):
        model_config(training, ModelFlags())
