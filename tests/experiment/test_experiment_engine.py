"""A tiny experiment with the sample model: what it holds is what single runs give, and what was asked for."""

from __future__ import annotations

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

import napari_sam2_probe as sp
from helpers.small_experiments import SETTINGS, small_davis, table_bytes
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as FEATURES
from napari_sam2_probe.decoder.boxes import box_edges
from napari_sam2_probe.evaluation.metrics import score_clip
from napari_sam2_probe.experiments import batch_worker
from napari_sam2_probe.experiments import track_batch as track_batch_module
from napari_sam2_probe.experiments.batch_clips import ClipReader
from napari_sam2_probe.experiments.clips import probe_clip
from napari_sam2_probe.experiments.config import make_config, read_config, write_config
from napari_sam2_probe.experiments.execute import iterate_experiment, run_experiment
from napari_sam2_probe.experiments.folder import ExperimentFolder, locked
from napari_sam2_probe.experiments.plan import Batch, make_plan
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.video.masks import write_mask

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def loaded():
    return load_model(ModelChoice("sample", device="cpu"))


@pytest.fixture(scope="module")
def results(tiny_experiment):
    return open_experiment(tiny_experiment)


def assert_clip_is_the_run(results, kind, clip, run) -> None:
    """A clip of an experiment is what the command `run` gives of it, to the last bit on a CPU."""
    np.testing.assert_array_equal(results.masks(kind, clip), run.masks_per_object[0])
    np.testing.assert_array_equal(results.pointers(kind, clip), run.object_pointers[0])
    np.testing.assert_array_equal(results.pointers(kind, clip, raw=True), run.object_pointers_raw[0])
    frames = results.frames[results.frames["clip"] == clip]
    np.testing.assert_array_equal(frames.object_score, run.object_scores[0])
    np.testing.assert_array_equal(frames.predicted_iou, run.predicted_iou[0])
    assert frames.prompted.tolist() == run.prompted[0].tolist()
    features = results.features[results.features["clip"] == clip]
    assert features.position.tolist() == run.features.position.tolist()
    assert features.frame.tolist() == run.features.frame.tolist()
    for name in FEATURES:
        np.testing.assert_array_equal(features[name], run.features[name])
    # And it is read as one: by one type, with one set of names.
    same = results.run(kind, clip)
    for name in ("object_ids", "object_pointers", "object_pointers_raw", "object_scores", "predicted_iou", "prompted"):
        np.testing.assert_array_equal(getattr(same, name), getattr(run, name), err_msg=name)
    for name in ("tracked", "object_present", "masks", "masks_per_object"):
        np.testing.assert_array_equal(getattr(same, name)[:], getattr(run, name)[:], err_msg=name)
    assert_frame_equal(same.features, run.features, check_exact=True)
    assert (same.truth.clip, same.truth.recipe) == (run.truth.clip, run.truth.recipe)
    assert same.num_frames == run.num_frames
    assert set(same.map_keys) <= set(run.map_keys)
    for key in same.map_keys:
        np.testing.assert_array_equal(same.maps(key, "variance")[:], run.maps(key, "variance")[:])


@pytest.mark.parametrize("kind", SETTINGS["kinds"])
def test_a_clip_is_what_a_single_run_gives(results, kind, loaded, tmp_path):
    clip = results.clips(kind)[1]
    run = probe_clip(results.path / "clips" / kind, clip, tmp_path / "run", loaded)
    assert_clip_is_the_run(results, kind, clip, run)
    frames = results.frames[results.frames["clip"] == clip]
    assert frames.object_present.tolist() == run.object_present[0].tolist()
    assert frames.source_frame.tolist() == run.info["known"]["source_frame"]
    sequence = results.sequence(kind, clip)
    truth = np.stack([sequence.mask(t) for t in range(8)])
    scores = score_clip(truth, results.masks(kind, clip).astype(int), run.object_present[0], lengths=(3, 2, 3))
    np.testing.assert_array_equal(frames.region, scores.region_per_frame)
    np.testing.assert_array_equal(frames.boundary, scores.boundary_per_frame)
    assert frames.false_positive.tolist() == scores.false_positive.tolist()
    assert frames.area.tolist() == results.masks(kind, clip).sum((1, 2)).tolist()
    edges = frames[["true_xmin", "true_ymin", "true_xmax", "true_ymax"]].to_numpy()
    np.testing.assert_array_equal(edges, np.stack([box_edges(labels == 1) for labels in truth]))


