"""Weights and configurations that can be read, and would give nonsense, all memory, or an error at the first frame."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loading import build_model, read_weights, seeded_model
from napari_sam2_probe.models.checkpoints import OFFICIAL, CheckpointFile, resolve
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, model_config

CPU = torch.device("cpu")
SOME = "sam_mask_decoder.iou_token.weight"


@pytest.fixture(scope="module")
def weights():
    return {key: value.clone() for key, value in seeded_model().state_dict().items()}


def load(weights, path):
    if path.suffix == ".pt":
        torch.save({"model": weights}, path)
    else:
        save_file({key: value.contiguous() for key, value in weights.items()}, path)
    return build_model(None, CheckpointFile("mine", path, SMALL_CONFIG), CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_numbers_that_are_not_finite_are_refused_and_named(tmp_path, weights, value, suffix):
    broken = dict(weights)
    broken[SOME] = weights[SOME].clone()
    broken[SOME].view(-1)[3] = value
    with pytest.raises(InputError, match=rf"{SOME} holds numbers that are not finite"):
        load(broken, tmp_path / f"m{suffix}")


def test_large_finite_numbers_are_numbers(tmp_path):
    torch.save({"model": {"a": torch.full((4,), 3e38)}}, tmp_path / "m.pt")
    assert float(read_weights(tmp_path / "m.pt")["a"][0]) == pytest.approx(3e38)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_other_types_are_refused(tmp_path, weights, dtype):
    with pytest.raises(InputError, match=rf"{SOME} (holds|is no plain tensor).*{str(dtype).removeprefix('torch.')}"):
        load({**weights, SOME: weights[SOME].to(dtype)}, tmp_path / "m.pt")


def test_a_pt_file_with_a_flipped_bit_anywhere_in_its_weights_is_refused(tmp_path, weights):
    path = tmp_path / "m.pt"
    torch.save({"model": weights}, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        record = max(file.infolist(), key=lambda info: info.file_size)
    for share in (0.1, 0.5, 0.9):
        content = bytearray(whole)
        content[record.header_offset + 200 + int(share * (record.file_size - 400))] ^= 1
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a complete checkpoint"):
            read_weights(path)


def test_a_pt_file_without_checksums_is_no_damaged_one(tmp_path, weights):
    path = tmp_path / "m.pt"
    before = torch.serialization.get_crc32_options()
    try:
        torch.serialization.set_crc32_options(compute_crc32=False)
        torch.save({"model": weights}, path)
    finally:
        torch.serialization.set_crc32_options(before)
    torch.testing.assert_close(read_weights(path)[SOME], weights[SOME])


def test_a_file_of_one_s_own_under_an_official_name_is_not_taken_for_that_model(tmp_path, weights, monkeypatch):
    path = tmp_path / OFFICIAL[0].filename
    torch.save({"model": weights}, path)
    with pytest.raises(InputError, match=r"is not the sam2\.1_hiera_tiny that Meta published"):
        build_model(None, resolve(path), CPU)
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path))
    with path.open("r+b") as file:
        file.truncate(OFFICIAL[0].num_bytes)
    with pytest.raises(InputError, match=r"another name, else delete it and run 'sam2-probe checkpoints"):
        build_model(None, resolve(OFFICIAL[0].name), CPU)


def small_with(tmp_path, *changes):
    config = yaml.safe_load(SMALL_CONFIG.read_text())
    for place, value in changes:
        *above, name = place.split(".")
        node = config["model"]
        for part in above:
            node = node[part]
        node[name] = value
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(
    "change",
    [
        ("image_size", 128),  # The decoder is built for its own size of the embedding.
        ("memory_encoder.out_dim", 32),
        ("memory_attention.layer.cross_attention.kv_in_dim", 128),
        ("image_encoder.trunk.window_spec", [8, 4, 7, 8]),
        ("use_high_res_features_in_sam", False),
        ("backbone_stride", 32),
        ("num_maskmem", 0),
    ],
    ids=lambda change: change[0],
)
def test_a_configuration_runs_or_is_refused_before_a_frame_is_read(tmp_path, change):
    path = small_with(tmp_path, change)
    try:
        model = seeded_model(path)
    except InputError:
        return
    from napari_sam2_probe.families.dry_run import _track

    with torch.inference_mode():
        _track(model, CPU)


def test_sizes_that_do_not_fit_are_said_to_be_so(tmp_path):
    path = small_with(tmp_path, ("memory_attention.layer.cross_attention.kv_in_dim", 128))
    with pytest.raises(InputError, match=r"mine\.yaml: a model of this configuration can't track a frame"):
        seeded_model(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("image_size", 10**9),
        ("image_size", 100),
        ("image_size", "large"),
        ("image_encoder.trunk.embed_dim", 10**8),
        ("image_encoder.trunk.stages", [1, 2, 10**7, 1]),
        ("memory_attention.num_layers", 10**6),
        ("num_maskmem", 10**9),
        ("memory_attention.d_model", float("nan")),
        ("image_encoder.neck.d_model", float("inf")),
    ],
)
def test_absurd_sizes_are_refused_at_once(tmp_path, place, value):
    path = small_with(tmp_path, (place, value))
    began = time.perf_counter()
    with pytest.raises(InputError, match=rf"'model\.{place}.*(no SAM 2 has more than|not a multiple|no number)"):
        seeded_model(path)
    assert time.perf_counter() - began < 2


def test_aliases_that_grow_without_measure_are_refused_at_once(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join([*lines, "model: {x: *a11}"]))
    (tmp_path / "itself.yaml").write_text("model: &m {x: *m}")
    (tmp_path / "deep.yaml").write_text("model: " + "[" * 5000 + "]" * 5000)
    began = time.perf_counter()
    for name in ("bomb", "itself", "deep"):
        with pytest.raises(InputError, match=r"not a valid YAML file \((its aliases|it is nested)"):
            model_config(tmp_path / f"{name}.yaml", ModelFlags())
    assert time.perf_counter() - began < 5


def test_our_own_configurations_are_not_tried(monkeypatch):
    monkeypatch.setattr("napari_sam2_probe.families.loading.check_runs", None)
    assert Path(SMALL_CONFIG).is_file()
    seeded_model(SMALL_CONFIG)
