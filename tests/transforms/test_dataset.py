"""Data sets of clips on disk: layout, bytes, going on after a stop, refusals."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.catalogue import MINIMUM_VISIBLE_SHARE, are_related
from napari_sam2_probe.transforms.dataset import make_dataset, measure
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.plan import ClipSpec, plan_recipe
from napari_sam2_probe.transforms.recipe import Recipe
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.masks import read_mask, write_mask

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ClipSpec("obscuration", seed=1)


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "clips"
    make_dataset(tiny, out, ORDER, 4, workers=1)
    return out


def test_it_is_a_davis_data_set_that_says_what_it_is(made, tiny, catalogue):
    dataset = DavisDataset(made, "val")
    assert dataset.names == [f"obscuration-{number:05d}" for number in range(4)]
    lines = [json.loads(line) for line in (made / "clips.jsonl").read_text().splitlines()]
    assert [line["clip"] for line in lines] == dataset.names
    assert [line["twin"] for line in lines] == [f"clean-{number:05d}" for number in range(4)]
    with (made / "frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert list(rows[0]) == [
        "clip",
        "frame",
        "source_sequence",
        "source_frame",
        "object_present",
        "context_present",
        "obscured_fraction",
    ]
    assert len(rows) == 4 * 28
    for number, (name, line) in enumerate(zip(dataset.names, lines, strict=True)):
        recipe = Recipe.from_dict(line)
        assert recipe == plan_recipe(catalogue, Footage(tiny), ORDER, number)
        clip = render_clip(recipe, tiny)
        sequence = dataset.sequence(name)
        own = [row for row in rows if row["clip"] == name]
        for t, row in enumerate(own):
            np.testing.assert_array_equal(sequence.mask(t), clip.masks[t])
            assert np.abs(sequence.frames.read(t).astype(int) - clip.frames[t]).mean() < 6
            assert (int(row["frame"]), int(row["source_frame"])) == (t, clip.source_frame[t])
            assert float(row["obscured_fraction"]) == pytest.approx(clip.obscured_fraction[t], abs=1e-6)


def test_frames_are_jpeg_444_and_masks_have_the_palette(made):
    with Image.open(made / "JPEGImages/480p/obscuration-00000/00000.jpg") as image:
        assert image.format == "JPEG"
        assert {component[1:3] for component in image.layer} == {(1, 1)}
    with Image.open(made / "Annotations/480p/obscuration-00000/00000.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[3:6] == [128, 0, 0]


def test_nothing_depends_on_place_or_workers(made, tiny, tmp_path):
    make_dataset(tiny, tmp_path / "other", ORDER, 4, workers=2)
    assert hashes(tmp_path / "other") == hashes(made)
    for path in made.glob("*.*"):
        assert str(made.parent) not in path.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_lossless_frames_are_the_clip_itself(kind, tiny, tmp_path, catalogue, footage):
    """Frames are drawn one by one as they are written, and masks share memory."""
    order = replace(ORDER, kind=kind)
    make_dataset(tiny, tmp_path / "clips", order, 2, lossless=True, workers=1, catalogue=catalogue)
    for number in range(2):
        clip = render_clip(plan_recipe(catalogue, footage, order, number), footage)
        sequence = DavisDataset(tmp_path / "clips").sequence(f"{kind}-{number:05d}")
        np.testing.assert_array_equal([sequence.frames.read(t) for t in range(28)], clip.frames)
        np.testing.assert_array_equal([sequence.mask(t) for t in range(28)], clip.masks)


def test_the_table_tells_what_the_interjection_lacks(tiny, tmp_path, catalogue):
    make_dataset(tiny, tmp_path / "clips", replace(ORDER, kind="interjection"), 1, workers=1, catalogue=catalogue)
    with (tmp_path / "clips/frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [t for t in range(28) if rows[t]["obscured_fraction"] == ""] == [12, 13, 14, 15]
    assert [t for t in range(28) if rows[t]["object_present"] == "False"] == [12, 13, 14, 15]


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(made, tiny, tmp_path):
    out = tmp_path / "clips"

    def stop(event):
        if event.unit == "clip" and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(tiny, out, ORDER, 4, workers=1, progress=stop)
    kept = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("JPEGImages/480p/*/00000.jpg")}
    assert len(kept) == 2
    assert not (out / "clips.jsonl").exists()
    make_dataset(tiny, out, ORDER, 4, workers=1)
    assert hashes(out) == hashes(made)
    for name, time_written in kept.items():
        assert (out / f"JPEGImages/480p/{name}/00000.jpg").stat().st_mtime_ns == time_written, "made again"


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same_bytes(tiny, tiny_root, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    make_dataset(tiny, whole, ORDER, 40, workers=1)
    script = (
        "import sys; from napari_sam2_probe.cli import main; "
        "sys.exit(main(['transform', 'obscuration', '--davis', sys.argv[1], '--out', sys.argv[2], '--seed', '1',"
        " '--samples', '40', '--workers', '1']))"
    )
    command = [sys.executable, "-c", script, str(tiny_root), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(out.glob(".unfinished/records/*.json"))) < 3:
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "clips.jsonl").exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert hashes(out) == hashes(whole)


def test_a_finished_data_set_is_left_alone(made, tiny):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    make_dataset(tiny, made, ORDER, 4, workers=1)
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


@pytest.mark.parametrize(
    ("order", "samples", "what"),
    [
        (replace(ORDER, seed=2), 4, rf"seed \({ORDER.seed} before, 2 now\)"),
        (ORDER, 5, r"samples \(4 before, 5 now\)"),
        (replace(ORDER, kind="clean"), 4, rf"kind \({ORDER.kind} before, clean now\)"),
    ],
)
def test_another_configuration_is_refused(made, tiny, order, samples, what):
    before = hashes(made)
    with pytest.raises(InputError, match=f"another {what}"):
        make_dataset(tiny, made, order, samples, workers=1)
    assert hashes(made) == before


def test_a_folder_with_something_else_is_refused(tiny, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        make_dataset(tiny, tmp_path, ORDER, 1, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["three-object", "--option", "similarity=taste"], "one of colour, copies, any"),
        (["clean", "--option", "fill=black"], "no option"),
        (["clean", "--option", "fill"], "name=value"),
        (["clean", "--then", "sepia"], "There is no corruption"),
        (["clean", "--lengths", "40,4,40"], "84 frames in a row"),
        (["clean", "--samples", "0"], "at least one"),
        (["clean", "--seed", "-1"], "--seed"),
        (["clean", "--split", "nowhere"], "nowhere"),
    ],
)
def test_bad_arguments_are_one_line_and_leave_nothing(arguments, says, tiny_root, tmp_path, capsys):
    out = tmp_path / "clips"
    code = main(["transform", *arguments, "--davis", str(tiny_root), "--out", str(out), "--workers", "1"])
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert says in message
    assert not out.exists()


def test_a_data_set_without_anything_unrelated_is_refused(tmp_path, tiny_root):
    root = tmp_path / "davis"
    for part in ("JPEGImages", "Annotations"):
        (root / part / "480p").mkdir(parents=True)
        for name in ("cat-run", "cats-sleep"):
            (root / part / "480p" / name).symlink_to(tiny_root / part / "480p" / name)
    for kind in set(KINDS) - {"clean", "context-removal", "scene-cut"}:
        with pytest.raises(InputError, match="unrelated"):
            make_dataset(DavisDataset(root), tmp_path / "clips", ClipSpec(kind), 1, workers=1)
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("dog", "dog", True),
        ("dog", "dogs-jump", True),
        ("bmx-bumps", "bmx-trees", True),
        ("dog", "goat", False),
        ("clip-001", "clip-002", False),
        ("car-shadow", "carousel", False),
    ],
)
def test_names_that_share_their_first_word_are_related(one, other, related):
    assert are_related(one, other) is are_related(other, one) is related


def test_a_base_is_large_enough_and_there_throughout(catalogue, tiny):
    starts = {track.object_id: track.base_starts(28) for track in catalogue.entries[0].tracks}
    assert starts[1].tolist() == list(range(34 - 28 + 1))
    for track in catalogue.entries[0].tracks:
        for frame_idx in (0, 17):
            mask = read_mask(tiny.root / f"Annotations/480p/{track.sequence}/{frame_idx:05d}.png") == track.object_id
            rows, columns = np.nonzero(mask)
            assert track.areas[frame_idx] == mask.sum()
            assert track.boxes[frame_idx].tolist() == [
                columns.min(),
                rows.min(),
                columns.max() + 1,
                rows.max() + 1,
            ]
            x0, y0, x1, y1 = track.boxes[frame_idx].tolist()
            np.testing.assert_array_equal(track.pixels(frame_idx), mask[y0:y1, x0:x1])
    assert (catalogue.entries[0].tracks[0].areas[starts[1]] >= MINIMUM_VISIBLE_SHARE * 72 * 128).all()


@pytest.mark.davis
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_from_real_footage(davis_mini, davis_catalogue, kind):
    footage = Footage(davis_mini)
    for number in range(2):
        clip = render_clip(plan_recipe(davis_catalogue, footage, ClipSpec(kind), number), footage)
        assert clip.frames.shape[0] == 28
        assert clip.masks[0].mean() >= MINIMUM_VISIBLE_SHARE
        assert clip.masks[clip.object_present].any((1, 2)).mean() > 0.5
        if kind == "obscuration":
            assert clip.obscured_fraction.max() > 0.3
            assert clip.obscured_fraction.min() == 0


@pytest.fixture(scope="module")
def davis_catalogue(davis_mini):
    return measure(davis_mini)


def test_the_fingerprint_of_a_data_set_covers_every_pixel(tmp_path):
    """Also where neither names, sizes, areas nor boxes change; not where files lie, or when they were copied."""
    root = tmp_path / "set"
    frames, masks = (root / part / "480p" / "cat" for part in ("JPEGImages", "Annotations"))
    frames.mkdir(parents=True)
    labels = np.zeros((30, 40), np.uint8)
    labels[5:15, 5:15], labels[8, 8] = 1, 0
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    for t in range(6):
        Image.fromarray(picture).save(frames / f"{t:05d}.bmp")
        write_mask(masks / f"{t:05d}.png", labels)

    def fingerprint(folder=root):
        return measure(DavisDataset(folder)).fingerprint()

    before = fingerprint()
    copied = shutil.copytree(root, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert fingerprint(copied) == before
    content = bytearray((frames / "00004.bmp").read_bytes())
    content[-7] ^= 1
    (frames / "00004.bmp").write_bytes(content)
    changed = fingerprint()
    labels[8, 8], labels[9, 9] = 1, 0
    write_mask(masks / "00002.png", labels)
    assert len({before, changed, fingerprint()}) == 3
    assert measure(DavisDataset(root)).fingerprint_of_areas() == measure(DavisDataset(copied)).fingerprint_of_areas()