@pytest.mark.slow
def test_a_clip_is_opened_as_a_run_and_compared_with_its_twin(tiny_experiment, results, tmp_path):
    clip = results.clips("interjection")[0]
    twin = results.frames.loc[results.frames["clip"] == clip, "twin"].iloc[0]
    run, other = (sp.open_run(tiny_experiment, clip=name) for name in (clip, twin))
    assert (run.name, run.objects, run.finished) == (clip, [1], True)
    assert run.masks.dims == ("object", "frame", "y", "x")
    np.testing.assert_array_equal(run.masks.sel(object=1), results.masks("interjection", clip))
    assert clip in repr(run)
    assert run.video.has_masks
    distances = sp.compare(run, other).distances
    expected = np.linalg.norm(results.pointers("interjection", clip) - results.pointers("clean", twin), axis=1)
    assert np.isclose(np.asarray(distances["distance"])[0], expected[0], rtol=1e-6)
    with pytest.raises(InputError, match="Did you mean"):
        sp.open_run(tiny_experiment, clip=clip[:-1])
    with pytest.raises(InputError, match="name one of its clips"):
        sp.open_run(tiny_experiment)
    with pytest.raises(InputError, match="a clip of an experiment"):
        run.save(tmp_path / "saved")


@pytest.mark.slow
def test_options_reach_the_features_and_maps_are_kept(settings, loaded, tmp_path):
    features = {"denominator": "standard deviation", "epsilon": 1e-3, "prompted_references": False}
    changes = {"kinds": ["interjection"], "keep_maps": True, "features": features, "batch_size": 2}
    results = run_experiment(make_config(**settings | changes), tmp_path / "out")
    assert results.total == 1, "both clips are of one batch"
    assert not results.features.prompted_reference.any()
    options = RunOptions(features=FeatureOptions("standard deviation", 1e-3, False))
    for clip in results.clips("interjection"):
        run = probe_clip(tmp_path / "out/clips/interjection", clip, tmp_path / clip, loaded, options)
        assert_clip_is_the_run(results, "interjection", clip, run)
        for key in ("image_embedding", "memory_attention", "memory_features_raw"):
            for statistic in ("mean", "variance"):
                maps = results.maps("interjection", clip, key, statistic)
                np.testing.assert_array_equal(maps, run.maps(key, statistic)[0])


@pytest.mark.slow
def test_extras_change_all_kinds_alike(settings, results, tmp_path):
    noisy = run_experiment(
        make_config(**settings | {"samples": 1, "then": ["gaussian-noise:sigma=30"]}), tmp_path / "a"
    )
    assert noisy.complete
    clean, inserted = (noisy.sequence(kind, f"{kind}-00000") for kind in ("clean", "interjection"))
    plain = results.sequence("clean", "clean-00000")
    for t in range(3):
        frame = clean.frames.read(t)
        np.testing.assert_array_equal(frame, inserted.frames.read(t))
        assert 15 < (frame.astype(float) - plain.frames.read(t)).std() < 35
        np.testing.assert_array_equal(clean.mask(t), plain.mask(t))
    recipe = json.loads((noisy.path / "clips/clean/clips.jsonl").read_text())
    assert recipe["then"] == [{"name": "gaussian-noise", "options": {"sigma": 30.0}}]


