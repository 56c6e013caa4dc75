"""``sam2-probe protocols``: table, figures and means; mistakes in one line."""

from __future__ import annotations

import csv

import pytest

from helpers import layout_trees

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SMALL = ("--checkpoint", "sample", "--device", "cpu")


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    return layout_trees.davis(tmp_path_factory.mktemp("data") / "davis", num_frames=4)


@pytest.mark.slow
def test_table_figures_and_means(command, davis, tmp_path):
    out = tmp_path / "out"
    given = ("--davis", davis, "--out", out, "--split", "val", "--prompts", "mask,1-click", "--clicks", 1)
    answer = command("protocols", *given, "--annotated-frames", 2, *SMALL)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["model", "protocol", "prompt", "annotated", "objects", "J", "F", "J&F"]
    assert [line.split()[:5] for line in lines[2:8]] == [
        ["sample", "semi-supervised", "mask", "1", "2"],
        ["sample", "semi-supervised", "1-click", "1", "2"],
        *(["sample", f"interactive-{mode}", "1-click", str(n), "2"] for mode in ("offline", "online") for n in (1, 2)),
    ]
    assert len({len(line) for line in lines[:8]}) == 1
    with (out / "protocols.csv").open() as file:
        rows = list(csv.DictReader(file))
    # One sequence of the split, two objects and their mean, six times.
    assert len(rows) == 18
    means = [row for row in rows if row["sequence"] == "global"]
    assert [f"{float(row['JF_mean']):.3f}" for row in means] == [line.split()[-1] for line in lines[2:8]]
    for name in ("interactive", "semi-supervised"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000
        assert (out / "figures" / f"{name}.pdf").is_file()
    before = (out / "protocols.csv").read_bytes()
    again = command("protocols", *given, "--annotated-frames", 2, *SMALL)
    assert again.out == answer.out
    assert (out / "protocols.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompts", "scribble"], "--prompts scribble is not known: choose from mask, box,"),
        (["--interactive", "sometimes"], "--interactive sometimes is not known: choose from offline, online"),
        (["--prompts", "none", "--interactive", "none"], "Nothing to evaluate"),
        (["--sequences", "zebra"], "has no sequence 'zebra'"),
        (["--sequences", ","], "--sequences names none"),
        (["--annotated-frames", "0"], "--annotated-frames 0 can't be used"),
        (["--clicks", "-1"], "--clicks -1 can't be used"),
        (["--iou", "nan"], "--iou nan can't be used"),
        (["--predictions", "x=/no/such/folder"], "there is no folder /no/such/folder"),
        (["--split", "train"], "has no split 'train'"),
        (["--checkpoint", "sam3"], "sam3"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(command, davis, tmp_path, words, said):
    out = tmp_path / "out"
    answer = command("protocols", "--davis", davis, "--out", out, *words)
    assert answer.code == 2
    assert said in answer.sentence
    assert not out.exists()


def test_the_model_and_another_system_need_two_names(command, davis, tmp_path):
    given = ("--predictions", f"sample={davis / 'Annotations' / '480p'}", "--prompts", "mask", *SMALL)
    answer = command("protocols", "--davis", davis, "--out", tmp_path / "out", *given)
    assert answer.code == 2
    assert "is the name of the model itself" in answer.sentence
    assert not (tmp_path / "out").exists()


def test_out_is_a_file(command, davis, tmp_path):
    (tmp_path / "out").write_text("")
    assert "is a file" in command("protocols", "--davis", davis, "--out", tmp_path / "out").sentence
