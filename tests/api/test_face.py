"""`import napari_sam2_probe as sp`: each name with a right and a wrong use, from a folder of one's own."""

from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

import napari_sam2_probe as sp
from helpers.run_checks import H, T, W
from helpers.scenarios import moving_video, square_mask

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")


@pytest.fixture(scope="module")
def model(seeded):
    return seeded()


@pytest.fixture(scope="module")
def video():
    masks = np.stack([square_mask(t) for t in range(T)])
    return sp.open_video(moving_video(T, H, W), name="moving", masks=masks)


@pytest.fixture(scope="module")
def run(video, model):
    return sp.track(video, model=model)


def sentence(error) -> str:
    """Return what an error says, which names no option of a command."""
    said = str(error.value)
    assert "--" not in said
    assert said.endswith(".") or said.endswith("?")
    return said


def test_importing_is_cheap_and_every_name_is_there():
    code = (
        "import sys, napari_sam2_probe as sp\n"
        "heavy = {'torch', 'numpy', 'pandas', 'xarray', 'zarr', 'matplotlib', 'napari'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "missing = [name for name in sp.__all__ if not hasattr(sp, name)]\n"
        "assert not missing, missing\n"
        "assert set(sp.__all__) <= set(dir(sp))\n"
        "import napari_sam2_probe.experiments.config, napari_sam2_probe.reports.make\n"
        "assert callable(sp.experiment) and callable(sp.report)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = sp.no_such_name


def test_prompts():
    clicks = sp.points([(3, 4), (5, 6)], [1, 0], frame=2, object_id=7)
    assert (clicks.frame_idx, clicks.obj_id, clicks.labels.tolist()) == (2, 7, [1, 0])
    assert sp.points((3, 4)).points.tolist() == [[3, 4]]
    assert sp.box((1, 2, 30, 40)).box.tolist() == [1, 2, 30, 40]
    labels = np.zeros((4, 5), np.uint8)
    labels[1, 1], labels[2, 2] = 1, 3
    assert sp.mask(labels, object_id=3).mask.sum() == 1
    assert sp.mask(np.where(labels, 255, 0).astype(np.uint8)).mask.sum() == 2
    assert [prompt.obj_id for prompt in sp.masks(labels)] == [1, 3]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sp.points("here"), "can't be read"),
        (lambda: sp.points([1, 2, 3]), "(x, y) pairs"),
        (lambda: sp.points([(1, 2), (3, 4)], [1, 0, 1]), "3 labels"),
        (lambda: sp.points((1, 2), 2), "1 for a point on the object"),
        (lambda: sp.points((1, np.nan)), "not finite"),
        (lambda: sp.points((1, 2), frame="3"), "whole number"),
        (lambda: sp.points((1, 2), object_id=True), "whole number"),
        (lambda: sp.box((1, 2, 3)), "four numbers"),
        (lambda: sp.mask(np.zeros((2, 3, 4), bool)), "(H, W)"),
        (lambda: sp.mask(np.zeros((4, 5))), "whole numbers"),
        (lambda: sp.mask("nowhere.png"), "nowhere.png"),
        (lambda: sp.mask(np.eye(4, dtype=np.uint8), object_id=2), "Object 2"),
    ],
)
def test_prompts_that_are_none(make, said):
    with pytest.raises(sp.InputError) as error:
        make()
    assert said in sentence(error)


def test_videos():
    cat = sp.sample_video("cat")
    assert isinstance(cat, sp.Video)
    assert cat.has_masks
    names = sp.open_dataset(sp.sample_video("cat").folder.parents[2])
    assert names["cat"].num_frames == cat.num_frames
    for wrong in (lambda: sp.sample_video("dog"), lambda: names["dog"], lambda: sp.open_video("nowhere")):
        with pytest.raises(sp.InputError) as error:
            wrong()
        sentence(error)


def test_models():
    for wrong, said in (
        (lambda: sp.load_model("sampel"), "sampel"),
        (lambda: sp.load_model("sample", post_processing=False), "Did you mean 'apply_postprocessing'?"),
        (lambda: sp.load_model("sample", non_overlap_masks=1), "True or False"),
        (lambda: sp.load_model("sample", device="gpu"), "gpu"),
        (lambda: sp.load_model("sample", dtype="float8"), "float8"),
    ):
        with pytest.raises(sp.InputError) as error:
            wrong()
        assert said in str(error.value)
    loaded = sp.load_model("sample", non_overlap_masks=True)
    assert isinstance(loaded, sp.Model)
    assert loaded.flags.non_overlap_masks
    assert repr(loaded) == "<Model sample on cpu, float32>"


