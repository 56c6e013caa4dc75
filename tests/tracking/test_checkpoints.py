"""Names, files and hashes of checkpoints."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from helpers.paths import NO_NAMES
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models import checkpoints
from napari_sam2_probe.models.checkpoints import (
    DEFAULT_ORDER,
    OFFICIAL,
    SAMPLE_CONFIGS,
    SAMPLE_SHA256,
    SAMPLE_SIZE_VARIABLE,
    checkpoint_folder,
    file_sha256,
    identify,
    installed,
    is_sample_weights,
    official,
    resolve,
    sample_checkpoint,
)
from napari_sam2_probe.models.config import OFFICIAL_CONFIGS, SMALL_CONFIG, ModelFlags, model_config


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def put(folder: Path, name: str) -> Path:
    """A file with the name and size of an official checkpoint; it takes no room on the disk."""
    checkpoint = official(name)
    path = folder / checkpoint.filename
    with path.open("wb") as file:
        file.truncate(checkpoint.num_bytes or 1)
    return path


def test_registry_agrees_with_the_names_in_sam2():
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

    assert {(c.config, c.filename) for c in OFFICIAL} == set(HF_MODEL_ID_TO_FILENAMES.values())
    assert {c.config for c in OFFICIAL} == set(OFFICIAL_CONFIGS)


def test_every_hash_is_whole_and_no_two_are_equal():
    assert all(re.fullmatch(r"[0-9a-f]{64}", c.sha256) for c in OFFICIAL)
    assert len({c.sha256 for c in OFFICIAL}) == len(OFFICIAL) == 8


def test_urls_are_https_and_end_in_the_file():
    assert all(c.url.startswith("https://") and c.url.endswith(f"/{c.filename}") for c in OFFICIAL)


def test_sizes_fit_four_bytes_a_parameter():
    for checkpoint in OFFICIAL:
        if checkpoint.num_bytes is not None:
            assert checkpoint.num_bytes / 4e6 == pytest.approx(checkpoint.params_millions, rel=0.01)


def test_default_order_is_newest_then_largest():
    assert DEFAULT_ORDER[:2] == ("sam2.1_hiera_large", "sam2.1_hiera_base_plus")
    assert DEFAULT_ORDER[4] == "sam2_hiera_large"
    assert set(DEFAULT_ORDER) == {c.name for c in OFFICIAL}


def test_folder_is_in_the_users_cache_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv("SAM2_PROBE_CHECKPOINTS", raising=False)
    assert checkpoint_folder().parts[-2:] == ("napari-sam2-probe", "checkpoints")
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path))
    assert checkpoint_folder() == tmp_path
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", "~/weights")
    assert checkpoint_folder() == Path.home() / "weights"


def test_nothing_installed_takes_the_sample(folder):
    assert installed() == []
    assert resolve() == sample_checkpoint()
    assert resolve("sample").name == "sample"


def test_default_is_the_first_installed_in_order(folder):
    put(folder, "sam2_hiera_large")
    put(folder, "sam2.1_hiera_tiny")
    assert [c.name for c in installed()] == ["sam2.1_hiera_tiny", "sam2_hiera_large"]
    found = resolve()
    assert found.name == "sam2.1_hiera_tiny"
    assert found.path == folder / "sam2.1_hiera_tiny.pt"
    assert found.config == "configs/sam2.1/sam2.1_hiera_t.yaml"


def test_not_downloaded_names_the_command(folder):
    with pytest.raises(InputError, match=r"not downloaded: run 'sam2-probe checkpoints download sam2_hiera_small'"):
        resolve("sam2_hiera_small")


def test_a_file_of_the_wrong_size_is_not_taken(folder):
    path = put(folder, "sam2.1_hiera_tiny")
    path.write_bytes(b"short")
    assert installed() == []
    with pytest.raises(InputError, match=r"5 bytes where the official one has 156008466.*delete it"):
        resolve("sam2.1_hiera_tiny")


def test_files_of_the_user(tmp_path):
    plain = tmp_path / "tuned.pt"
    plain.write_bytes(b"x")
    assert resolve(plain).config is None
    assert resolve(str(plain)).name == "tuned"
    known = tmp_path / "sam2.1_hiera_small.pt"
    known.write_bytes(b"x")
    assert resolve(known).config == "configs/sam2.1/sam2.1_hiera_s.yaml"
    (tmp_path / "model.yaml").write_text("model: {}", encoding="utf-8")
    assert resolve(plain).config == tmp_path / "model.yaml"


# Half characters too, which are in no text that was read from a file.
@given(st.text(st.characters(exclude_categories=()), min_size=1))
@example("n" * 256)
@example("ß" * 128)
@example("n/" * 2500)
@example("n\0n")
@example("n\ud800n")
@example("/dev/null")
@example("~nobody-is-called-so")
@example("..")
def test_any_other_name_is_one_sentence(name):
    # os.path knows that there is no such thing; pathlib raises.
    is_file, is_folder = os.path.isfile(Path(name)), os.path.isdir(Path(name))  # noqa: PTH112, PTH113
    assume(name != "sample" and name not in DEFAULT_ORDER and not is_file)
    with pytest.raises(InputError, match="this is a folder" if is_folder else "the names are sample, sam2"):
        resolve(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_folder_of_checkpoints_that_cannot_be_holds_none(monkeypatch, name):
    # No variable holds a NUL.
    monkeypatch.setattr(os, "environ", {"SAM2_PROBE_CHECKPOINTS": name})
    assert installed() == []
    assert resolve() == sample_checkpoint()
    with pytest.raises(InputError, match="not downloaded"):
        resolve("sam2.1_hiera_tiny")


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        resolve(tmp_path)


def test_unknown_official_name():
    with pytest.raises(InputError, match=r"no official checkpoint 'sam3'.*sam2.1_hiera_tiny"):
        official("sam3")
    assert official("sam2_hiera_tiny.pt") == official("sam2_hiera_tiny")


@pytest.mark.usefixtures("sample_as_shipped")
def test_sample_with_and_without_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "sample_data_folder", lambda: tmp_path)
    stand_in = sample_checkpoint()
    assert (stand_in.path, stand_in.config, stand_in.trained, stand_in.sha256) == (None, SMALL_CONFIG, False, None)
    (tmp_path / "sample_model").mkdir()
    weights, config = tmp_path / "sample_model" / "model.safetensors", tmp_path / "sample_model" / "model.yaml"
    weights.write_bytes(b"weights")
    assert not sample_checkpoint().trained
    config.write_text("model: {}", encoding="utf-8")
    sample = sample_checkpoint()
    assert (sample.path, sample.config, sample.trained) == (weights, config, True)
    assert sample.sha256 == hashlib.sha256(b"weights").hexdigest()


@pytest.mark.usefixtures("sample_as_shipped")
def test_the_samples_size_is_the_one_named(monkeypatch):
    assert sample_checkpoint().config.name == "model.yaml"
    for size, config in (("512", "model_512.yaml"), ("256", "model.yaml"), ("", "model.yaml")):
        monkeypatch.setenv(SAMPLE_SIZE_VARIABLE, size)
        assert sample_checkpoint().config.name == config
    monkeypatch.setenv(SAMPLE_SIZE_VARIABLE, "300")
    with pytest.raises(InputError, match="SAM2_PROBE_SAMPLE_SIZE=300: the sample model takes frames of 256 or 512"):
        resolve("sample")


def test_the_samples_sizes_differ_in_nothing_else():
    """Side of the input and tokens along it, of one in 16 pixels: all else is the same, the weights included."""
    models = {}
    for size, name in SAMPLE_CONFIGS.items():
        model, _ = model_config(sample_checkpoint().path.with_name(name), ModelFlags())
        layer = model["memory_attention"]["layer"]
        for part in (layer["self_attention"], layer["cross_attention"]):
            assert part.pop("feat_sizes") == [int(size) // 16] * 2
        assert model.pop("image_size") == int(size)
        models[size] = model
    assert models["512"] == models["256"]


def test_the_samples_weights_are_known_under_any_name(tmp_path):
    copy = tmp_path / "sam2.1_hiera_large_mine.safetensors"
    copy.write_bytes(sample_checkpoint().path.read_bytes())
    assert is_sample_weights(resolve(copy).sha256)
    assert sample_checkpoint().sha256 == SAMPLE_SHA256[0]
    copy.with_name("sample.pt").write_bytes(b"others")
    assert resolve(copy.with_name("sample.pt")).name == "sample"
    assert not is_sample_weights(resolve(copy.with_name("sample.pt")).sha256)
    assert not is_sample_weights(None)
    assert not any(is_sample_weights(checkpoint.sha256) for checkpoint in OFFICIAL)


@given(st.binary(max_size=200))
def test_hash_is_that_of_the_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hash") / "file"
    path.write_bytes(content)
    assert file_sha256(path) == hashlib.sha256(content).hexdigest()


def test_hash_goes_through_blocks_and_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_HASH_BLOCK", 10)
    path = tmp_path / "file.pt"
    path.write_bytes(bytes(range(25)))
    events = []
    assert file_sha256(path, events.append) == hashlib.sha256(bytes(range(25))).hexdigest()
    assert [(event.done, event.total) for event in events] == [(10, 25), (20, 25), (25, 25)]


def test_identify_goes_by_content_not_by_name(tmp_path, monkeypatch):
    import dataclasses

    path = tmp_path / "sam2_hiera_large.pt"
    path.write_bytes(b"tiny, really")
    assert identify(path) is None
    tiny = dataclasses.replace(OFFICIAL[0], sha256=hashlib.sha256(b"tiny, really").hexdigest())
    monkeypatch.setattr(checkpoints, "OFFICIAL", (tiny, *OFFICIAL[1:]))
    assert identify(path) == tiny


def test_unreadable_files_are_one_sentence(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path, "n" * 256, "n\0n", "n\ud800n"):
        with pytest.raises(InputError, match="can't be read"):
            identify(path)
