"""Every export, read back by what the field reads it with, holds what the run holds."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.decoder.file import save_decoder
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderReport
from napari_sam2_probe.export import registry, tables
from napari_sam2_probe.export.overlay import draw_masks
from napari_sam2_probe.export.registry import EXPORTS, default_name, export_format, export_run, iterate_export
from napari_sam2_probe.export.rle import compressed, run_lengths
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.video import read_mask

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

EVERY_FORMAT = [(what, name) for what, formats in EXPORTS.items() for name in formats]


@pytest.fixture(scope="module")
def run(two_objects):
    return open_run(two_objects.path)


@pytest.fixture(scope="module")
def figures(run, tmp_path_factory):
    """``figures(name)`` -> the folder of the run's figures in a format, drawn once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = export_run(run, "figures", tmp_path_factory.mktemp("figures") / name, name)
        return made[name]

    return make


@pytest.fixture(scope="module")
def tracked(run):
    frames = np.flatnonzero(run.tracked.any(axis=0)).tolist()
    assert 0 < len(frames) < run.num_frames
    return frames


def test_davis_masks_of_tracked_frames(run, tracked, tmp_path):
    out = export_run(run, "masks", tmp_path / "video", "davis")
    assert sorted(file.name for file in out.iterdir()) == [f"{t:05d}.png" for t in tracked]
    for t in tracked:
        np.testing.assert_array_equal(read_mask(out / f"{t:05d}.png"), run.masks[t])


def test_labels_tiff_is_a_stack_over_time(run, tmp_path):
    out = export_run(run, "masks", tmp_path / "masks.tif", "tiff")
    with tifffile.TiffFile(out) as file:
        (series,) = file.series
        assert (series.axes, series.shape, series.dtype) == ("TYX", run.masks.shape, np.uint16)
        np.testing.assert_array_equal(series.asarray(), run.masks[:])
    # A reader that knows nothing of tifffile's notes sees as many plain pages.
    with Image.open(out) as image:
        assert image.n_frames == run.num_frames
        image.seek(3)
        np.testing.assert_array_equal(np.asarray(image), run.masks[3])


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_run_lengths_give_the_mask_back(mask):
    lengths = run_lengths(mask)
    pixels = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    np.testing.assert_array_equal(pixels.reshape(mask.shape, order="F"), mask)
    assert _lengths_of(compressed(lengths)) == lengths


@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=30))
def test_compressed_run_lengths_can_be_read(lengths):
    text = compressed(lengths)
    assert _lengths_of(text) == lengths
    assert all(48 <= ord(character) < 112 for character in text)


@pytest.mark.parametrize(("mask", "text"), [([[1]], "01"), ([[0, 1], [1, 1]], "13"), ([[0] * 40], "X1")])
def test_compressed_run_lengths_are_those_of_coco(mask, text):
    # Worked out by hand; 40 is 0b1_01000: the group 01000 with "more" (8 + 32 + 48 = "X"), then 1 ("1").
    assert compressed(run_lengths(np.array(mask, bool))) == text


def test_coco_reads_our_run_lengths(run, tmp_path):
    coco_mask = pytest.importorskip("pycocotools.mask")
    content = json.loads(export_run(run, "masks", tmp_path / "m.json", "coco").read_text())
    assert content["annotations"]
    for annotation in content["annotations"]:
        decoded = coco_mask.decode(annotation["segmentation"]).astype(bool)
        obj_idx = run.object_ids.tolist().index(annotation["track_id"])
        np.testing.assert_array_equal(decoded, run.masks_per_object[obj_idx, annotation["image_id"]])
        assert annotation["bbox"] == coco_mask.toBbox(annotation["segmentation"]).tolist()


def test_coco_has_every_mask_with_its_box_and_area(run, tracked, tmp_path):
    content = json.loads(export_run(run, "masks", tmp_path / "m.json", "coco").read_text())
    assert [image["id"] for image in content["images"]] == tracked
    expected = [
        (obj_id, t, int(mask.sum()))
        for t in tracked
        for k, obj_id in enumerate(run.object_ids.tolist())
        if run.tracked[k, t] and (mask := run.masks_per_object[k, t]).any()
    ]
    assert [(a["track_id"], a["image_id"], a["area"]) for a in content["annotations"]] == expected
    for annotation in content["annotations"]:
        lengths = _lengths_of(annotation["segmentation"]["counts"])
        height, width = annotation["segmentation"]["size"]
        mask = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape((height, width), order="F")
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert annotation["bbox"] == box


