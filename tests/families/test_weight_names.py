"""SAM 2's weights in both formats, there and back; nothing here needs ``transformers``."""

from __future__ import annotations

import pytest
import torch

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.families import port_loading
from napari_sam2_probe.families.keys import from_transformers, to_transformers
from napari_sam2_probe.families.loading import read_weights, seeded_model
from napari_sam2_probe.families.port_config import port_config
from napari_sam2_probe.models.checkpoints import resolve, sample_checkpoint
from napari_sam2_probe.models.config import SMALL_CONFIG

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_there_and_back_is_exact():
    weights = seeded_model(SMALL_CONFIG).state_dict()
    ported = to_transformers(weights)
    assert not set(ported) & {name for name in weights if not name.startswith(("mask_downsample", "memory_attention"))}
    # The four points are one table, and one matrix is there twice.
    assert len(ported) == len(weights) - 3 + 1
    assert_same(from_transformers(ported), dict(weights))
    again = to_transformers(from_transformers(ported))
    assert_same(again, ported)


def test_a_matrix_that_is_there_once_is_enough():
    ported = to_transformers(seeded_model(SMALL_CONFIG).state_dict())
    del ported["prompt_encoder.shared_embedding.positional_embedding"]
    assert len(from_transformers(ported)) == len(seeded_model(SMALL_CONFIG).state_dict())


@pytest.mark.parametrize("convert", [to_transformers, from_transformers])
def test_weights_of_something_else(convert):
    with pytest.raises(InputError, match="These weights are not those of"):
        convert({"fc.weight": torch.zeros(2, 2)})


def test_a_weight_that_sam_2_does_not_have():
    ported = to_transformers(seeded_model(SMALL_CONFIG).state_dict())
    with pytest.raises(InputError, match=r"'spatial_perceiver\.latents' is none of a Sam2VideoModel"):
        from_transformers(ported | {"spatial_perceiver.latents": torch.zeros(1)})


def test_a_configuration_that_the_port_has_no_switch_for(tmp_path):
    ported = to_transformers(seeded_model(SMALL_CONFIG).state_dict())
    text = SMALL_CONFIG.read_text().replace("directly_add_no_mem_embed: true", "directly_add_no_mem_embed: false")
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match="with directly_add_no_mem_embed=False the model can't run through"):
        port_config(tmp_path / "own.yaml", ported)


def test_a_folder_becomes_a_file_for_sam2(tmp_path):
    from safetensors.torch import save_file

    source = sample_checkpoint()
    folder = tmp_path / "ported"
    folder.mkdir()
    save_file(to_transformers(read_weights(source.path)), folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "sam2_video"}')
    found = resolve(folder)
    assert (found.name, found.path, found.config) == ("ported", folder / "model.safetensors", folder / "config.json")
    assert resolve(folder / "model.safetensors") == found
    port_loading.convert(found, tmp_path / "back.safetensors")
    assert_same(read_weights(tmp_path / "back.safetensors"), read_weights(source.path))
    with pytest.raises(InputError, match="exists already"):
        port_loading.convert(found, tmp_path / "back.safetensors")
    with pytest.raises(InputError, match=r"let its name end in \.safetensors"):
        port_loading.convert(found, tmp_path / "back")


def test_without_transformers_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(port_loading, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"pip install napari-sam2-probe\[transformers\]"):
        port_loading.convert(sample_checkpoint(), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "can't be read as a configuration"),
        (
            '{"model_type": "sam2"}',
            r"a model of the type 'sam2', and only these can be tracked with: SAM 2 \('sam2_video'\), EdgeTAM",
        ),
        ('{"model_type": ["sam2_video"]}', r"a model of the type \['sam2_video'\]"),
        ('{"model_type": "sam3_video"}', "a model of the type 'sam3_video'"),
        (
            '{"model_type": "edgetam_video", "vision_config": {"backbone_config": {"architecture": "hf-hub:x/y"}}}',
            "is 'hf-hub:x/y', and EdgeTAM has a RepViT",
        ),
        (
            '{"model_type": "edgetam_video", "vision_config": {"backbone_config": {"architecture": "repvit_m1", '
            '"model_args": {"checkpoint_path": "/x"}}}}',
            "has 'checkpoint_path', which EdgeTAM doesn't need",
        ),
        (
            '{"model_type": "sam3_video", "tracker_config": {"vision_config": {"model_type": "timm_wrapper"}}}',
            "'vision_config' is of the type 'timm_wrapper', which SAM 3's tracker has not",
        ),
        ("[]", "a model of the type None"),
        (
            '{"model_type": "sam2_video", "image_size": 100000}',
            "'image_size' is 100000, and SAM 2 has at most 4096",
        ),
        (
            '{"model_type": "sam2_video", "vision_config": {"backbone_config": {"blocks_per_stage": [1, 1000000]}}}',
            r"'vision_config.backbone_config.blocks_per_stage' is 1000000",
        ),
        (
            '{"model_type": "sam2_video", "vision_config": {"model_type": "timm_wrapper"}}',
            "'vision_config' is of the type 'timm_wrapper', which SAM 2 has not",
        ),
    ],
)
def test_folders_that_are_no_sam_2(text, said, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=said):
        port_loading.read_port_settings(tmp_path / "config.json")


def test_a_folder_without_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"has a config\.json but no model\.safetensors"):
        resolve(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match=r"the weights are in several files; save them as one, model\.safetensors"):
        resolve(tmp_path)
