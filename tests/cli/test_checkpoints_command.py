"""``sam2-probe checkpoints``, as a person types it."""

from __future__ import annotations

import argparse
import hashlib

import pytest

from napari_sam2_probe.cli import checkpoints as command
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models import checkpoints
from napari_sam2_probe.models.checkpoints import OFFICIAL, OfficialCheckpoint


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path))
    return tmp_path


def sam2_probe(*words: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(words))


@pytest.fixture
def one_that_is_here(folder, monkeypatch):
    """An "official" checkpoint of a few bytes, downloaded."""
    content = b"all its weights"
    digest = hashlib.sha256(content).hexdigest()
    known = OfficialCheckpoint("sam2.1_hiera_nano", "https://example.invalid/x.pt", len(content), digest, "none", 0.1)
    monkeypatch.setattr(checkpoints, "OFFICIAL", (known,))
    monkeypatch.setattr(checkpoints, "DEFAULT_ORDER", (known.name,))
    path = folder / known.filename
    path.write_bytes(content)
    return path


def test_list_names_all_and_says_what_is_here(folder, capsys):
    (folder / "sam2_hiera_tiny.pt").write_bytes(b"short")
    (folder / "sam2_hiera_large.pt.part").write_bytes(b"\0" * 2_000_000)
    sam2_probe("list")
    lines = {line[2:].split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert {checkpoint.name for checkpoint in OFFICIAL} < set(lines)
    assert lines["sample"].startswith("*")
    assert lines["sam2_hiera_tiny"].endswith("damaged: 5 bytes")
    assert lines["sam2_hiera_large"].endswith("begun: 2 MB are here")
    assert lines["sam2.1_hiera_tiny"].endswith("156 MB  not downloaded")
    assert "size unknown" in lines["sam2_hiera_base_plus"]


def test_list_marks_the_default(one_that_is_here, capsys):
    sam2_probe("list")
    marked = [line for line in capsys.readouterr().out.splitlines() if line.startswith("*")]
    assert marked[0].split() == ["*", "sam2.1_hiera_nano", "0.1", "M", "0", "MB", "downloaded"]


def test_verify_names_what_a_file_is(one_that_is_here, capsys):
    sam2_probe("verify", str(one_that_is_here))
    assert capsys.readouterr().out == f"{one_that_is_here}: this is sam2.1_hiera_nano, unchanged.\n"


def test_verify_refuses_a_changed_file(one_that_is_here, capsys):
    one_that_is_here.write_bytes(b"all its weighty")
    with pytest.raises(InputError, match="not one of the official checkpoints"):
        sam2_probe("verify", str(one_that_is_here))
    assert capsys.readouterr().out == ""


def test_verify_a_missing_file(folder):
    with pytest.raises(InputError, match="can't be read"):
        sam2_probe("verify", str(folder / "none.pt"))


def test_download_of_what_is_here_needs_no_network(one_that_is_here, capsys):
    sam2_probe("download", "sam2.1_hiera_nano")
    assert capsys.readouterr().out == f"sam2.1_hiera_nano: verified by SHA-256, at {one_that_is_here}\n"


def test_download_of_an_unknown_name(folder):
    with pytest.raises(InputError, match="no official checkpoint 'sam3'"):
        sam2_probe("download", "sam3")
    assert list(folder.iterdir()) == []


def test_help_waits_for_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from napari_sam2_probe.cli import checkpoints, doctor; import napari_sam2_probe.families.loading; "
        "print(*{'torch', 'sam2', 'hydra', 'omegaconf', 'napari', 'qtpy'} & set(sys.modules))"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []


@pytest.mark.parametrize("words", [[], ["download"], ["fetch"]])
def test_words_that_are_no_command(words):
    with pytest.raises(SystemExit) as caught:
        sam2_probe(*words)
    assert caught.value.code == 2
