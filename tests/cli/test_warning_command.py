"""``sam2-probe warning`` from an experiment to the doubtful frames of a run, and the same from Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import napari_sam2_probe as sp
from helpers.scenarios import moving_video, square_mask
from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.analysis.loss_warning_file import load_warning, save_warning
from napari_sam2_probe.cli import main
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE
from napari_sam2_probe.runs.loss import find_warning

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "experiment"
    return write_synthetic_experiment(out, kinds=("clean",), samples=8, with_embeddings=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return sp.track(moving_video(8), sp.mask(square_mask(0)), model="sample", out=out)


@pytest.fixture(scope="module")
def fitted(experiment, run, tmp_path_factory):
    """The file of a warning that belongs to the run's model."""
    path = tmp_path_factory.mktemp("warnings") / "w.json"
    warning = sp.fit_warning(experiment, num_resamples=50, horizons=(1, 5))
    save_warning(replace(warning, sha256=run.info["model"]["sha256"]), path)
    return path


def test_fit_show_and_install(experiment, own_folder, tmp_path, capsys):
    out = tmp_path / "w.json"
    assert main(["warning", "fit", str(experiment), "--out", str(out), "--install"]) == 0
    said = capsys.readouterr().out
    assert "Within the next 5 frames: AUROC" in said
    assert str(find_warning("0" * 64)) == str(load_warning(out))
    assert (own_folder / f"{'0' * 64}.warning.json").is_file()
    assert main(["warning", "show", str(out)]) == 0
    assert capsys.readouterr().out.strip() in said
    assert main(["warning", "fit", str(experiment), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_doubtful_frames_of_a_run(run, fitted, tmp_path, capsys):
    table = tmp_path / "loss.csv"
    words = ["warning", "apply", str(run.path), "--warning", str(fitted), "--ahead", "1", "--out", str(table)]
    assert main([*words, "--threshold", "0.4"]) == 0
    written = pd.read_csv(table)
    next_frame = written[written["horizon"] == 1].set_index("frame")["probability"]
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("object 1: doubtful frames (loss within 1): ")
    named = said.rpartition(": ")[2]
    stretches = [] if named == "none" else [tuple(map(int, part.split("-"))) for part in named.split(", ")]
    doubtful = {t for first, *last in stretches for t in range(first, (last or [first])[0] + 1)}
    assert doubtful == set(next_frame.index[next_frame >= 0.4])
    assert doubtful
    assert list(written.columns) == ["object_id", "frame", "horizon", "probability"]
    assert sorted(written["frame"].unique()) == list(range(1, 8))
    pd.testing.assert_frame_equal(run.loss(fitted), written)
    likely = written[written["horizon"] == 5].set_index("frame")["probability"]
    frame = int(likely.idxmax())
    threshold = float(likely.max())
    assert run.next_doubtful(threshold=threshold, warning=fitted) == frame
    assert run.next_doubtful(7, warning=fitted) is None
    figure = run.plot.loss(warning=fitted)
    assert [line.get_label() for line in figure.axes[0].lines[1:3]] == [
        "lost within next frame",
        "lost within next 5 frames",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "RUN"], "not an experiment"),
        (["fit", "EXPERIMENT", "--out", "w.txt"], "give the name of a .json file"),
        (["fit", "EXPERIMENT", "--seed", "-1"], "whole number"),
        (["show", "nowhere.json"], "can't be read"),
        (["apply", "EXPERIMENT"], "not a probe run"),
        (["apply", "RUN", "--ahead", "3"], "choose one of these"),
        (["apply", "RUN", "--threshold", "2"], "between 0 and 1"),
        (["apply", "RUN", "--warning", "FOREIGN"], "fitted to runs of synthetic"),
    ],
)
def test_mistakes_are_one_sentence(words, said, run, experiment, fitted, own_folder, tmp_path, capsys):
    save_warning(replace(load_warning(fitted), sha256="0" * 64), tmp_path / "foreign.json")
    places = {"RUN": run.path, "EXPERIMENT": experiment, "FOREIGN": tmp_path / "foreign.json"}
    assert main(["warning", *(str(places.get(word, word)) for word in words)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_run_of_an_unknown_model_has_no_warning(run, own_folder, tmp_path):
    other = sp.open_run(run.path)
    other.info["model"]["sha256"] = "1" * 64
    with pytest.raises(sp.InputError, match="no warning of loss for the checkpoint"):
        other.loss()


def test_disagreement_is_in_the_face(run):
    values = run.candidate_disagreement
    assert values.dims == ("object", "frame")
    assert np.isnan(values.sel(frame=0)).all()
    assert values.sel(frame=range(1, 8)).notnull().all()
