"""Memory policies compared: rows, means, what is left out, going on, the page."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from helpers import layout_trees
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation import policies
from napari_sam2_probe.evaluation.policies import (
    COLUMNS,
    PolicyOptions,
    PolicyRow,
    compare_policies,
    summarise,
)
from napari_sam2_probe.evaluation.protocols.semi_supervised import run_semi_supervised
from napari_sam2_probe.evaluation.protocols.truth import read_objects
from napari_sam2_probe.reports.policies import write_policy_report
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.masks import write_mask

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")

LENGTHS = (4, 2, 4)
OPTIONS = PolicyOptions(("random:seed=3",), lengths=LENGTHS)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Sequences of 10, 4 and 2 frames; the second object of the first is there twice."""
    root = layout_trees.davis(tmp_path_factory.mktemp("data") / "davis", num_frames=10)
    frames, masks = root / "JPEGImages" / "480p", root / "Annotations" / "480p"
    for t in range(10):
        labels = layout_trees.labels(t)
        write_mask(
            masks / "crossing" / f"{t:05d}.png", np.where(labels == 2, 2 if t < 2 else 0, labels).astype(np.uint8)
        )
    for t in range(4, 10):
        (frames / "passing" / f"{t:05d}.jpg").unlink()
        (masks / "passing" / f"{t:05d}.png").unlink()
    for part in (frames, masks):
        (part / "brief").mkdir()
    for t in range(2):
        (frames / "brief" / f"{t:05d}.jpg").write_bytes((frames / "passing" / f"{t:05d}.jpg").read_bytes())
        write_mask(masks / "brief" / f"{t:05d}.png", layout_trees.labels(t))
    return DavisDataset(root)


@pytest.fixture(scope="module")
def compared(loaded, mixed, tmp_path_factory):
    out = tmp_path_factory.mktemp("policies") / "out"
    return compare_policies(mixed, out, OPTIONS, lambda: loaded, command="typed"), out


@pytest.mark.slow
def test_rows_are_those_of_the_protocol(compared, loaded, mixed):
    comparison, out = compared
    objects = read_objects(mixed.sequence("passing"))
    for policy in ("stock", "random:seed=3"):
        expected = run_semi_supervised(loaded, objects, "mask", policy=None if policy == "stock" else policy)
        rows = [row for row in comparison.rows if (row.policy, row.sequence) == (policy, "passing")]
        assert [(row.object_id, row.scores["JF"]) for row in rows] == [
            (row.object_id, row.scores["JF_mean"]) for row in expected.rows
        ]
    table = pd.read_csv(out / "policies.csv")
    assert tuple(table.columns) == COLUMNS
    assert list(table["JF"]) == [row.scores["JF"] for row in comparison.rows]
    long = table[(table["sequence"] == "crossing") & (table["object_id"] == 1)].set_index("policy")
    assert (long["JF"] > 0).all()
    assert long.loc["stock", "JF"] != long.loc["random:seed=3", "JF"]
    np.testing.assert_allclose(long["reidentification"], long["suffix_jf"] - long["prefix_jf"], atol=1e-12)
    assert long["suffix_jf"].between(0, 1).all()
    assert table[table["sequence"] == "passing"]["suffix_jf"].isna().all()


@pytest.mark.slow
def test_what_is_left_out_is_named_with_its_reason(compared):
    comparison, out = compared
    about = json.loads((out / "policies.json").read_text())
    assert about["left_out"] == {"brief": [1, 2]}
    gone = about["without_clip"].pop("crossing")["2"]
    assert gone.startswith("Object 2 of crossing is not seen, and large enough, in 10 frames in a row")
    assert about["without_clip"] == {"passing": {str(k): "The sequence has 4 frames, and a clip 10." for k in (1, 2)}}
    page = write_policy_report(comparison, out).read_text()
    for sentence in (
        "brief, objects 1, 2: left out, since scores need 3 masks or more.",
        f"crossing, object 2: no clip with an interjection. {gone}",
        "passing, object 2: no clip with an interjection. The sequence has 4 frames, and a clip 10.",
        "random:seed=3: no difference to stock that these sequences could show.",
    ):
        assert sentence in page
    assert "toy" not in page
    assert "oracle" not in page.partition("Gap to oracle")[2]
    assert (out / "figures" / "policies.png").stat().st_size > 5000
    numbers = pd.read_csv(out / "tables" / "policies-summary.csv").set_index("policy")
    assert numbers.loc["stock", "over_stock"] == 0
    assert np.isnan(numbers.loc["stock", "gap"])


