"""Runs that come to no end: stopped, failed, killed, out of disk or memory. What was finished is kept."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from zarr.storage import LocalStore

from helpers.one_thread import one_thread_of_torch
from helpers.run_checks import H, T, W, whole_frames
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.cli import main
from napari_sam2_probe.common import files
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.runs import writer
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import iterate_run, record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import FrameResult
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.folder import FolderSource

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, loaded, folder):
    out = tmp_path_factory.mktemp("runs") / "run"
    with one_thread_of_torch():
        return record_run(FolderSource(folder), [Prompt.from_mask(0, 1, square_mask(0))], out, loaded)


def assert_holds_just(run, num_frames: int, whole) -> None:
    """The first frames are those of an uninterrupted run, of the others nothing is there."""
    assert not run.finished
    assert whole_frames(run) == list(range(num_frames))
    seen, unseen = slice(0, num_frames), slice(num_frames, None)
    np.testing.assert_array_equal(run.masks[seen], whole.masks[seen])
    np.testing.assert_array_equal(run.masks_per_object[:, seen], whole.masks_per_object[:, seen])
    np.testing.assert_array_equal(run.object_pointers[:, seen], whole.object_pointers[:, seen])
    np.testing.assert_array_equal(run.object_scores[:, seen], whole.object_scores[:, seen])
    assert np.isnan(run.object_pointers[:, unseen]).all()
    assert not run.masks[unseen].any()
    for position in MAP_POSITIONS:
        maps = run.maps(position.key, "variance")
        np.testing.assert_array_equal(maps[:, seen], whole.maps(position.key, "variance")[:, seen])
        assert np.isnan(maps[:, unseen]).all()
    features = run.features.drop(columns=["object_id", "position"])
    expected = whole.features.drop(columns=["object_id", "position"])
    np.testing.assert_array_equal(features.query("frame < @num_frames"), expected.query("frame < @num_frames"))
    unknown = features.query("frame >= @num_frames").drop(columns="frame")
    assert unknown.isna().all(axis=None)


def test_closing_the_iterator_stops(tmp_path, loaded, source, mask_prompt, uninterrupted):
    with closing(iterate_run(source, [mask_prompt], tmp_path / "run", loaded)) as frames:
        assert [next(frames).frame_idx for _ in range(3)] == [0, 1, 2]
    run = open_run(tmp_path / "run")
    assert_holds_just(run, 3, uninterrupted)
    assert run.info["stopped"] == "stopped by the user"


def test_stopping_before_the_first_frame_leaves_nothing(tmp_path, loaded, source, mask_prompt):
    frames = iterate_run(source, [mask_prompt], tmp_path / "run", loaded)
    frames.close()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_turns_out_unreadable(tmp_path, loaded, mask_prompt, uninterrupted):
    folder = Path(write_video(tmp_path / "video", moving_video(T, H, W)))
    file = folder / "00004.jpg"
    file.write_bytes(file.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"00004\.jpg can't be read"):
        record_run(FolderSource(folder), [mask_prompt], tmp_path / "run", loaded)
    run = open_run(tmp_path / "run")
    assert_holds_just(run, 4, uninterrupted)
    assert "00004.jpg can't be read" in run.info["stopped"]


@pytest.mark.parametrize(("bad", "kept"), [(3, 3), (0, None)])
def test_frames_that_hold_nan(tmp_path, loaded, mask_prompt, bad, kept):
    video = moving_video(T, H, W).mean(axis=3)
    video[bad, 5, 5] = np.nan
    with pytest.raises(InputError, match=f"Frame {bad} of array holds NaN"):
        record_run(ArraySource(video), [mask_prompt], tmp_path / "run", loaded)
    if kept is None:
        assert not (tmp_path / "run").exists(), "a run without a frame is no run"
    else:
        assert whole_frames(open_run(tmp_path / "run")) == list(range(kept))


@pytest.mark.parametrize("fitting", [0, 3])
def test_out_of_memory(tmp_path, loaded, source, mask_prompt, fitting):
    """Memory runs out in the image encoder after some frames."""
    left = iter(range(fitting))

    def full(_module, _inputs):
        if next(left, None) is None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    handle = loaded.model.image_encoder.register_forward_pre_hook(full)
    try:
        with pytest.raises(ResourceError, match="memory of this machine doesn't suffice"):
            record_run(source, [mask_prompt], tmp_path / "run", loaded)
    finally:
        handle.remove()
    if fitting == 0:
        assert not (tmp_path / "run").exists(), "a run without a frame is no run"
        return
    run = open_run(tmp_path / "run")
    assert not run.finished
    assert "memory" in run.info["stopped"]
    assert whole_frames(run) == list(range(fitting))


def test_memory_that_runs_out_where_results_leave_the_device(tmp_path, loaded, source, mask_prompt, monkeypatch):
    def full(_self):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(FrameResult, "labels", full)
    with pytest.raises(ResourceError, match="doesn't suffice"):
        record_run(source, [mask_prompt], tmp_path / "run", loaded)


def test_a_disk_that_is_full_for_good(tmp_path, loaded, source, mask_prompt, monkeypatch):
    """Nothing more can be written, not even that it stopped; the frames saved before stay, in an unfinished run."""
    monkeypatch.setattr(writer, "_FLUSH_SECONDS", -1.0)
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_, **__):
        raise full

    async def refuse_async(*_, **__):
        raise full

    frames = iterate_run(source, [mask_prompt], tmp_path / "run", loaded)
    next(frames), next(frames)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", refuse_async)
        patch.setattr(files.tempfile, "mkstemp", refuse)
        with pytest.raises(ResourceError, match=f"disk is full while writing {tmp_path / 'run'}"):
            next(frames)
    run = open_run(tmp_path / "run")
    assert not run.finished
    assert whole_frames(run) == [0, 1]


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for little."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
def test_a_small_disk(small_disk, loaded, source, mask_prompt):
    with pytest.raises(ResourceError, match="The disk is full while writing"):
        record_run(source, [mask_prompt], small_disk / "run", loaded)
    run = open_run(small_disk / "run")
    assert not run.finished
    done = whole_frames(run)
    assert 0 < len(done) < T
    # There was room for what can't be computed again.
    assert "disk is full" in run.info["stopped"]
    assert run.features.query("frame in @done[1:]")["short_term_l2"].notna().all()


CHILD = """
import sys
from napari_sam2_probe.runs import writer
from napari_sam2_probe.cli import main
writer._FLUSH_SECONDS = -1.0
import torch
torch.set_num_threads(1)
main(["run", sys.argv[1], "--out", sys.argv[2], "--box", "18,28,52,58", "--checkpoint", "sample", "--device", "cpu"])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed(tmp_path):
    video = write_video(tmp_path / "video", np.tile(moving_video(T, H, W), (40, 1, 1, 1)))
    out = tmp_path / "run"
    child = subprocess.Popen([sys.executable, "-c", CHILD, video, str(out)], stderr=subprocess.PIPE)
    try:
        wanted = out / "probe.zarr" / "tracked" / "c" / "0" / "0"
        patience = time.monotonic() + 120
        while not wanted.exists() and child.poll() is None and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(0.3)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    run = open_run(out)
    done = whole_frames(run)
    assert not run.finished
    assert "stopped" not in run.info
    assert done == list(range(len(done)))
    assert 0 < len(done) < run.num_frames
    again = tmp_path / "again"
    last = str(done[-1])
    arguments = ["--box", "18,28,52,58", "--checkpoint", "sample", "--device", "cpu"]
    assert main(["run", video, "--out", str(again), "--end", last, *arguments]) == 0
    whole = open_run(again)
    # Of the frame it died on the tables may say something already, but not that it is whole.
    np.testing.assert_array_equal(run.masks[: len(done)], whole.masks[: len(done)])
    np.testing.assert_array_equal(run.object_pointers[:, : len(done)], whole.object_pointers[:, : len(done)])
    for position in MAP_POSITIONS:
        for statistic in ("mean", "variance"):
            np.testing.assert_array_equal(
                run.maps(position.key, statistic)[:, : len(done)], whole.maps(position.key, statistic)[:, : len(done)]
            )


