"""The command line of experiments: whatever is wrong is one clear sentence, and nothing is made."""

from __future__ import annotations

import pytest

from helpers.small_experiments import words
from napari_sam2_probe.cli import main
from napari_sam2_probe.cli.experiment import _config
from napari_sam2_probe.experiments.config import read_config


@pytest.fixture
def refused(tmp_path, capsys):
    """Run the command in vain and return its sentence, having made sure that nothing was written."""

    def run(*arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        try:
            code = main(["experiment", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert (code, captured.out) == (2, "")
        assert sorted(tmp_path.rglob("*")) == before
        [line] = captured.err.splitlines()
        assert line.startswith("sam2-probe")
        return line

    return run


MODEL = ("--checkpoint", "sample", "--device", "cpu")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--samples", "0"],
            "The experiment: the setting samples can't be used: should be greater than or equal to 1.",
        ),
        (["--seed", "-1"], "the setting seed can't be used"),
        (["--kinds", "melt"], "There is no kind 'melt': choose one of clean, interjection"),
        (["--lengths", "1,4,12"], "needs a prefix of at least 2 frames"),
        (["--lengths", "12,4"], "'12,4' is not three numbers of frames such as 12,4,12"),
        (["--lengths", "30,30,30"], "No sequence of the data set shows an object in 90 frames in a row"),
        (["--split", "test"], "has no split 'test'"),
        (["--option", "fill"], "--option: 'fill' is not an option, write it as name=value."),
        (["--option", "filling=blur"], "--option filling: no chosen kind has it; there is fill (context-removal)"),
        (["--option", "fill=pink"], "option fill is 'pink' but must be one of black, mean"),
        (["--kinds", "clean", "--option", "fill=blur"], "--option fill: no chosen kind has it; there is none."),
        (["--then", "fog"], "There is no corruption 'fog': choose one of camera-shake"),
        (["--then", "gaussian-noise:sigma=-1"], "option sigma is '-1' but must be a number between 0 and 255"),
        (["--then", "frame-drop"], "then names frame-drop, which gives clips of several lengths: leave it out"),
        (["--epsilon", "0"], "the setting features.epsilon can't be used"),
        (["--batch-size", "0"], "the setting batch_size can't be used"),
        (["--workers", "0"], "--workers 0 can't be used: give at least 1."),
        (["--workers", "2", "--scheduler", "tcp://a:1"], "not allowed with argument"),
        (["--dtype", "int8"], "the setting model.dtype can't be used"),
        (["--checkpoint", "sam3"], "sam3: neither a file nor a checkpoint's name"),
        (["--device", "abacus"], "There is no device 'abacus'"),
        (["--predictions", "XMem"], "--predictions XMem: write it as NAME=DIR."),
        (["--predictions", "XMem=nowhere"], "model and predictions are both given"),
        (["--settings", "nowhere.toml"], "There is no file of settings nowhere.toml"),
    ],
)
def test_bad_input(refused, small_root, tmp_path, arguments, said):
    out = ("--davis", small_root, "--out", tmp_path / "out")
    assert said in refused(*out, *MODEL, *arguments)


def test_bad_places(refused, small_root, tiny_experiment, settings, tmp_path):
    davis = ("--davis", small_root, *MODEL)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "bad.toml").write_text("samples = 3\nsampels = 4\n")
    assert "is a file: choose a folder" in refused(*davis, "--out", tmp_path / "file")
    assert "because" in (said := refused(*davis, "--out", tmp_path / "file" / "in")), said
    assert "is not empty and holds no experiment" in refused(*davis, "--out", tmp_path / "mine")
    assert "holds no experiment to go on with: begin one with --davis" in refused("--out", tmp_path / "new")
    assert "--davis is missing" in refused("--out", tmp_path / "new", "--samples", 3)
    assert "There is no folder" in refused("--out", tmp_path / "new", "--davis", tmp_path / "none", *MODEL)
    settings_file = ("--settings", tmp_path / "bad.toml")
    assert "there is no setting sampels" in refused(*davis, "--out", tmp_path / "new", *settings_file)
    given = [word if word != "2" else "3" for word in words(settings, tiny_experiment)[1:]]
    assert "holds an experiment with another samples (2 before, 3 now)" in refused(*given)
    predictions = ("--predictions", f"XMem={tmp_path / 'none'}")
    assert "give the folder of predicted masks" in refused(
        "--davis", small_root, "--out", tmp_path / "new", *predictions
    )


def test_options_and_settings_make_one_configuration(tmp_path):
    from napari_sam2_probe.cli.app import build_parser

    (tmp_path / "settings.toml").write_text(
        'davis = "there"\nsamples = 7\nkinds = ["clean", "context-removal"]\n[model]\ncheckpoint = "sample"\n'
        '[features]\nepsilon = 1e-3\n[options.context-removal]\nfill = "mean"\n'
    )

    def config(*arguments: str):
        return _config(build_parser().parse_args(["experiment", "--out", str(tmp_path / "new"), *arguments]))

    file = ("--settings", str(tmp_path / "settings.toml"))
    plain = config(*file)
    assert (plain.davis, plain.samples, plain.seed) == ("there", 7, 0)
    assert plain == read_config(tmp_path / "settings.toml")
    mixed = config(
        *file,
        "--samples",
        "9",
        "--then",
        "mosaic",
        "--then",
        "gaussian-noise",
        "--option",
        "fill=blur",
        "--denominator",
        "standard-deviation",
        "--non-overlap-masks",
    )
    assert (mixed.samples, mixed.options["context-removal"]["fill"]) == (9, "blur")
    assert mixed.then == ("mosaic", "gaussian-noise:sigma=15.0")
    assert (mixed.features.denominator, mixed.features.epsilon) == ("standard deviation", 1e-3)
    assert (mixed.model.checkpoint, mixed.model.flags.non_overlap_masks) == ("sample", True)
    other = config("--davis", "there", "--predictions", "X=there", "--kinds", "clean", "--kinds", "obscuration")
    assert other.predictions.name == "X"
    assert other.kinds == ("clean", "obscuration")


def test_the_command_without_settings_goes_on_with_what_is_stored(tiny_experiment, capsys):
    assert main(["experiment", "--out", str(tiny_experiment)]) == 0
    assert capsys.readouterr().out.startswith("4 clip(s) of 2 kind(s) with sample are in ")