@pytest.mark.slow
def test_a_batch_that_memory_does_not_hold_is_divided(results, loaded, monkeypatch):
    whole = Batch("clean-0000", "clean", tuple(results.clips("clean")))
    clips = ClipReader(ExperimentFolder(results.path)).read(whole)
    sizes = []

    class SmallTracker(track_batch_module.BatchTracker):
        def track(self):
            sizes.append(len(self._masks))
            for frame in super().track():
                yield frame
                if frame.frame_idx == 1 and len(self._masks) > 1:
                    raise ResourceError("The memory doesn't suffice.") from MemoryError()

    monkeypatch.setattr(track_batch_module, "BatchTracker", SmallTracker)
    counts, outputs = [], None
    steps = track_batch_module.track_batch(loaded, clips, FeatureOptions(), at_once=2)
    while outputs is None:
        try:
            counts.append(next(steps))
        except StopIteration as end:
            outputs = end.value
    assert sizes == [2, 1, 1]
    assert counts[:3] == [2, 2, -4]
    assert sum(counts) == 16
    for clip, output in zip(clips, outputs, strict=True):
        np.testing.assert_array_equal(output.masks, results.masks("clean", clip.name))


def test_the_tables_are_tidy(results):
    frames, features = results.frames, results.features
    assert list(frames) == list(FRAME_COLUMNS)
    assert list(features) == list(FEATURE_COLUMNS)
    assert frames.frame.tolist() == list(range(8)) * 4
    assert frames["clip"].unique().tolist() == [f"{k}-0000{n}" for k in ("clean", "interjection") for n in (0, 1)]
    assert frames.stage.tolist() == (["prefix"] * 3 + ["interjection"] * 2 + ["suffix"] * 3) * 4
    assert (features.groupby("clip").size() == 8 * 7).all()
    interjected = frames[frames.kind == "interjection"]
    assert interjected.object_present.tolist() == (interjected.stage != "interjection").tolist()
    for column in ("region", "true_xmin", "obscured_fraction"):
        assert interjected[column][~interjected.object_present].isna().all()
    # Clip k of every kind has the same base, and names its twin.
    bases = frames.groupby("clip").base_sequence.first()
    for clip, twin in interjected[["clip", "twin"]].drop_duplicates().to_numpy():
        assert clip[-5:] == twin[-5:]
        assert bases[clip] == bases[twin]
    assert (frames[frames.kind == "clean"].twin == "").all()
    assert frames.region.mean() > 0.7, "the sample model tracks"
    # The interjected frames are seen by some feature: the paper's point.
    median = features[features.position == "1"].groupby("object_present").short_term_l2.median()
    assert median[False] > 1.5 * median[True]


def test_windows_say_what_distances_were_computed_from(results):
    features = results.features
    assert features.short_term_l2.isna().equals(features.window < 1)
    assert features.long_term_l2.isna().equals(features.window < 2)
    first = features[(features["clip"] == "interjection-00000") & (features.position == "4")]
    assert first.window.tolist() == [0, 1, 2, 3, 3, 3, 4, 5]
    assert first.prompted_reference.tolist() == [False] + [True] * 7


def test_provenance_tells_what_was_used(results):
    said = results.provenance
    assert said["model"]["checkpoint"] == results.label == "sample"
    assert len(said["model"]["sha256"]) == len(said["data"]["fingerprint"]) == 64
    assert (said["model"]["dtype"], said["model"]["threads"]) == ("float32", 1)
    assert said["software"]["torch"]
    [session] = said["sessions"]
    assert session["command"] == "sam2-probe experiment"
    assert session["frames"] == 32
    assert session["finished"]


def test_a_finished_experiment_is_left_alone(tiny_experiment, settings, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in tiny_experiment.rglob("*")}
    monkeypatch.setattr(batch_worker, "load_model", None)
    assert run_experiment(make_config(**settings), tiny_experiment).complete
    assert {path: path.stat().st_mtime_ns for path in tiny_experiment.rglob("*")} == before


@pytest.mark.slow
def test_stopping_between_steps_keeps_what_is_whole(settings, tmp_path, tiny_experiment):
    out = tmp_path / "out"
    with closing(iterate_experiment(make_config(**settings), out)) as events:
        for event in events:
            if event.what == "tracking clips" and event.done > 9:
                break
    half = open_experiment(out)
    assert (half.complete, half.done, half.total) == (False, 1, 4)
    assert half.clips("clean") == ["clean-00000"]
    assert half.provenance["sessions"][0]["finished"] is None
    seen = []
    whole = run_experiment(make_config(**settings), out, progress=seen.append)
    tracked = [event.done for event in seen if event.what == "tracking clips"]
    assert tracked[0] == 8, "nothing is computed twice"
    assert tracked[-1] == 32
    assert len(whole.provenance["sessions"]) == 2
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert not list((out / ".unfinished").glob("*"))