def test_a_run_without_prompts_begins_with_the_true_masks(run, video):
    assert run.finished
    assert (run.objects, run.frames) == ([1], list(range(T)))
    # SAM 2 takes a mask at its own resolution, so corners may differ.
    assert (run.masks.sel(object=1, frame=0).values != video.object_mask(0, 1)).sum() < 10
    assert bool(run.prompted.sel(object=1, frame=0))


def test_arrays_are_lazy_and_labelled(run):
    maps = run.maps["memory_attention"]
    assert isinstance(maps, xr.DataArray)
    assert maps.dims == ("statistic", "object", "frame", "y", "x")
    assert not maps.variable._in_memory
    one = maps.sel(statistic="variance", object=1, frame=3)
    stored = run._opened.maps("memory_attention", "variance")[0, 3]
    np.testing.assert_array_equal(one, stored)
    np.testing.assert_array_equal(maps[:, 0, 5:1:-2, 3, [0, 2]], np.stack([
        run._opened.maps("memory_attention", statistic)[0][5:1:-2, 3][:, [0, 2]] for statistic in ("mean", "variance")
    ]))  # fmt: skip
    # The centre of the first of n parts of W pixels, where the centre of the first pixel is 0.
    n = one.sizes["x"]
    assert float(one["x"][0]) == W / n / 2 - 0.5
    assert float(one["y"][-1]) == pytest.approx(H - H / one.sizes["y"] / 2 - 0.5)
    xr.testing.assert_identical(maps, run.maps["2"])
    assert run.masks.dims == ("object", "frame", "y", "x")
    assert run.labels.dtype == np.uint16
    assert (run.scores.dims, run.pointers.dims) == (("object", "frame"), ("object", "frame", "channel"))
    assert "2" in run.maps
    assert "memory_attention" in run.maps
    assert "4" not in run.maps
    assert list(run.vectors) == ["object_pointer", "object_pointer_raw"]
    assert set(run.features.columns) >= {"object_id", "position", "frame", "short_term_l2"}


def test_xarray_reads_a_run_without_us(run):
    with xr.open_zarr(run.path / "probe.zarr", consolidated=False, chunks=None) as stored:
        assert stored["masks"].dims == ("frame", "y", "x")
        assert stored["object_pointers"].dims == ("object", "frame", "channel")
        np.testing.assert_array_equal(stored["object_scores"], run.scores)
    with xr.open_zarr(run.path / "probe.zarr", group="maps/memory_attention", consolidated=False, chunks=None) as maps:
        assert maps["mean"].dims == ("object", "frame", "y", "x")
        np.testing.assert_array_equal(maps["mean"], run.maps["2"].sel(statistic="mean"))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda run: run.maps["memory_atention"], "Did you mean 'memory_attention'?"),
        (lambda run: run.maps[4], "There is no map 4"),
        (lambda run: run.vectors["2"], "There is no vector '2'"),
        (lambda run: run.plot.features(object_id=5), "There is no object 5: choose 1."),
        (lambda run: run.plot.composite(77), "Frame 77 was not tracked"),
        (lambda run: run.bank(77), "77"),
        (lambda run: run.boxes("nowhere.safetensors"), "nowhere.safetensors"),
        (lambda run: run.boxes(3), "no decoder"),
        (lambda run: run.explain(0), "0"),
        (lambda run: setattr(run, "video", moving_video(T + 1, H, W)), "give the video it was made on"),
        (lambda run: sp.open_run(run.path / "nowhere"), "not a probe run"),
    ],
)
def test_mistakes_with_a_run(run, use, said):
    with pytest.raises(sp.InputError) as error:
        use(run)
    assert said in sentence(error)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("cat",), {}, "is a str"),
        (((120, 110),), {}, "write points((120, 110)) for a click there"),
        (([3, 4, 1],), {}, "3 is an int, not a prompt"),
        ((), {"model": 3}, "no model"),
        ((), {"directon": "both"}, "Did you mean 'direction'?"),
        ((), {"direction": "sideways"}, "sideways"),
        ((), {"policy": "none-such"}, "none-such"),
        ((), {"progress": "yes"}, "progress='yes'"),
        ((sp.points((5, 5), frame=99),), {}, "Frame 99"),
        ((sp.points((5000, 5)),), {}, "outside the image"),
        ((), {"intervene": {"edit": "dropp"}}, "dropp"),
    ],
)
def test_mistakes_in_tracking_write_nothing(video, model, tmp_path, arguments, settings, said):
    with pytest.raises(sp.InputError) as error:
        sp.track(video, *arguments, **{"model": model, "out": tmp_path / "run"} | settings)
    assert said in sentence(error)
    assert not list(tmp_path.iterdir())