@pytest.mark.slow
def test_nothing_is_computed_twice(compared, loaded, mixed, monkeypatch):
    comparison, out = compared
    before = (out / "policies.csv").read_bytes()

    def refuse(*_, **__):
        raise AssertionError("tracked again")

    monkeypatch.setattr(policies, "run_semi_supervised", refuse)
    monkeypatch.setattr(policies, "make_clip", refuse)
    again = compare_policies(mixed, out, OPTIONS, lambda: loaded)
    assert (out / "policies.csv").read_bytes() == before
    assert again.about["without_clip"] == comparison.about["without_clip"]
    with pytest.raises(AssertionError, match="tracked again"):
        compare_policies(mixed, out, PolicyOptions(("random:seed=3", "random:seed=4"), lengths=LENGTHS), lambda: loaded)
    monkeypatch.undo()
    with pytest.raises(InputError, match="was made with another model or other settings"):
        compare_policies(mixed, out, PolicyOptions(("random:seed=3",), seed=1, lengths=LENGTHS), lambda: loaded)


def row(policy, sequence, object_id, jf, seconds=2.0, suffix=float("nan")):
    scores = {"J": jf, "F": jf, "JF": jf, "prefix_jf": 0.9, "suffix_jf": suffix, "reidentification": suffix - 0.9}
    return PolicyRow(policy, sequence, object_id, scores, seconds)


def test_means_and_gap():
    """Means over objects, differences on the same objects, time over frames of sequences and not of objects."""
    names = ("stock", "confident", "oracle:pool=4")
    jf = {"stock": (0.5, 0.7, 0.6), "confident": (0.6, 0.6, 0.9), "oracle:pool=4": (0.8, 0.8, 0.8)}
    places = (("a", 1), ("a", 2), ("b", 1))
    rows = [row(n, *place, value, suffix=value / 2) for n in names for place, value in zip(places, jf[n], strict=True)]
    stock, confident, oracle = summarise(rows, names, {"a": 10, "b": 30})
    assert confident.jf.value == pytest.approx(0.7)
    assert confident.over_stock.value == pytest.approx(0.1)
    assert confident.gap.value == pytest.approx(0.1)
    assert confident.suffix_jf.value == pytest.approx(0.35)
    assert confident.jf.num_groups == 2
    assert (stock.over_stock.value, oracle.gap.value) == (0, 0)
    # Two sequences of 2 seconds each, 40 frames.
    assert confident.seconds_per_frame == pytest.approx(0.1)
    without = summarise([r for r in rows if not r.policy.startswith("oracle")], names[:2], {"a": 10, "b": 30})
    assert np.isnan(without[1].gap.value)


def test_options():
    assert PolicyOptions(("confident", "stock", "confident")).policies == ("stock", "confident")
    with pytest.raises(InputError, match=r"lengths=\(12, 0, 12\) can't be used"):
        PolicyOptions(lengths=(12, 0, 12))
    with pytest.raises(InputError, match="There is no memory policy 'nosuch'"):
        PolicyOptions(("nosuch",))


def test_sequences_without_truth_are_refused(mixed, loaded, tmp_path):
    with pytest.raises(InputError, match="No object of brief has 3 masks or more"):
        compare_policies(mixed, tmp_path / "out", PolicyOptions(sequences=("brief",)), lambda: loaded)
    assert not (tmp_path / "out").exists()
