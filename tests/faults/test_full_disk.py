"""A disk that is full in the middle of everything that is written: a sentence, and nothing half that looks whole."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import layout_trees
from helpers.clip_runs import ClipRuns
from helpers.made_tracks import made_tracks
from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.decoder.file import save_decoder
from napari_sam2_probe.decoder.fit import DecoderOptions, fit_decoder
from napari_sam2_probe.evaluation.metrics import evaluate_folders
from napari_sam2_probe.export.registry import EXPORTS, export_run
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.video.davis import DavisDataset

FORMATS = [(what, name) for what, formats in EXPORTS.items() for name in formats if what != "figures"]


class FullDisk:
    """After so many files were opened to be written below a folder, there is no room for another.

    Files are opened by Python; what libraries of other languages write is beyond it.
    """

    def __init__(self, monkeypatch, folder: Path, left: int) -> None:
        self._folder, self._left = str(folder), left
        self.was_full = False
        real_open, real_write = os.open, Path.open

        def opened(path, flags, *args, **kwargs):
            if flags & (os.O_WRONLY | os.O_RDWR):
                self._count(path)
            return real_open(path, flags, *args, **kwargs)

        def path_opened(path, mode="r", *args, **kwargs):
            if set(mode) & set("wxa+"):
                self._count(path)
            return real_write(path, mode, *args, **kwargs)

        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(Path, "open", path_opened)

    def _count(self, path) -> None:
        if not str(os.fspath(path)).startswith(self._folder):
            return
        self._left -= 1
        if self._left < 0:
            self.was_full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    ClipRuns(folder := tmp_path_factory.mktemp("runs")).run("interjection", (1, 2), name="run")
    return open_run(folder / "runs" / "run")


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    return DavisDataset(layout_trees.davis(tmp_path_factory.mktemp("davis") / "set", 6))


@pytest.mark.parametrize(("what", "name"), FORMATS)
def test_exports(run, tmp_path, monkeypatch, what, name):
    whole = export_run(run, what, tmp_path / "whole" / "out", name)
    for left in (0, 1, 3):
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, tmp_path / "full", left)
            try:
                export_run(run, what, tmp_path / "full" / "out", name)
            except ResourceError as error:
                said = str(error)
            else:
                said = None
        assert (said is not None) == disk.was_full
        if disk.was_full:
            assert "disk is full" in said
            assert not list((tmp_path / "full").rglob("*")), "something is left"
        shutil.rmtree(tmp_path / "full", ignore_errors=True)
    assert whole.exists()


@pytest.mark.parametrize("left", [0, 1, 2, 5, 9, 14, 20])
def test_clips_go_on_where_the_disk_was_full(davis, tmp_path, monkeypatch, left):
    order = ClipSpec("obscuration", lengths=(2, 2, 2))
    make_dataset(davis, tmp_path / "whole", order, 2, workers=1)
    with monkeypatch.context() as patch:
        disk = FullDisk(patch, tmp_path / "clips", left)
        with pytest.raises(ResourceError, match=r"disk is full|No space left"):
            make_dataset(davis, tmp_path / "clips", order, 2, workers=1)
    assert disk.was_full
    make_dataset(davis, tmp_path / "clips", order, 2, workers=1)
    assert _files(tmp_path / "clips") == _files(tmp_path / "whole")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_and_decoders(tmp_path, monkeypatch):
    for part in ("truth", "predicted"):
        for t in range(4):
            from napari_sam2_probe.video.masks import write_mask

            write_mask(tmp_path / part / "cat" / f"{t:05d}.png", np.eye(12, dtype=np.uint8))
    scores = evaluate_folders(tmp_path / "truth", tmp_path / "predicted")
    options = DecoderOptions(hidden=(8,), iterations=3, weight_decay=1.0, num_resamples=10)
    decoder = fit_decoder(made_tracks(6, 12), "sample", "0" * 64, options)
    out = tmp_path / "out"
    for write in (lambda: scores.write_csv(out / "scores.csv"), lambda: save_decoder(decoder, out / "d.safetensors")):
        with monkeypatch.context() as patch:
            FullDisk(patch, out, 0)
            with pytest.raises(ResourceError, match="disk is full"):
                write()
        assert not list(out.rglob("*"))