def test_maps_in_zarr_are_the_runs(run, tmp_path):
    store = zarr.open_group(export_run(run, "maps", tmp_path / "maps.zarr"), mode="r")
    assert store.attrs["object_ids"] == run.object_ids.tolist()
    for position in MAP_POSITIONS:
        for statistic in ("mean", "variance"):
            kept = run.maps(position.key, statistic)[:]
            np.testing.assert_array_equal(store[position.key][statistic]["0"][:], np.moveaxis(kept, 0, 1))
        assert store[position.key].attrs["position"] == position.number


def test_a_map_in_zarr_lies_over_the_video(run, tmp_path):
    """By the rules of OME-Zarr 0.5: a pixel's centre is at index x scale + translation, in pixels of the video."""
    path = export_run(run, "maps", tmp_path / "maps.zarr")
    store = zarr.open_group(path, mode="r", zarr_format=3)
    images = store["OME"].attrs["ome"]["series"]
    assert len(images) == 2 * len(MAP_POSITIONS)
    for name in images:
        about = store[name].attrs["ome"]
        (image,) = about["multiscales"]
        (level,) = image["datasets"]
        array = store[name][level["path"]]
        assert about["version"] == "0.5"
        assert [axis["name"] for axis in image["axes"]] == ["t", "c", "y", "x"] == list(array.metadata.dimension_names)
        assert len(about["omero"]["channels"]) == array.shape[1]
        scale, translation = (step[step["type"]] for step in level["coordinateTransformations"])
        assert scale[:2] == [1, 1]
        assert translation[:2] == [0, 0]
        for size, pixels, step, first in zip(
            run.masks.shape[1:], array.shape[2:], scale[2:], translation[2:], strict=True
        ):
            # Pixels reach half a step beyond their centres: together they cover the video and nothing else.
            assert first - step / 2 == pytest.approx(-0.5)
            assert first + (pixels - 0.5) * step == pytest.approx(size - 0.5)


def test_readers_of_ome_zarr_open_the_maps(run, tmp_path):
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    models = pytest.importorskip("ome_zarr_models.v05")
    path = export_run(run, "maps", tmp_path / "maps.zarr")
    models.Image.from_zarr(zarr.open_group(path / "memory_attention" / "variance", mode="r"))
    (node,) = reader.Reader(io.parse_url(path / "memory_attention" / "variance"))()
    shown = np.asarray(node.data[0])
    np.testing.assert_array_equal(shown, np.moveaxis(run.maps("memory_attention", "variance")[:], 0, 1))
    assert node.metadata["channel_names"] == [f"object {obj_id}" for obj_id in run.object_ids.tolist()]


def test_maps_in_tiff_are_the_runs(run, tmp_path):
    out = export_run(run, "maps", tmp_path / "maps", "tiff")
    assert len(list(out.iterdir())) == len(run.object_ids) * len(MAP_POSITIONS) * 2
    obj_idx = run.object_ids.tolist().index(7)
    with tifffile.TiffFile(out / "object-7_2_memory_attention_variance.tif") as file:
        np.testing.assert_array_equal(file.asarray(), run.maps("memory_attention", "variance")[obj_idx])
        height, width = file.series[0].shape[1:]
        # Pixels of the map for each pixel of the video, from left to right and from top to bottom.
        steps = [
            numerator / denominator for numerator, denominator in (file.pages[0].tags[tag].value for tag in (282, 283))
        ]
    assert steps == pytest.approx([width / run.masks.shape[2], height / run.masks.shape[1]], rel=1e-6)


def test_time_in_tiffs_is_that_of_the_video(run, tmp_path):
    info = run.info | {"video": run.info["video"] | {"fps": 12.5}}
    for out in (
        export_run(replace(run, info=info), "masks", tmp_path / "masks.tif", "tiff"),
        export_run(replace(run, info=info), "maps", tmp_path / "maps", "tiff")
        / "object-300_1_image_embedding_mean.tif",
    ):
        with tifffile.TiffFile(out) as file:
            assert file.is_imagej
            assert file.series[0].axes == "TYX"
            about = file.imagej_metadata
        assert (about["frames"], about["hyperstack"], about["unit"]) == (run.num_frames, True, "pixel")
        assert about["finterval"] == pytest.approx(0.08)


