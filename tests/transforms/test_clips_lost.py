"""Data sets of clips: one writer at a time, kills at every write, and files that go missing afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from killed_command import run_command, run_killed
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.transforms.store import ClipStore
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ClipSpec("obscuration", seed=1, options={"full": 25})
SAMPLES = 3


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def words(root: Path, out: Path, samples: int = SAMPLES) -> list[str]:
    command = f"transform obscuration --seed 1 --samples {samples} --workers 1".split()
    return [*command, "--davis", str(root), "--out", str(out)]


@pytest.fixture(scope="module")
def made(tiny, catalogue, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "clips"
    make_dataset(tiny, out, ORDER, SAMPLES, workers=1, catalogue=catalogue)
    return out


def make_again(tiny, catalogue, out: Path) -> list[str]:
    """Make the data set again and return which clips were written."""
    before = {path.parent.name: path.stat().st_ino for path in out.glob("JPEGImages/480p/*/00000.jpg")}
    make_dataset(tiny, out, ORDER, SAMPLES, workers=1, catalogue=catalogue)
    after = {path.parent.name: path.stat().st_ino for path in out.glob("JPEGImages/480p/*/00000.jpg")}
    return sorted(name for name, inode in after.items() if before.get(name) != inode)


def test_a_second_command_is_refused_and_the_first_loses_nothing(tiny, catalogue, tiny_root, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    make_dataset(tiny, whole, ORDER, 30, workers=1, catalogue=catalogue)
    command = [sys.executable, "-m", "napari_sam2_probe.cli", *words(tiny_root, out, 30)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob(".unfinished/records/*.json")):
        assert first.poll() is None, "it was over before the second began"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    # Held still, so that both are there at once on the slowest machine.
    first.send_signal(signal.SIGSTOP)
    second = run_command(*words(tiny_root, out, 30))
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert f"Another process is working on the clips in {out}: wait for it, or stop it." in second.stderr
    assert first.wait(60) == 0
    assert hashes(out) == hashes(whole)


def test_another_thread_of_the_process_is_refused_too(tiny, catalogue, tmp_path):
    out = tmp_path / "clips"
    with ClipStore(out).locked(), pytest.raises(InputError, match="Another process is working on the clips"):
        make_dataset(tiny, out, ORDER, SAMPLES, workers=1, catalogue=catalogue)
    assert make_again(tiny, catalogue, out) == [f"obscuration-{number:05d}" for number in range(SAMPLES)]


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize(
    ("name", "before"), [("dataset.json", 0), ("obscuration-00001.json", 0), ("clips.jsonl", 0), ("dataset.json", 1)]
)
def test_a_kill_in_any_write_is_made_good(name, before, made, tiny_root, tmp_path):
    """``dataset.json`` is written first, and again when all is there."""
    out = tmp_path / "clips"
    run_killed(name, *words(tiny_root, out), before=before)
    assert list(out.rglob(".sam2-probe-*")), "it was killed in a write"
    done = run_command(*words(tiny_root, out))
    assert done.returncode == 0, done.stderr
    assert hashes(out) == hashes(made)


def remove_a_frame(out: Path) -> None:
    (out / "JPEGImages/480p/obscuration-00001/00003.jpg").unlink()


def empty_a_mask(out: Path) -> None:
    (out / "Annotations/480p/obscuration-00001/00027.png").write_bytes(b"")


def remove_a_clip(out: Path) -> None:
    for part in ("JPEGImages", "Annotations"):
        shutil.rmtree(out / part / "480p/obscuration-00001")


def add_a_frame(out: Path) -> None:
    folder = out / "JPEGImages/480p/obscuration-00001"
    shutil.copy(folder / "00027.jpg", folder / "00028.jpg")


def remove_a_row(out: Path) -> None:
    lines = (out / "frames.csv").read_text().splitlines(keepends=True)
    (out / "frames.csv").write_text("".join(line for line in lines if not line.startswith("obscuration-00001,5,")))


def remove_a_recipe(out: Path) -> None:
    lines = (out / "clips.jsonl").read_text().splitlines(keepends=True)
    (out / "clips.jsonl").write_text("".join(line for line in lines if '"obscuration-00001"' not in line))


def damage_a_recipe(out: Path) -> None:
    lines = (out / "clips.jsonl").read_text().splitlines(keepends=True)
    (out / "clips.jsonl").write_text("".join([lines[0], lines[1][:60] + "\n", lines[2]]))


@pytest.mark.parametrize(
    "damage",
    [remove_a_frame, empty_a_mask, remove_a_clip, add_a_frame, remove_a_row, remove_a_recipe, damage_a_recipe],
)
def test_what_a_finished_data_set_has_lost_is_made_again_and_nothing_else(damage, made, tiny, catalogue, tmp_path):
    out = shutil.copytree(made, tmp_path / "clips")
    damage(out)
    assert hashes(out) != hashes(made)
    assert make_again(tiny, catalogue, out) == ["obscuration-00001"]
    assert hashes(out) == hashes(made)


@pytest.mark.parametrize("name", ["frames.csv", "clips.jsonl"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"[" * 100_000, b"clip,frame\n\0\n"])
def test_a_table_that_is_gone_or_damaged_is_made_again(name, content, made, tiny, catalogue, tmp_path):
    out = shutil.copytree(made, tmp_path / "clips")
    if content is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(content)
    assert len(make_again(tiny, catalogue, out)) == SAMPLES
    assert hashes(out) == hashes(made)


def test_a_split_that_is_gone_is_written_again_without_making_clips(made, tiny, catalogue, tmp_path):
    out = shutil.copytree(made, tmp_path / "clips")
    (out / "ImageSets/2017/val.txt").unlink()
    assert make_again(tiny, catalogue, out) == []
    assert hashes(out) == hashes(made)
    assert DavisDataset(out, "val").names == [f"obscuration-{number:05d}" for number in range(SAMPLES)]


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000, b'{"configuration": 3, "finished": true}', b"\xff"])
def test_a_damaged_note_of_what_was_asked_for_is_one_sentence(content, made, tiny, catalogue, tmp_path):
    out = shutil.copytree(made, tmp_path / "clips")
    (out / "dataset.json").write_bytes(content)
    with pytest.raises(InputError, match="can't be read: choose a new folder"):
        make_again(tiny, catalogue, out)


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("part", ["Annotations", "JPEGImages/480p", "ImageSets", ".unfinished"])
def test_clips_are_not_written_through_a_link(part, made, tiny, catalogue, tmp_path):
    out, elsewhere = tmp_path / "clips", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(made, out)
    shutil.rmtree(out / part, ignore_errors=True)
    (out / part).symlink_to(elsewhere)
    remove_a_row(out)
    with pytest.raises(InputError, match="a link that leads out of"):
        make_again(tiny, catalogue, out)
    assert not list(elsewhere.iterdir())