def test_one_unreadable_image_is_found_before_the_rest(tmp_path, loaded, mask_prompt):
    """Headers are read first, so a file that is no image leaves nothing."""
    folder = Path(write_video(tmp_path / "video", moving_video(T, H, W)))
    Image.new("RGB", (W + 2, H)).save(folder / "00003.jpg")
    with pytest.raises(InputError, match=r"Frame 3 .* is 162x90"):
        record_run(FolderSource(folder), [mask_prompt], tmp_path / "run", loaded)
    assert not (tmp_path / "run").exists()


def test_the_sweep_after_a_backward_pass_can_be_stopped(tmp_path, loaded, source):
    """All frames are whole then; features not yet swept are stale, not wrong."""

    class Stop(Exception):
        pass

    def stop(event):
        if event.what.startswith("comparing") and event.done == 3:
            raise Stop

    prompt = Prompt.from_points(T - 1, 1, [[60, 50]], [1])
    with pytest.raises(Stop):
        record_run(source, [prompt], tmp_path / "run", loaded, RunOptions("backward"), progress=stop)
    run = open_run(tmp_path / "run")
    assert run.info["stopped"].startswith("Stop")
    assert run.tracked.all()
    stale = run.status("features")[0] != 0
    assert stale.tolist() == [False] * 3 + [True] * (T - 3)
    pointers = run.features.query("position == '4'")["short_term_l2"].to_numpy()
    assert np.isfinite(pointers[1:3]).all()
    assert np.isnan(pointers[3:]).all()