@pytest.mark.slow
def test_files_say_what_they_were_made_from(run, figures, tmp_path):
    with Image.open(figures("png") / "scores-object-7.png") as image:
        assert image.info["Software"].startswith("napari-sam2-probe ")
        said = image.info["Description"]
    for part in ("two", "moving", "seeded", "float32"):
        assert part in said
    document = figures("pdf") / "scores-object-7.pdf"
    assert b"with seeded" in document.read_bytes()
    store = zarr.open_group(export_run(run, "maps", tmp_path / "maps.zarr"), mode="r")
    assert store.attrs["made_with"] in said
    assert not any(str(folder) in said for folder in (tmp_path, figures("png"), run.path))


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_features_are_the_runs_table(run, tmp_path, name):
    table = _read_table(export_run(run, "features", tmp_path / f"f.{name}", name))
    pd.testing.assert_frame_equal(table, run.features, check_exact=name == "parquet")


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_pointers_are_the_runs(run, tmp_path, name):
    table = _read_table(export_run(run, "pointers", tmp_path / f"p.{name}", name))
    assert len(table) == 2 * run.tracked.sum()
    for position, pointers in (("4", run.object_pointers), ("4r", run.object_pointers_raw)):
        for k, obj_id in enumerate(run.object_ids.tolist()):
            rows = table[(table["position"] == position) & (table["object_id"] == obj_id)]
            values = rows.filter(like="channel_").to_numpy(np.float32)
            np.testing.assert_allclose(values, pointers[k][run.tracked[k]], rtol=1e-6)
            np.testing.assert_allclose(rows["object_score"], run.object_scores[k][run.tracked[k]], rtol=1e-6)


def test_boxes_enclose_the_predicted_masks(run, tmp_path):
    table = _read_table(export_run(run, "boxes", tmp_path / "boxes.csv"))
    assert tuple(table.columns) == tables.BOX_COLUMNS
    assert len(table) == run.tracked.sum()
    _, height, width = run.masks.shape
    for row in table.itertuples():
        mask = run.masks_per_object[run.object_ids.tolist().index(row.object_id), row.frame]
        if not mask.any():
            assert np.isnan([row.xmin, row.left]).all()
            continue
        assert mask[row.ymin : row.ymax + 1, row.xmin : row.xmax + 1].sum() == mask.sum()
        for edge in (mask[row.ymin], mask[row.ymax], mask[:, row.xmin], mask[:, row.xmax]):
            assert edge.any()
        assert (row.left * width, row.bottom * height) == pytest.approx((row.xmin, row.ymax + 1))


@pytest.fixture
def decoder(run):
    """One whose boxes follow from two channels, for the run's own (untrained) model."""
    weights = np.zeros((run.object_pointers.shape[2], 4))
    weights[0, :2], weights[1, 2:] = 0.1, 0.2
    channels = len(weights)
    still = (np.zeros(channels), np.ones(channels), (weights,), (np.full(4, 0.5),), np.zeros(4), np.ones(4))
    return BoxDecoder("seeded", run.info["model"]["sha256"], *still)


def test_decoded_boxes_stand_beside_those_of_masks(run, decoder, tmp_path):
    alone = _read_table(export_run(run, "boxes", tmp_path / "alone.csv"))
    both = _read_table(export_run(run, "boxes", tmp_path / "both.csv", decoder=decoder))
    assert len(both) == 2 * len(alone)
    pd.testing.assert_frame_equal(both[both["kind"] == "mask"].reset_index(drop=True), alone)
    _, height, width = run.masks.shape
    for row in both[both["kind"] == "decoded"].itertuples():
        pointer = run.object_pointers[run.object_ids.tolist().index(row.object_id), row.frame]
        edges = [0.5 + 0.1 * pointer[0]] * 2 + [0.5 + 0.2 * pointer[1]] * 2
        assert [row.left, row.top, row.right, row.bottom] == pytest.approx(edges)
        inside = np.clip(edges, 0, 1) * (width, height, width, height)
        assert [row.xmin, row.ymin, row.xmax, row.ymax] == np.round(inside - (0, 0, 1, 1)).tolist()


