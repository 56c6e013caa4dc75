"""``sam2-probe policies``: table and page; mistakes in one line."""

from __future__ import annotations

import csv

import pytest

from helpers import layout_trees

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    return layout_trees.davis(tmp_path_factory.mktemp("data") / "davis", num_frames=4)


@pytest.mark.slow
def test_table_and_page(command, davis, tmp_path):
    out = tmp_path / "out"
    given = ("--davis", davis, "--out", out, "--split", "val", "--no-interjections", "--policy", "oracle:pool=1")
    answer = command("policies", *given, "--checkpoint", "sample", "--device", "cpu")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["stock", "oracle:pool=1"]
    assert lines[-1] == f"The report is in {out / 'index.html'}"
    with (out / "policies.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], row["object_id"]) for row in rows] == [
        (policy, k) for policy in ("stock", "oracle:pool=1") for k in "12"
    ]
    page = (out / "index.html").read_text()
    assert "The oracle knows the true mask" in page
    assert "sam2-probe policies" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "sam2long"], "There is no memory policy 'sam2long': choose one of"),
        (["--policy", "stride:r=0"], "can't go in steps of 0"),
        (["--sequences", ","], "--sequences names none"),
        (["--sequences", "zebra"], "has no sequence 'zebra'"),
        (["--seed", "-1"], "--seed -1 can't be used"),
        (["--split", "train"], "has no split 'train'"),
        (["--checkpoint", "sam3"], "sam3"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(command, davis, tmp_path, words, said):
    out = tmp_path / "out"
    answer = command("policies", "--davis", davis, "--out", out, *words)
    assert answer.code == 2
    assert said in answer.sentence
    assert not out.exists()


def test_a_folder_with_something_else(command, davis, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    answer = command("policies", "--davis", davis, "--out", tmp_path, "--policy", "stock")
    assert answer.code == 2
    assert "holds something else already" in answer.sentence
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
