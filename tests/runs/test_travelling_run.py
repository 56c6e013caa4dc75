"""A run and its video are found again after they were moved, together or apart."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_sam2_probe as sp
from helpers.run_checks import H, T, W
from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.overlay import open_run_video
from napari_sam2_probe.export.registry import export_run
from napari_sam2_probe.live.repeat import repeat_run
from napari_sam2_probe.runs.kept_video import at_video, keep_video
from napari_sam2_probe.runs.library import relocate_video
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.runs.video_path import found_path, stated_paths
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.masks import read_mask, write_mask

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def project(tmp_path, two_objects, folder):
    """A folder that holds a video, and beside it a run of it (the other fixtures' run, moved)."""
    place = tmp_path / "project"
    shutil.copytree(folder, place / "videos" / "moving")
    shutil.copytree(two_objects.path, place / "runs" / "two")
    info = json.loads((place / "runs" / "two" / "run.json").read_text())
    info["video"] |= stated_paths(str(place / "videos" / "moving"), place / "runs" / "two")
    (place / "runs" / "two" / "run.json").write_text(json.dumps(info))
    return place


def path_of(run):
    return open_run(run).info["video"]["path"]


def test_moved_together(project, tmp_path):
    assert json.loads((project / "runs" / "two" / "run.json").read_text())["video"]["path"] == "../../videos/moving"
    moved = project.rename(tmp_path / "moved")
    assert path_of(moved / "runs" / "two") == str(moved / "videos" / "moving")
    with open_run_video(open_run(moved / "runs" / "two")) as video:
        assert video.num_frames == T


def test_the_run_alone_moved(project, tmp_path):
    shutil.move(project / "runs" / "two", tmp_path / "elsewhere")
    assert path_of(tmp_path / "elsewhere") == str(project / "videos" / "moving")


def test_the_video_alone_moved(project, tmp_path):
    run = project / "runs" / "two"
    video = shutil.move(project / "videos" / "moving", tmp_path / "there")
    with pytest.raises(InputError, match="--video"):
        open_run_video(open_run(run))
    assert at_video(open_run(run), video).info["video"]["path"] == str(video)
    export_run(at_video(open_run(run), video), "video", tmp_path / "v.mp4")
    opened = sp.open_run(run)
    opened.video = video
    assert opened.video.path == str(video)


def test_another_video_is_refused(project, two_objects):
    other = project / "videos" / "moving"
    image = Image.open(other / "00000.jpg")
    Image.fromarray(255 - np.asarray(image)).save(other / "00000.jpg")
    with pytest.raises(InputError, match="hash differs"):
        at_video(two_objects, other)
    (other / "00005.jpg").unlink()
    with pytest.raises(InputError, match=f"made on {T} frames of {W} x {H} pixels, but moving has 5"):
        at_video(two_objects, other)


def test_copies_find_the_video(project, tmp_path):
    run, video = open_run(project / "runs" / "two"), str(project / "videos" / "moving")
    export_run(run, "run", tmp_path / "a" / "b" / "c" / "copy")
    assert path_of(tmp_path / "a" / "b" / "c" / "copy") == video
    saved = sp.open_run(run.path).save(project / "saved")
    assert json.loads((saved.path / "run.json").read_text())["video"]["path"] == "../videos/moving"
    assert path_of(saved.path) == video


def test_a_run_that_replaces_another(project, loaded, tmp_path):
    video = project / "videos" / "moving"
    for _ in range(2):
        run = sp.track(video, sp.points((45, 50)), model=loaded, out=project / "one", end=0, overwrite=True)
    assert json.loads((run.path / "run.json").read_text())["video"]["path"] == "../videos/moving"


def test_frames_of_a_folder_are_kept_with_masks(tmp_path, loaded, folder, mask_prompt):
    frames = tmp_path / "set" / "JPEGImages" / "moving"
    shutil.copytree(folder, frames)
    write_mask(tmp_path / "set" / "Annotations" / "moving" / "00000.png", square_mask(0).astype(np.uint8))
    video = sp.open_video(frames)
    kept = keep_video(record_run(video, [mask_prompt], tmp_path / "run", loaded, RunOptions(end=1)), video)
    shutil.rmtree(tmp_path / "set")
    moved = kept.path.rename(tmp_path / "moved")
    with open_run_video(open_run(moved)) as inside:
        np.testing.assert_array_equal(inside.read(3), FolderSource(folder).read(3))
        np.testing.assert_array_equal(inside.mask(0), square_mask(0))
    again = repeat_run(moved, tmp_path / "again", model=loaded)
    np.testing.assert_array_equal(again.object_pointers, kept.object_pointers)


def test_frames_of_an_array_are_kept(tmp_path, loaded, mask_prompt):
    # Not uint8: what is kept is what the model was shown.
    array = np.stack(moving_video(T, H, W)).astype(np.float32)[..., :3] / 300
    run = record_run(ArraySource(array, name="a/b"), [mask_prompt], tmp_path / "run", loaded, RunOptions(end=1))
    with pytest.raises(InputError, match="never saved"):
        repeat_run(run, tmp_path / "no", model=loaded)
    opened = sp.open_run(run.path)
    opened.video = array
    assert opened.keep_frames() is opened
    again = repeat_run(run.path, tmp_path / "again", model=loaded)
    np.testing.assert_array_equal(again.object_pointers, run.object_pointers)
    np.testing.assert_array_equal(again.masks[:], run.masks[:])
    assert len(list((run.path / "video").rglob("*.png"))) == T
    # Twice is once.
    keep_video(open_run(run.path), ArraySource(array))
    with open_run_video(open_run(run.path)) as inside:
        np.testing.assert_array_equal(inside.read(4), ArraySource(array).read(4))


def test_a_video_file_is_kept_as_it_is(project, tmp_path, two_objects):
    export_run(two_objects, "video", tmp_path / "clip.mp4")
    info = json.loads((project / "runs" / "two" / "run.json").read_text())
    with sp.open_video(tmp_path / "clip.mp4") as video:
        info["video"] |= {"sha256": video.fingerprint(), "path": video.path, "absolute_path": video.path}
        (project / "runs" / "two" / "run.json").write_text(json.dumps(info))
        kept = keep_video(open_run(project / "runs" / "two"), video)
    inside = kept.path / "video" / "clip.mp4"
    assert inside.read_bytes() == (tmp_path / "clip.mp4").read_bytes()
    assert kept.info["video"]["path"] == str(inside)


def test_made_folders_that_move(project):
    run = project / "runs" / "two"
    info = json.loads((run / "run.json").read_text())
    relocate_video(run, project, project.with_name("after"))
    after = json.loads((run / "run.json").read_text())["video"]
    assert after["path"] == info["video"]["path"]
    assert after["absolute_path"] == str(project.with_name("after") / "videos" / "moving")


@pytest.mark.parametrize(
    ("video", "run", "stated"),
    [
        ("/p/cat.mp4", "/p/cat-run", "../cat.mp4"),
        ("/p/videos/cat.mp4", "/p/runs/cat", "../../videos/cat.mp4"),
        ("/p/runs/cat/video/cat.mp4", "/p/runs/cat", "video/cat.mp4"),
        # Nothing holds both that can be moved.
        ("/q/cat.mp4", "/p/cat", "/q/cat.mp4"),
        ("/p/videos/cat.mp4", "/p/a/b/c/cat", "/p/videos/cat.mp4"),
        (None, "/p/cat", None),
    ],
)
def test_what_is_stated(video, run, stated, tmp_path):
    assert stated_paths(video, Path(run)) == {"path": stated, "absolute_path": video}
    assert found_path(stated_paths(video, Path(run)), Path(run)) == video


def test_exported_masks_of_a_kept_run_are_named_alike(tmp_path, project, two_objects, folder):
    named = project / "videos" / "named"
    shutil.copytree(folder, named)
    for file in sorted(named.iterdir(), reverse=True):
        file.rename(file.with_stem(f"{int(file.stem) * 5:05d}"))
    info = json.loads((project / "runs" / "two" / "run.json").read_text())
    with closing(FolderSource(named)) as video:
        info["video"] |= {"sha256": video.fingerprint(), "frame_names": [file.stem for file in video.files]}
        (project / "runs" / "two" / "run.json").write_text(json.dumps(info))
        kept = keep_video(open_run(project / "runs" / "two"), video)
    export_run(kept, "masks", tmp_path / "masks")
    assert sorted(path.stem for path in (tmp_path / "masks").iterdir())[:2] == ["00000", "00005"]
    assert (kept.path / "video" / "JPEGImages" / "named" / "00005.jpg").is_file()
    assert read_mask(tmp_path / "masks" / "00005.png").max() == 300