# Masks of another system


@pytest.fixture(scope="module")
def predictions(results, tmp_path_factory):
    """The sample model's masks, as if another system had predicted them: for one kind in a folder, for one not.

    The first frame, which the other system was given, has no file.
    """
    folder = tmp_path_factory.mktemp("predictions")
    for kind, above in (("clean", folder), ("interjection", folder / "interjection")):
        for clip in results.clips(kind):
            for t, mask in enumerate(results.masks(kind, clip)[1:], start=1):
                write_mask(above / clip / f"{t:05d}.png", mask.astype(np.uint8))
    return folder


def other_system(settings, folder) -> dict:
    return {k: v for k, v in settings.items() if k != "model"} | {
        "predictions": {"name": "Else", "folder": str(folder)}
    }


def test_masks_of_another_system_are_scored_alike(results, settings, predictions, tmp_path):
    config = make_config(**other_system(settings, predictions))
    seen = run_experiment(config, tmp_path / "out")
    assert seen.label == "Else"
    scores = ["region", "boundary", "false_positive", "true_xmin", "object_present", "twin", "prompted"]
    assert seen.frames[scores].equals(results.frames[scores])
    later = seen.frames.frame > 0
    assert seen.frames.area[later].equals(results.frames.area[later])
    assert seen.frames[["object_score", "predicted_iou"]].isna().all(axis=None)
    assert len(seen.features) == 0
    for kind in seen.kinds:
        for clip in seen.clips(kind):
            np.testing.assert_array_equal(seen.masks(kind, clip)[1:], results.masks(kind, clip)[1:])
            np.testing.assert_array_equal(seen.masks(kind, clip)[0], seen.sequence(kind, clip).mask(0) == 1)


def test_a_missing_prediction_is_told_before_anything_is_made(settings, predictions, tmp_path):
    (predictions / "interjection/interjection-00001/00007.png").rename(tmp_path / "away.png")
    try:
        with pytest.raises(InputError, match=r"interjection-00001.00007\.png is missing: predict every frame"):
            run_experiment(make_config(**other_system(settings, predictions)), tmp_path / "out")
    finally:
        (tmp_path / "away.png").rename(predictions / "interjection/interjection-00001/00007.png")
    assert not (tmp_path / "out").exists()


# Going on, or not


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"samples": 3}, r"another samples \(2 before, 3 now\): give the same settings"),
        ({"seed": 5, "lossless": True}, r"another seed \(0 before, 5 now\) and lossless \(False before, True now\)"),
        ({"features": {"prompted_references": False}}, r"another features\.prompted_references \(True before"),
        ({"then": ["gaussian-noise"]}, r"another then \(none before, gaussian-noise:sigma=15\.0 now\)"),
        ({"batch_size": 2}, r"another batch_size \(1 before, 2 now\)"),
        ({"model": {"checkpoint": "sample", "device": "cpu", "dtype": "bfloat16"}}, r"another model\.dtype \(auto bef"),
    ],
)
def test_another_configuration_is_refused(tiny_experiment, settings, changed, said):
    with pytest.raises(InputError, match=said):
        run_experiment(make_config(**settings | changed), tiny_experiment)


def test_a_folder_is_read_anew_when_an_experiment_is(settings, predictions, tmp_path):
    """What was read of clips that lay there before says nothing of those that do now."""
    mose = small_davis(tmp_path / "mose", resolution="")
    for seed, root in ((1, settings["davis"]), (2, str(mose))):
        changes = {"seed": seed, "kinds": ["clean"], "davis": root}
        config = make_config(**other_system(settings, predictions) | changes)
        results = run_experiment(config, tmp_path / "out")
        said = [json.loads(line) for line in (tmp_path / "out/clips/clean/clips.jsonl").read_text().splitlines()]
        expected = [line["base"]["sequence"] for line in said]
        starts = [line["base"]["start"] for line in said]
        first = results.frames[results.frames.frame == 0]
        assert first.base_sequence.tolist() == expected
        assert first.source_frame.tolist() == starts
        shutil.rmtree(tmp_path / "out")