def test_a_video_without_masks_needs_a_prompt(model):
    with pytest.raises(sp.InputError, match="give points"):
        sp.track(moving_video(T, H, W), model=model)


def test_a_run_in_a_folder_is_replaced_only_when_asked(video, model, run, tmp_path):
    kept = sp.track(video, model=model, out=tmp_path / "run", end=1)
    with pytest.raises(sp.InputError, match="exists"):
        sp.track(video, model=model, out=tmp_path / "run")
    again = sp.track(video, model=model, out=tmp_path / "run", end=2, overwrite=True)
    assert (again.frames, again.path) == ([0, 1, 2], kept.path)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(sp.InputError, match="not a run"):
        sp.track(video, model=model, out=tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_a_temporary_run_goes_with_its_object_and_stays_when_saved(video, model, tmp_path):
    short = sp.track(video, model=model, end=1)
    before = short.path
    assert short.name == "moving"
    short.save(tmp_path / "kept")
    gc.collect()
    assert not before.exists()
    assert short.path == tmp_path / "kept"
    assert sp.open_run(tmp_path / "kept").frames == [0, 1]
    with pytest.raises(sp.InputError, match="exists"):
        short.save(tmp_path / "kept")


def test_a_run_is_saved_over_an_earlier_one_only_when_asked(video, model, run, tmp_path):
    sp.track(video, model=model, end=1).save(tmp_path / "kept")
    longer = sp.track(video, model=model, end=2)
    assert longer.save(tmp_path / "kept", overwrite=True).frames == [0, 1, 2]
    assert sp.open_run(tmp_path / "kept").frames == [0, 1, 2]
    # Onto itself, and where there is none yet.
    assert longer.save(tmp_path / "kept", overwrite=True).frames == [0, 1, 2]
    assert longer.save(tmp_path / "new", overwrite=True).path == tmp_path / "new"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(sp.InputError, match="not a run"):
        longer.save(tmp_path / "mine", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "mine", "new"]
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_figures_and_pictures(run):
    for figure in (
        run.plot.features(),
        run.plot.features(log=True),
        run.plot.scores(),
        run.plot.pointers(raw=True),
        run.plot.composite(),
        run.plot.filmstrip(3),
    ):
        assert isinstance(figure, Figure)
    assert len(repr(run)) < 200
    html = run._repr_html_()
    assert "data:image/png;base64," in html
    assert "means nothing" in html


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (sp.points([(3, 4), (5.5, 6)], [1, 0], frame=2), "<Prompt for object 1 on frame 2: +(3, 4), -(5.5, 6)>"),
        (sp.box((1, 2, 30, 40), object_id=7), "<Prompt for object 7 on frame 0: box (1, 2, 30, 40)>"),
        (sp.mask(np.eye(4, dtype=bool)), "<Prompt for object 1 on frame 0: mask of 4 pixels>"),
    ],
)
def test_prompts_are_shown_in_one_line(made, shown):
    assert repr(made) == shown


def test_boxes_are_those_of_the_masks(run):
    boxes = run.boxes()
    assert isinstance(boxes, pd.DataFrame)
    (row,) = boxes[(boxes["frame"] == 0) & (boxes["kind"] == "mask")].itertuples()
    ys, xs = np.nonzero(run.masks.sel(object=1, frame=0).values)
    assert (row.xmin, row.ymin, row.xmax, row.ymax) == (xs.min(), ys.min(), xs.max(), ys.max())


