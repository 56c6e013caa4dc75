"""Positions that another package registers, a vector and a map: from the tap to what is read and drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.scenarios import square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.clip_view import composite_positions
from napari_sam2_probe.export.tables import pointers_table
from napari_sam2_probe.figures.features import FeatureRun, make_features
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.positions import MAP, TABLE, VECTOR, Position, register_position
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.observer import Tap
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SCORE_TOKEN = Position(
    "3s", "score_token", "Object score token", VECTOR, tap=Tap("sam_mask_decoder.transformer", lambda out: out[0][:, 0])
)
MASK_MAP = Position(
    "5m", "mask_map", "Downsampled mask", MAP, "memory encoder", tap=Tap("memory_encoder.mask_downsampler", lambda o: o)
)


@pytest.fixture(scope="module")
def registered():
    for position in (SCORE_TOKEN, MASK_MAP):
        register_position(position)
    yield
    for position in (SCORE_TOKEN, MASK_MAP):
        TABLE.remove(position.key)


@pytest.fixture(scope="module")
def made(registered, loaded, folder, tmp_path_factory):
    """A run, and what came out of the two modules in time order, noted by hooks of the test's own."""
    tokens, masks = [], []
    hooks = [
        loaded.model.sam_mask_decoder.transformer.register_forward_hook(
            lambda _module, _inputs, output: tokens.append(output[0][:, 0].clone())
        ),
        loaded.model.memory_encoder.mask_downsampler.register_forward_hook(
            lambda _module, _inputs, output: masks.append(output.clone())
        ),
    ]
    prompt = Prompt.from_mask(0, 1, square_mask(0))
    out = tmp_path_factory.mktemp("run") / "run"
    run = record_run(FolderSource(folder), [prompt], out, loaded, RunOptions(end=4))
    for hook in hooks:
        hook.remove()
    return run, torch.cat(tokens).numpy(), torch.cat(masks).numpy()


@pytest.fixture
def run(made):
    return made[0]


def labels(figure):
    return [axes.get_ylabel().replace("\n", " ") for axes in figure.axes]


def test_the_run_holds_what_the_modules_put_out(made):
    run, tokens, masks = made
    assert len(tokens) == len(masks) == 5
    again = open_run(run.path)
    assert again.vector_keys == ("object_pointer", "object_pointer_raw", "score_token")
    assert again.map_keys[-1] == "mask_map"
    np.testing.assert_array_equal(again.vectors("score_token")[0, :5], tokens)
    assert np.isnan(again.vectors("score_token")[0, 5:]).all()
    np.testing.assert_allclose(again.maps("mask_map", "mean")[0, :5], masks.mean(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.maps("mask_map", "variance")[0, :5], masks.var(axis=1), rtol=1e-4, atol=1e-5)
    for key in ("score_token", "mask_map"):
        assert again.status(key)[0].tolist() == [4, 1, 1, 1, 1, 0]


def test_features_follow_the_definition(made):
    run, tokens, masks = made
    for number, seen in (("3s", tokens), ("5m", masks)):
        values = seen.reshape(5, -1).astype(np.float64)
        rows = run.features[run.features["position"] == number].set_index("frame")
        short = np.linalg.norm(np.diff(values, axis=0), axis=1)
        np.testing.assert_allclose(rows["short_term_l2"].loc[1:4], short, rtol=1e-4)
        before = values[:4]
        expected = np.linalg.norm((values[4] - before.mean(0)) / (before.var(0) + 1e-6))
        np.testing.assert_allclose(rows["long_term_l2"].loc[4], expected, rtol=2e-3)
        np.testing.assert_allclose(rows["short_term_ratio"].loc[2:4], short[1:] / short[:-1], rtol=1e-4)


def test_tables_figures_and_composites_have_them(run):
    assert composite_positions(run) == ["1", "2", "3", "5", "5m"]
    table = pointers_table(run)
    assert set(table["position"]) == {"4", "4r", "3s"}
    rows = table[table["position"] == "3s"].filter(like="channel_").to_numpy()
    np.testing.assert_array_equal(rows, run.vectors("score_token")[0, :5])
    shown = FeatureRun("a", "clean", run.features, run.object_present[0], run.prompted[0])
    drawn = labels(make_features([shown]))
    assert "3s: Object score token" in drawn
    assert "5m: Downsampled mask" in drawn


def test_a_batch_records_the_same(run, loaded, source, mask_prompt):
    recorder = BatchRecorder(6, run.object_present | ~run.tracked, FeatureOptions(), keep_maps=True)
    with BatchTracker(
        loaded.model, [source], [mask_prompt.mask], SessionOptions.for_model(loaded), recorder
    ) as tracker:
        for _ in tracker.track():
            pass
    vectors, maps = recorder.arrays()["vectors/score_token"], dict(recorder.take_maps())
    np.testing.assert_array_equal(vectors[0, :5], run.vectors("score_token")[0, :5])
    for t in range(5):
        np.testing.assert_array_equal(maps[t]["mask_map"][0, 0], run.maps("mask_map", "mean")[0, t])
    ours = dict(zip([p.number for p in recorder.positions], recorder.values()[0], strict=True))
    for number in ("3s", "5m"):
        theirs = run.features[run.features["position"] == number]["short_term_l2"].to_numpy()
        np.testing.assert_array_equal(ours[number][:5, 0], theirs[:5])


def test_a_run_made_with_them_opens_without_them(run, monkeypatch):
    for key in ("score_token", "mask_map"):
        monkeypatch.delitem(TABLE._positions, key)
    again = open_run(run.path)
    assert "mask_map" not in again.map_keys
    np.testing.assert_array_equal(again.vectors("score_token")[0, :5], run.vectors("score_token")[0, :5])
    shown = FeatureRun("a", "clean", again.features, again.object_present[0], again.prompted[0])
    assert "3s: Position 3s" in labels(make_features([shown]))


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        (Tap("sam_mask_decoder.transformer", lambda out: out[0]), r"axes \(batch, channel\), but its tap gives"),
        (Tap("sam_mask_decoder.nowhere", lambda out: out), "'sam_mask_decoder.nowhere', a module that this model"),
    ],
)
def test_a_tap_that_gives_something_else_says_so(tap, message, loaded, source, mask_prompt, tmp_path):
    register_position(replace(SCORE_TOKEN, number="9", key="wrong", array="", tap=tap))
    try:
        with pytest.raises(InputError, match=message):
            record_run(source, [mask_prompt], tmp_path / "run", loaded, RunOptions(end=1))
    finally:
        TABLE.remove("wrong")
    assert not loaded.model._forward_hooks
    assert not loaded.model.memory_encoder._forward_hooks