@pytest.mark.parametrize(("gain", "is_used"), [(0.099, False), (0.1, True), (float("nan"), False)])
def test_a_decoder_that_hardly_beats_the_mean_box_is_not_used_unasked(
    run, decoder, tmp_path, monkeypatch, gain, is_used
):
    missing = Estimate.missing("not measured")
    report = DecoderReport(missing, missing, Estimate(gain, 0.0, 0.2, 5), (0,) * 4, (0,) * 4, 1, 1, 0, ("a",), ("b",))
    monkeypatch.setattr(registry, "find_decoder", lambda _: replace(decoder, report=report))
    kinds = _read_table(export_run(run, "boxes", tmp_path / "boxes.csv"))["kind"]
    assert ("decoded" in set(kinds)) is is_used
    assert ("hardly knows where the object is" in str(report)) is not is_used
    named = export_run(run, "boxes", tmp_path / "named.csv", decoder=replace(decoder, report=report))
    assert "decoded" in set(_read_table(named)["kind"])


def test_a_decoder_for_another_model_is_refused(run, decoder, tmp_path):
    other = replace(decoder, checkpoint="other", sha256="ab" * 32)
    with pytest.raises(InputError, match="was fitted for the checkpoint other"):
        export_run(run, "boxes", tmp_path / "boxes.csv", decoder=other)
    with pytest.raises(InputError, match="gives boxes, not features"):
        export_run(run, "features", tmp_path / "features.csv", decoder=decoder)
    assert not any(tmp_path.iterdir())


def test_the_decoder_of_the_command(run, decoder, tmp_path, capsys):
    save_decoder(decoder, tmp_path / "d.safetensors")
    out = tmp_path / "boxes.csv"
    words = [
        "export",
        str(run.path),
        "--what",
        "boxes",
        "--out",
        str(out),
        "--decoder",
        str(tmp_path / "d.safetensors"),
    ]
    assert main(words) == 0
    assert set(_read_table(out)["kind"]) == {"mask", "decoded"}
    assert main([*words[:-1], str(tmp_path / "nowhere"), "--overwrite"]) == 2
    assert "There is no decoder" in capsys.readouterr().err


def test_the_overlay_video_shows_the_frames_with_the_masks_on_them(run, tmp_path):
    out = export_run(run, "video", tmp_path / "overlay.mp4")
    with av.open(out) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert (len(frames), *frames[0].shape[:2]) == run.masks.shape
    labels = run.masks[3]
    tinted, plain = (_difference(frames[3], run, 3, where) for where in (labels != 0, labels == 0))
    assert plain < 12 < tinted


def test_masks_are_tinted_and_their_borders_drawn():
    frame = np.full((5, 7, 3), 100, np.uint8)
    labels = np.zeros((5, 7), np.uint16)
    labels[1:4, 1:6] = 9
    drawn = draw_masks(frame, labels, {9: np.array([200.0, 0, 100])})
    assert drawn[2, 3].tolist() == [145, 55, 100]
    assert drawn[1, 1].tolist() == [200, 0, 100]
    assert (drawn[labels == 0] == 100).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["png", "pdf", "svg"])
def test_figures_of_every_object(figures, name):
    out = figures(name)
    kinds = ("composite", "features", "filmstrip", "pointers", "scores")
    assert sorted(f.name for f in out.iterdir()) == sorted(f"{k}-object-{o}.{name}" for k in kinds for o in (7, 300))
    assert all(file.stat().st_size > 3000 for file in out.iterdir())


@pytest.mark.slow
def test_figures_without_the_video_are_those_that_need_none(run, tmp_path):
    copy = _copy_without_video(run, tmp_path)
    out = export_run(copy, "figures", tmp_path / "figures", "png")
    assert {file.name.partition("-")[0] for file in out.iterdir()} == {"features", "pointers", "scores"}
    with pytest.raises(InputError, match="in no file"):
        export_run(copy, "video", tmp_path / "overlay.mp4")


def test_a_copied_run_opens_equal(run, tmp_path):
    copy = open_run(export_run(run, "run", tmp_path / "copy"))
    assert copy.info == run.info
    np.testing.assert_array_equal(copy.masks_per_object[:], run.masks_per_object[:])
    np.testing.assert_array_equal(copy.object_pointers, run.object_pointers)


@pytest.mark.parametrize(("what", "name"), EVERY_FORMAT)
def test_nothing_is_left_of_an_export_that_is_stopped(run, tmp_path, what, name):
    steps = iterate_export(run, what, tmp_path / "out", name)
    for _ in range(3):
        with suppress(StopIteration):
            next(steps)
            if what in ("features", "pointers", "run"):
                break
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_no_format_is_in_the_way_of_another():
    names = [default_name("run", what, export_format(what, name)) for what, name in EVERY_FORMAT]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("what", "name"), EVERY_FORMAT)