def test_a_session_is_recorded_and_repeated(video, model, tmp_path):
    with sp.session(video, model=model, out=tmp_path / "run") as session:
        session.prompt(sp.mask(square_mask(0)))
        step = None
        for step in session.propagate():
            if step.frame == 3:
                assert step.tensors["memory_attention"].ndim == 3
                break
        assert step.masks[1].shape == (H, W)
        session.prompt([sp.points((60, 50), frame=3), sp.points((5, 5), 0, frame=3)])
        session.undo()
        for _ in session.propagate():
            pass
        assert isinstance(session.run, sp.Run)
    made = sp.open_run(tmp_path / "run", video=video)
    assert made.finished
    again = sp.repeat(made, model=model)
    xr.testing.assert_equal(again.masks, made.masks)
    xr.testing.assert_equal(again.pointers, made.pointers)
    pd.testing.assert_frame_equal(again.features, made.features)


def test_a_clip_and_its_twin_are_compared(model):
    clip, twin = sp.make_clip(sp.sample_video("coins"), "obscuration", lengths=(3, 2, 3), seed=1)
    assert clip.truth is not None
    one, other = (sp.track(each, model=model) for each in (clip, twin))
    comparison = sp.compare(one, other)
    table = comparison.distances
    rows = table[(table["position"] == "4") & (table["frame"] == 4)]
    expected = np.linalg.norm(
        one.pointers.sel(object=1, frame=4).values.astype(float) - other.pointers.sel(object=1, frame=4).values
    )
    assert rows["distance"].item() == pytest.approx(expected)
    assert rows["obscured_fraction"].item() == pytest.approx(clip.truth.obscured_fraction[4])
    # On the first frame both are prompted with the same mask unless it is covered already.
    assert set(table["position"]) >= {"1", "2", "3", "4", "4r", "5"}
    assert comparison.iou.between(0, 1).all()
    assert isinstance(comparison.plot(), Figure)
    assert np.isfinite(comparison.correlation.pearson.coefficient)


def test_clips_that_cannot_be_made_or_compared(run, video):
    for wrong in (
        lambda: sp.make_clip(video, "obscurasion"),
        lambda: sp.make_clip(moving_video(T, H, W), "interjection"),
        lambda: sp.make_clip(sp.sample_video("coins"), "clean", object_id=9),
        lambda: sp.compare(run, "nowhere"),
        lambda: sp.compare(run, run).correlation,
    ):
        with pytest.raises(sp.InputError) as error:
            wrong()
        sentence(error)


def test_jobs_refuse_what_they_do_not_know(tmp_path):
    for wrong, said in (
        (lambda: sp.evaluate(tmp_path / "a", tmp_path / "b"), "a"),
        (lambda: sp.experiment(tmp_path, tmp_path / "e", sampels=3), "Did you mean"),
        (lambda: sp.experiment(tmp_path, tmp_path / "e", kinds="no-such"), "no-such"),
        (lambda: sp.experiment(tmp_path, tmp_path / "e", model=sp.load_model), "name or"),
        (lambda: sp.report([]), "no experiment"),
        (lambda: sp.report(tmp_path), str(tmp_path)),
        (lambda: sp.report(tmp_path, dpis=3), "Did you mean 'dpi'?"),
        (lambda: sp.fit_decoder(tmp_path), str(tmp_path)),
        (lambda: sp.fit_decoder(tmp_path, sead=1), "Did you mean 'seed'?"),
        (lambda: sp.fit_warning(tmp_path), str(tmp_path)),
        (lambda: sp.fit_warning(tmp_path, horizon=1), "Did you mean 'horizons'?"),
        (lambda: sp.fit_warning([tmp_path, 3]), "give their paths"),
    ):
        with pytest.raises(sp.InputError) as error:
            wrong()
        assert said in str(error.value)


def test_an_array_keeps_its_temporary_run(video, model):
    def masks():
        return sp.track(video, model=model, end=1).masks

    lazy = masks()
    gc.collect()
    assert lazy.sel(object=1, frame=0).values.any()
    maps = sp.track(video, model=model, end=1).maps["2"]
    gc.collect()
    assert np.isfinite(maps.sel(object=1, frame=1).values).all()


def test_points_for_one_object_add_up(video, model, tmp_path):
    first, second = sp.points((60, 50)), sp.points([(5, 5), (8, 8)], 0)
    run = sp.track(video, [first, second, sp.box((20, 20, 90, 80))], model=model, end=1)
    (prompt,) = run.info["prompts"]
    assert prompt["points"] == [[60, 50], [5, 5], [8, 8]]
    assert prompt["labels"] == [1, 0, 0]
    assert prompt["box"] == [20, 20, 90, 80]
    with sp.session(video, model=model, out=tmp_path / "run") as session:
        session.prompt(first)
        session.prompt(second)
        assert session.prompts(1)[0].points.tolist() == [[60, 50], [5, 5], [8, 8]]
        session.undo()
        assert session.prompts(1)[0].points.tolist() == [[60, 50]]
        session.prompt(sp.mask(square_mask(0)))
        assert session.prompts(1)[0].mask is not None


