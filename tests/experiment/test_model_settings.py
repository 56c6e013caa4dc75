"""Build flags have one declaration; settings that earlier versions wrote are still read."""

from dataclasses import fields

import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.config import make_config, read_config, write_config
from napari_sam2_probe.models.config import ModelFlags


def test_flags_of_earlier_versions_are_read(tmp_path):
    (tmp_path / "old.toml").write_text(
        'davis = "d"\n[model]\ncheckpoint = "sample"\npostprocessing = false\ncorrections_as_conditioning = false\n'
        "clear_memory_around_prompts = true\nno_overlap = true\n"
    )
    old = read_config(tmp_path / "old.toml").model
    assert old.flags == ModelFlags(False, False, True, True)
    assert (old.checkpoint, old.choice().flags) == ("sample", old.flags)


def test_flags_are_stored_under_the_names_of_sam2(tmp_path):
    config = make_config(davis="d", model={"flags": {"non_overlap_masks": True}})
    write_config(tmp_path / "new.toml", config)
    text = (tmp_path / "new.toml").read_text()
    assert all(flag.name in text for flag in fields(ModelFlags))
    assert read_config(tmp_path / "new.toml") == config


def test_a_flag_that_sam2_does_not_have_is_refused():
    with pytest.raises(InputError, match="vos_optimised"):
        make_config(davis="d", model={"flags": {"vos_optimised": True}})