def test_another_checkpoint_is_refused(tiny_experiment, settings):
    file = tiny_experiment / "provenance.json"
    before = file.read_text()
    said = json.loads(before)
    said["model"]["sha256"] = "1" * 64
    file.write_text(json.dumps(said))
    try:
        with pytest.raises(InputError, match="computed with another file of the checkpoint sample"):
            run_experiment(make_config(**settings), tiny_experiment)
    finally:
        file.write_text(before)


def test_two_commands_do_not_work_on_one_experiment(tiny_experiment):
    folder = ExperimentFolder(tiny_experiment)
    with locked(folder), pytest.raises(InputError, match="Another process is working on"), locked(folder):
        pass
    with locked(folder):
        pass


# Configuration and plan


def test_a_configuration_goes_through_toml(settings, tmp_path):
    config = make_config(
        **settings
        | {"kinds": ["context-removal", "clean"], "options": {"context-removal": {"fill": "blur"}}}
        | {"then": ["mosaic", "low-light:photons=50"]}
    )
    assert config.then == ("mosaic", "low-light:light=0.1,photons=50.0")
    assert config.kinds == ("clean", "context-removal")
    assert config.options["context-removal"]["fill"] == "blur"
    write_config(tmp_path / "a.toml", config)
    assert read_config(tmp_path / "a.toml") == config


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"samples": 0}, "the setting samples can't be used: should be greater than or equal to 1"),
        ({"sampels": 3}, "there is no setting sampels; the settings are: davis, split, kinds"),
        ({"model": {"chekpoint": "x"}}, "there is no setting model.chekpoint"),
        ({"kinds": ["clean", "melt"]}, "There is no kind 'melt': choose one of clean"),
        ({"kinds": ["clean", "clean"]}, "name every kind once"),
        ({"kinds": []}, "the setting kinds can't be used"),
        ({"lengths": [1, 2, 3]}, "lengths is 1,2,3 but needs a prefix of at least 2 frames"),
        ({"lengths": [4, 2]}, "the setting lengths"),
        ({"options": {"clean": {"fill": "blur"}}}, "clean has no option 'fill'"),
        ({"options": {"obscuration": {}}, "kinds": ["clean"]}, "options are given for obscuration, which is not among"),
        ({"features": {"epsilon": 0}}, "the setting features.epsilon can't be used"),
        ({"model": {"dtype": "int8"}}, "the setting model.dtype can't be used: should be 'auto', 'float32'"),
        ({"predictions": {"name": "A", "folder": "b"}}, "model and predictions are both given"),
        ({"then": ["fog"]}, "There is no corruption 'fog'"),
        ({"then": ["mosaic", "camera-shake"]}, "then names camera-shake, which may move the object out of the frame"),
        ({"davis": None}, "the setting davis can't be used"),
    ],
)
def test_a_configuration_that_makes_no_sense(settings, fields, said):
    with pytest.raises(InputError) as caught:
        make_config(**settings | fields)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_plan_holds_every_clip_once_and_kinds_take_turns():
    plan = make_plan(("clean", "obscuration"), 5, 2, 1)
    assert [batch.name for batch in plan.batches[:3]] == ["clean-0000", "clean-0001", "clean-0002"]
    clips = [clip for batch in plan.batches for clip in batch.clips]
    assert clips == [f"{kind}-0000{n}" for kind in ("clean", "obscuration") for n in range(5)]
    turns = plan.in_turn()
    assert [batch.kind for batch in turns] == ["clean", "obscuration"] * 3
    assert sorted(turns, key=plan.batches.index) == list(plan.batches)


@pytest.mark.parametrize(("samples", "most", "size"), [(65, 64, 33), (64, 64, 64), (10, 64, 10), (10, 4, 4), (3, 1, 1)])
def test_batches_are_even(samples, most, size):
    assert batch_worker.evenly(samples, most) == size