def test_unrelated_runs_are_not_compared(run, model):
    other = sp.track(moving_video(T, H, W)[:, :, ::-1].copy(), sp.points((60, 50)), model=model, end=2)
    with pytest.raises(sp.InputError, match="not of one source"):
        sp.compare(run, other)
    with pytest.raises(sp.InputError, match="Nobody knows"):
        _ = sp.compare(run, run).correlation


def test_a_run_of_an_array_is_explained_with_its_video(run, video, model):
    table = run.explain(3, model=model)
    assert {"memory", "pointer", "both"} >= set(table["kind"])
    without = sp.open_run(run.path)
    with pytest.raises(sp.InputError, match="give the same array"):
        without.explain(3, model=model)
    without.video = video
    pd.testing.assert_frame_equal(without.explain(3, model=model), table)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run, video: sp.track(video, out=5),
        lambda run, video: sp.track(video, start="a"),
        lambda run, video: sp.track(video, end=1.5),
        lambda run, video: sp.track(video, policy=5),
        lambda run, video: sp.track(video, intervene="drop"),
        lambda run, video: sp.track(video, intervene=["drop"]),
        lambda run, video: sp.session(video, out=5),
        lambda run, video: sp.load_model("sample", device=0),
        lambda run, video: sp.load_model("sample", device=None),
        lambda run, video: sp.open_dataset(video),
        lambda run, video: sp.open_run(run),
        lambda run, video: sp.repeat(None),
        lambda run, video: sp.compare(run, None),
        lambda run, video: sp.evaluate(video, run),
        lambda run, video: sp.report(None),
        lambda run, video: sp.report([5]),
        lambda run, video: sp.experiment(5, "out"),
        lambda run, video: sp.fit_decoder(None),
        lambda run, video: sp.fit_warning(run),
        lambda run, video: sp.register_position(5),
        lambda run, video: sp.register_policy(5, len),
        lambda run, video: sp.register_policy("five", 5),
        lambda run, video: video.read("0"),
        lambda run, video: video.mask(1.5),
        lambda run, video: run.patches(5),
        lambda run, video: run.save(None),
        lambda run, video: run.loss(5),
        lambda run, video: run.next_doubtful("a"),
        lambda run, video: run.next_doubtful(threshold="a"),
        lambda run, video: run.plot.filmstrip(0),
        lambda run, video: run.plot.filmstrip("a"),
        lambda run, video: run.plot.composite(1.5),
        lambda run, video: sp.points(620, 430),
        lambda run, video: run.explain("5"),
        lambda run, video: run.explain(2.0),
        lambda run, video: run.bank("5"),
        lambda run, video: sp.track(video, attention="full"),
        lambda run, video: sp.track(video, unblanked="yes"),
        lambda run, video: sp.track(video, epsilon="a"),
    ],
)
def test_values_of_other_types_are_one_sentence(run, video, wrong):
    with pytest.raises(sp.InputError) as error:
        wrong(run, video)
    sentence(error)


def test_j_is_measured_by_the_true_masks_of_a_video_in_memory(run, video, model):
    twin = sp.track(moving_video(T, H, W, seed=1), sp.mask(square_mask(0)), model=model)
    patches = run.patches(twin, model=model)
    j = patches[patches["measure"] == "J"].set_index(["position", "measured_frame"])
    for frame in range(1, T):
        mask, truth = run.masks.sel(object=1, frame=frame).values, video.object_mask(frame, 1)
        expected = (mask & truth).sum() / (mask | truth).sum()
        assert j.loc[("2", frame), "clip_value"] == pytest.approx(expected, abs=1e-12)
    assert j["twin_value"].isna().all(), "nobody knows the twin's true masks"

    blame = run.explain(4, model=model)
    assert blame["delta_j"].notna().all()
    assert (blame["delta_j"] != 0).any()
    # An object that the true masks don't hold has no J, rather than one against an empty mask.
    other = sp.track(video, sp.points((40, 30), object_id=9), model=model, end=2)
    assert other.explain(2, model=model)["delta_j"].isna().all()