def test_what_exists_is_only_replaced_when_asked(run, tmp_path, what, name):
    chosen = export_format(what, name)
    out = tmp_path / default_name("run", what, chosen)
    if chosen.holds is None:
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    before = out.read_text() if out.is_file() else (out / "notes.txt").read_text()
    with pytest.raises(InputError, match="exists already"):
        export_run(run, what, out, name)
    if chosen.holds is None:
        export_run(run, what, out, name, overwrite=True)
        assert out.read_bytes()[:4] != b"mine"
        return
    with pytest.raises(InputError, match="holds other things" if chosen.holds else "replaces nothing"):
        export_run(run, what, out, name, overwrite=True)
    assert (out / "notes.txt").read_text() == before


def test_an_earlier_export_of_more_frames_is_replaced_whole(run, tracked, tmp_path):
    out = export_run(run, "masks", tmp_path / "masks")
    Image.new("L", (2, 2)).save(out / "99999.png")
    export_run(run, "masks", out, overwrite=True)
    assert len(list(out.iterdir())) == len(tracked)
    assert list(tmp_path.iterdir()) == [out]


def test_an_export_does_not_go_into_the_run(run):
    with pytest.raises(InputError, match="inside the run"):
        export_run(run, "masks", run.path / "masks")


def test_a_place_that_refuses_is_told_in_a_sentence(run, tmp_path):
    (tmp_path / "file").write_text("")
    for what in ("masks", "features"):
        with pytest.raises(InputError, match=r"can't be made because .*file is a file"):
            export_run(run, what, tmp_path / "file" / "out")
        if Path("/proc/self").is_dir():
            # Where not even root may write.
            with pytest.raises(ResourceError, match="can't be written"):
                export_run(run, what, Path("/proc/out"))


def test_parquet_without_pyarrow_is_one_sentence(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install pyarrow, or choose csv"):
        export_run(run, "features", tmp_path / "f.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_command_exports_and_refuses(run, tmp_path, capsys):
    out = tmp_path / "masks.tif"
    arguments = ["export", str(run.path), "--what", "masks", "--format", "tiff", "--out", str(out)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert tifffile.imread(out).shape == run.masks.shape
    for wrong, said in (
        (arguments, "exists already"),
        ([*arguments[:5], "svg", *arguments[6:]], "davis, tiff, coco"),
        (["export", str(tmp_path), *arguments[2:]], "not a probe run"),
    ):
        assert main(wrong) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1


def test_the_commands_help_names_what_there_is(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    shown = capsys.readouterr().out
    for what, formats in EXPORTS.items():
        line = next(line for line in shown.splitlines() if line.startswith(f"  {what} "))
        assert all(name in line for name in formats)


def _lengths_of(text: str) -> list[int]:
    """Read COCO's string, as its definition says."""
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return lengths


def _read_table(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    table = pd.read_csv(path, dtype={"position": str})
    whole = {column: "Int64" for column in tables.BOX_COLUMNS[3:7] if column in table}
    return table.astype(whole)


def _difference(shown, run, frame_idx, where) -> float:
    from napari_sam2_probe.video import open_video

    frame = open_video(run.info["video"]["path"]).read(frame_idx)
    return float(np.abs(shown.astype(float) - frame)[where].mean())


def _copy_without_video(run, folder):
    copy = folder / "copy"
    shutil.copytree(run.path, copy)
    info = json.loads((copy / "run.json").read_text())
    info["video"]["path"] = None
    (copy / "run.json").write_text(json.dumps(info))
    return open_run(copy)


def test_a_video_of_odd_size_is_padded_by_a_pixel(tmp_path):
    frames = tmp_path / "odd"
    frames.mkdir()
    for t in range(2):
        Image.new("RGB", (45, 31), (200, 100, 50)).save(frames / f"{t:05d}.png")
    writer = RunWriter(tmp_path / "run", (1,), (2, 31, 45), 4, {"video": {"path": str(frames)}})
    writer.finish()
    with av.open(export_run(open_run(writer.path), "video", tmp_path / "odd.mp4")) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in shown] == [(32, 46, 3)] * 2
    # Nothing was tracked here, which is shown.
    assert np.abs(shown[1].astype(int) - np.array([200, 100, 50]) // 3).max() < 12
