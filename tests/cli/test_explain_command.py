"""``sam2-probe run --intervene --policy`` and ``sam2-probe explain``."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from napari_sam2_probe.runs import open_run

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SMALL = ("--checkpoint", "sample", "--device", "cpu")


def test_an_intervention_a_policy_and_an_explanation(command, video, mask, tmp_path):
    edits = [{"edit": "drop", "target": "pointer", "entries": {"role": "recent"}, "at": [3, 3]}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    words = ("run", video, "--out", tmp_path / "run", "--mask", mask, "--end", 4, *SMALL)
    made = command(*words, "--intervene", tmp_path / "edits.json", "--policy", "stride:r=2", "--attention", "exact")
    assert made.code == 0
    run = open_run(tmp_path / "run")
    parameters = run.info["parameters"]
    assert parameters["intervene"] == edits
    assert (parameters["policy"], parameters["attention"]) == ("stride:r=2", "exact")
    assert run.bank(4).query("kind == 'memory'")["frame"].tolist() == [0, 2, 3]
    assert run.bank(3).query("kind == 'pointer'")["frame"].tolist() == [0]

    said = command("explain", tmp_path / "run", "--frame", 4)
    assert (said.code, said.err) == (0, "")
    table = pd.read_csv(tmp_path / "run" / "blame.csv")
    assert len(table) == len(run.bank(4)) + 5
    assert "Frame 4, object 1:" in said.out
    assert (tmp_path / "run" / "blame-00004.png").is_file()
    assert len([line for line in said.out.splitlines() if line.startswith(("memory", "pointer", "both"))]) == len(table)

    several = command("explain", tmp_path / "run", "--frames", "0:2", "--object", 1, "--out", tmp_path / "out")
    assert several.code == 0
    assert sorted(pd.read_csv(tmp_path / "out" / "blame.csv")["frame"].unique()) == [1, 2]

    for wrong, complaint in (
        (("--frame", 0), "Frame 0 read no memory"),
        (("--frame", 99), "Frame 99 is not in the run"),
        (("--frames", "3:1"), "--frames 3:1 can't be used"),
        (("--frames", "0:0"), "None of frames 0 to 0"),
        (("--frame", 3, "--object", 2), "There is no object 2"),
    ):
        refused = command("explain", tmp_path / "run", *wrong)
        assert refused.code == 2
        assert complaint in refused.err


def test_a_twins_tensors_are_put_in(command, video, mask, tmp_path):
    for name, end in (("run", 3), ("twin", 3)):
        made = command("run", video, "--out", tmp_path / name, "--mask", mask, "--end", end, *SMALL)
        assert made.code == 0
    said = command("explain", tmp_path / "run", "--twin", tmp_path / "twin", "--out", tmp_path / "out")
    assert (said.code, said.err) == (0, "")
    table = pd.read_csv(tmp_path / "out" / "patches.csv")
    # A twin that is the run itself differs nowhere, so there is nothing to bring back, and that is said.
    assert set(table["position"]) == {1, 2, 3, 4, 5}
    assert table["recovered"].isna().all()
    assert (tmp_path / "out" / "patches.png").is_file()
    lines = [line.split() for line in said.out.splitlines() if line[:2] in ("1:", "2:", "3:", "4:", "5:")]
    assert len(lines) == 15
    assert {line[-1] for line in lines} == {"0"}
    # The video of the run is taken from where it lies now, with a twin too.
    refused = command("explain", tmp_path / "run", "--twin", tmp_path / "twin", "--video", tmp_path / "moved")
    assert refused.code == 2
    assert "moved" in refused.err
    refused = command("explain", tmp_path / "run", "--twin", tmp_path / "nosuch")
    assert refused.code == 2
    assert "nosuch" in refused.err


def test_refused_before_anything_is_written(command, video, mask, tmp_path):
    (tmp_path / "edits.json").write_text('[{"edit": "drop", "target": "memory", "when": 3}]')
    words = ("run", video, "--out", tmp_path / "run", "--mask", mask, *SMALL)
    for wrong, complaint in (
        (("--intervene", tmp_path / "edits.json"), "edits.json: edit 1: 'when' is no key that is known."),
        (("--intervene", tmp_path / "nosuch.json"), "can't be read as JSON"),
        (("--policy", "nosuch"), "There is no memory policy 'nosuch'"),
    ):
        refused = command(*words, *wrong)
        assert refused.code == 2
        assert complaint in refused.err
        assert not (tmp_path / "run").exists()
