"""What version 0.1 wrote before its flags, folders and schemas had today's names is still read and gone on with."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import napari_sam2_probe as sp
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.config import read_config
from napari_sam2_probe.experiments.execute import run_experiment
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.models.config import ModelFlags
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.recorded import load_recorded_model, recorded_options

ARCHIVE = Path(__file__).parents[1] / "data" / "earlier.zip"


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """A folder with an experiment, a data set of clips, a run, and the data set that they are made from."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for path in (*tmp_path.rglob("*.toml"), *tmp_path.rglob("*.json")):
        path.write_text(path.read_text().replace("/data/", f"{tmp_path}/"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_experiment_is_opened_and_has_nothing_left_to_do(earlier):
    results = open_experiment(earlier / "exp")
    assert results.kinds == ("clean", "interjection")
    assert results.config.model.flags == ModelFlags(non_overlap_masks=True)
    assert len(results.frames) == 2 * 8
    assert set(results.features["position"]) == {"1", "2", "3", "4", "4r", "5", "5r"}
    before = contents(earlier / "exp")
    assert {"frames.parquet", "features.parquet"} <= before.keys()
    again = run_experiment(read_config(earlier / "exp" / "experiment.toml"), earlier / "exp")
    after = contents(earlier / "exp")
    # Of what was computed nothing is computed again; only how often somebody asked is noted.
    assert {name for name in before if before[name] != after.get(name)} <= {"provenance.json"}
    assert again.config == results.config


def test_a_data_set_of_clips_is_opened_and_not_mixed_with_clips_that_are_drawn_otherwise(earlier, capsys):
    before = contents(earlier / "clips")
    made = ["transform", "obscuration", "--davis", "small", "--out", "clips", "--samples", "1", "--lengths", "2,2,2"]
    assert main(made) == 2
    assert "choose a new folder" in capsys.readouterr().err
    assert contents(earlier / "clips") == before
    [video] = sp.open_dataset(earlier / "clips").values()
    assert video.num_frames == 6
    assert video.truth.recipe["kind"] == "obscuration"


def test_a_run_is_opened_and_says_what_it_did_not_record(earlier):
    run = open_run(earlier / "run")
    assert run.finished
    assert run.tracked[0].tolist() == [True] * 4 + [False] * 2
    assert load_recorded_model(run).flags == ModelFlags(apply_postprocessing=False)
    options = recorded_options(run.info["parameters"])
    assert (options.direction, options.end, options.policy) == ("forward", 3, "stock")
    with pytest.raises(InputError, match="bank"):
        run.bank(2)
