"""An experiment, a run or an evaluation that comes from elsewhere writes nothing outside of its folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict

import numpy as np
import pytest

from helpers import layout_trees
from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.config import read_config
from napari_sam2_probe.experiments.execute import run_experiment
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.experiments.plan import Batch, make_plan, read_plan, write_plan
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.runs.writer import RunWriter

PLAN = make_plan(["clean", "obscuration"], 4, 2, 1)


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_plan_as_it_is_made_is_read(tmp_path):
    for plan in (PLAN, make_plan(["three-object"], 7, 3, 2), make_plan(["clean"], 1, 1, 1)):
        write_plan(tmp_path / "plan.json", plan)
        assert read_plan(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    "name", ["../../x", "/tmp/x", "..", "", "a\0", 3, None, ["clean-0000"], "clean-0001", "x" * 300]
)
@pytest.mark.parametrize("part", ["name", "kind", "clip"])
def test_names_in_a_plan_are_those_that_are_made(part, name, tmp_path):
    content = asdict(PLAN)
    if part == "clip":
        content["batches"][0]["clips"] = [name, "clean-00001"]
    else:
        content["batches"][0][part] = name
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="the plan of the experiment is damaged"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"batch_size": "2"},
        {"batch_size": 3},
        {"threads": True},
        {"threads": -1},
        {"batches": []},
        {"batches": {}},
        {"batches": asdict(PLAN)["batches"][:3]},
        {"batches": asdict(PLAN)["batches"][::-1]},
        {"batches": [*asdict(PLAN)["batches"], asdict(Batch("clean-0000", "clean", ("clean-00000",)))]},
    ],
)
def test_a_plan_that_was_edited_is_refused(change, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(asdict(PLAN) | change))
    with pytest.raises(InputError, match="the plan of the experiment is damaged"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"3", b"null"])
def test_a_plan_that_is_none(content, tmp_path):
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match="the plan of the experiment is damaged"):
        read_plan(tmp_path / "plan.json")


def test_an_experiment_with_such_a_plan_is_neither_opened_nor_gone_on_with(tmp_path):
    out = write_synthetic_experiment(tmp_path / "in" / "experiment", kinds=("clean",), skip_batches=("clean-0001",))
    plan = json.loads((out / "plan.json").read_text())
    plan["batches"][1]["name"] = "../../../harm"
    (out / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match="damaged"):
        open_experiment(out)
    assert main(["report", str(out), "--out", str(tmp_path / "report")]) == 2
    assert everything(tmp_path)[0] == "in"
    assert not list(tmp_path.rglob("harm*"))


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("part", ["parts", ".unfinished", "results.zarr", "results.zarr/clean", "clips", "clips/clean"])
def test_an_experiment_is_not_gone_on_with_through_a_link(part, tiny_experiment, settings, tmp_path):
    out, elsewhere = shutil.copytree(tiny_experiment, tmp_path / "out"), tmp_path / "elsewhere"
    for name in ("frames.parquet", "features.parquet"):
        (out / name).unlink()
    elsewhere.mkdir()
    (elsewhere / ".profile").write_text("mine")
    shutil.rmtree(out / part, ignore_errors=True)
    (out / part).symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link that leads out of"):
        run_experiment(read_config(ExperimentFolder(out).config), out)
    assert everything(elsewhere) == [".profile"]


def foreign_run(path, names):
    writer = RunWriter(path, (1,), (2, 8, 8), 4, {"video": {"name": "x", "path": None, "frame_names": names}})
    for frame_idx in range(2):
        one = np.ones(1, np.float32)
        masks = np.ones((8, 8), np.uint16), np.ones((1, 8, 8), bool)
        numbers = {"object_scores": one, "predicted_iou": one, "prompted": [True], "object_present": [True]}
        writer.write_frame(frame_idx, *masks, **numbers)
    writer.finish()
    return path


@pytest.mark.parametrize(
    "names", [["../../harm", "b"], ["{tmp}/harm", "b"], ["a\0", "b"], ["", "b"], ["a/b", "c"], ["a", "a"], ["a"], "ab"]
)
def test_masks_are_exported_into_their_folder_alone(names, tmp_path, capsys):
    given = [name.format(tmp=tmp_path) for name in names] if isinstance(names, list) else names
    run = foreign_run(tmp_path / "run", given)
    before = everything(tmp_path)
    for form in ("davis", "coco"):
        assert main(["export", str(run), "--what", "masks", "--format", form, "--out", str(tmp_path / "a/masks")]) == 2
        assert "damaged" in capsys.readouterr().err
    assert everything(tmp_path) == before
    sound = foreign_run(tmp_path / "sound", ["0 a", "b.c"])
    assert main(["export", str(sound), "--what", "masks", "--out", str(tmp_path / "masks")]) == 0
    assert everything(tmp_path / "masks") == ["0 a.png", "b.c.png"]


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("name", ["prompts/mask.png", "notes", "probe.zarr/masks/c/9"])
def test_a_run_is_not_copied_with_what_its_links_lead_to(name, tmp_path, capsys):
    run, secret = foreign_run(tmp_path / "run", ["a", "b"]), tmp_path / "secret"
    secret.mkdir()
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(secret)
    assert main(["export", str(run), "--what", "run", "--out", str(tmp_path / "copy")]) == 2
    assert "is a link that leads out of" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()


@pytest.mark.skipif(os.name != "posix", reason="devices")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_scores_do_not_replace_what_is_no_file(kind, tmp_path, capsys):
    root = layout_trees.davis(tmp_path / "davis", num_frames=4)
    out = tmp_path / "scores.csv"
    if kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to("/dev/full")
    masks = str(root / "Annotations" / "480p")
    assert main(["evaluate", "--gt", masks, "--pred", masks, "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "is a device or a pipe, which a file can't replace" in said.err
    assert not said.out, "told before the work"
    assert not out.is_file()
    assert os.path.lexists(out)


@pytest.mark.parametrize("name", ["..", ".", "a/b"])
def test_the_name_of_another_system_is_a_name(name, tmp_path, capsys):
    root = layout_trees.davis(tmp_path / "davis", num_frames=4)
    masks = f"{name}={root / 'Annotations' / '480p'}"
    words = ["--prompts", "none", "--interactive", "none", "--predictions", masks]
    assert main(["protocols", "--davis", str(root), "--out", str(tmp_path / "out"), *words]) == 2
    assert "--predictions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("part", ["results", "results/truth", "masks", "figures"])
def test_results_of_an_evaluation_are_not_written_through_a_link(part, tmp_path, capsys):
    root = layout_trees.davis(tmp_path / "davis", num_frames=4)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / part).parent.mkdir(parents=True, exist_ok=True)
    (out / "results").mkdir(exist_ok=True)
    if (out / part).is_dir():
        (out / part).rmdir()
    (out / part).symlink_to(elsewhere)
    words = ["--prompts", "none", "--interactive", "none", "--predictions", f"truth={root / 'Annotations' / '480p'}"]
    assert main(["protocols", "--davis", str(root), "--out", str(out), *words]) == 2
    assert "is a link that leads out of" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("line", ["../../secret", "/etc", "..", "."])
def test_a_split_lists_sequences_of_the_data_set_alone(line, tmp_path, capsys):
    root = layout_trees.davis(tmp_path / "davis", num_frames=4)
    (tmp_path / "secret").mkdir()
    (root / "ImageSets" / "2017").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "2017" / "odd.txt").write_text(f"{line}\n")
    command = ["transform", "clean", "--davis", str(root), "--split", "odd", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "The split odd lists" in capsys.readouterr().err
