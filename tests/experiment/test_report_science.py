"""The report's parts on contrasts, representations, the warning of loss and the paper's claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.reports.claims import claims_of, judge, pointer_spread
from napari_sam2_probe.reports.folder import ReportFolder
from napari_sam2_probe.reports.rises import rise, rise_difference
from napari_sam2_probe.reports.sections import claims, contrast, pointers, representations, warning
from napari_sam2_probe.reports.subject import make_subjects

KINDS = ("clean", "interjection", "object-removal", "context-removal", "obscuration", "three-object")


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    out = tmp_path_factory.mktemp("science") / "experiment"
    write_synthetic_experiment(out, kinds=KINDS, samples=10, with_embeddings=True)
    (made,) = make_subjects([open_experiment(out)], num_resamples=60, seed=0)
    return made


@pytest.fixture(scope="module")
def made(subject, tmp_path_factory):
    """The parts, and the folder that they wrote."""
    path = tmp_path_factory.mktemp("report")
    for name in ("figures", "tables"):
        (path / name).mkdir()
    folder = ReportFolder(path, dpi=40, formats=())
    sections = (claims, contrast, pointers, representations, warning)
    return {section.__name__.rpartition(".")[2]: section.make([subject], folder) for section in sections}, path


def table(made, name):
    return pd.read_csv(made[1] / "tables" / f"{name}.csv", dtype={"position": str, "other": str})


@pytest.mark.slow
def test_contrasts_are_those_of_the_arrays(subject, made):
    found = table(made, "contrasts")
    for position, key, statistic, index in (
        ("3", "prompt_attention", "variance", 1),
        ("1", "image_embedding", "mean", 0),
    ):
        shares = []
        for clip in subject.results.clips("obscuration"):
            values = subject.results.array("obscuration", clip, f"contrast/{key}")[1:, :, index]
            shares.append(np.mean(values[:, 0] > values[:, 1]))
        row = found[
            (found["kind"] == "obscuration")
            & (found["position"] == position)
            & (found["statistic"] == statistic)
            & (found["first"] == "object")
            & (found["second"] == "other")
        ].iloc[0]
        assert row["higher"] == pytest.approx(np.mean(shares))
        assert row["higher_low"] <= row["higher"] <= row["higher_high"]
    assert row["clips"] == 10


@pytest.mark.slow
def test_object_and_context_are_told_apart(made):
    shares = table(made, "object-or-context").set_index("position")
    assert shares.loc["3", "object_share"] > 0.9
    assert shares.loc["1", "object_share"] < 0.1
    assert 0.2 < shares.loc["2", "object_share"] < 0.8
    assert list(shares["pairs"]) == [10] * len(shares)


@pytest.mark.slow
def test_probes_find_what_is_there(made):
    probes = table(made, "linear-probes").set_index(["task", "position"])
    assert probes.loc[("token in mask", "3"), "value"] > 0.9
    assert probes.loc[("token in mask", "3"), "selectivity_low"] > 0
    assert abs(probes.loc[("token in mask", "1"), "value"] - 0.5) < 0.2
    assert ("which of two look-alikes", "2") in probes.index
    # The box is in the first channels of the pointers.
    assert probes.loc[("box", "4r"), "value"] > probes.loc[("box", "4r"), "mean_box"]


@pytest.mark.slow
def test_positions_that_hold_the_same_are_alike(made):
    alike = table(made, "cka").set_index(["position", "other"])["cka"]
    assert alike["1", "5"] > 0.9
    assert alike["1", "3"] < 0.3


@pytest.mark.slow
def test_the_warning_is_judged_beside_the_object_score(made):
    found = table(made, "warning-of-loss").set_index(["frames_judged", "horizon"])
    assert found.loc[("held", 1), "auroc"] > found.loc[("held", 1), "auroc_baseline"]
    assert found.loc[("everywhere", 5), "frames"] > found.loc[("held", 5), "frames"]
    part = made[0]["warning"]
    assert "of the object score alone" in part.headlines[0]


@pytest.mark.slow
def test_covers_are_told_within_clips(made):
    found = table(made, "obscuration-correlation")
    rows = found[(found["kind"] == "obscuration") & (found["position"] == "4r")].set_index("correlation")
    assert rows.loc["Spearman within clips", "low"] > 0.5
    assert {"Pearson", "after less before"} <= set(rows.index)


@pytest.mark.slow
def test_every_claim_has_a_verdict_and_a_number(subject, made):
    found = table(made, "claims")
    assert len(found) == len(claims_of(subject)) > 20
    for column in ("verdict", "together"):
        assert set(found[column]) <= {"agrees", "disagrees", "can't be told"}
    # All at once less can be told, and never the opposite.
    changed = found["verdict"] != found["together"]
    assert (found.loc[changed, "together"] == "can't be told").all()
    assert found["measured"].str.contains(r"\d|not measured").all()
    by_claim = found.set_index("claim")["verdict"]
    # What was built in: the variance at 3 is highest over the object, and pointer distance grows with the cover.
    assert by_claim["Prompt attention (3): the object has an extremely low variance."] == "disagrees"
    grows = "The distance between pointers grows with the share of the object that is covered."
    assert by_claim[grows] == "agrees"
    shown = made[0]["claims"].section.tables[0]
    assert any("DISAGREES" in row for row in shown.rows)


@pytest.mark.parametrize(
    ("low", "high", "side", "verdict"),
    [
        (0.6, 0.8, "above", "agrees"),
        (0.2, 0.4, "above", "disagrees"),
        (0.4, 0.6, "above", "can't be told"),
        (0.2, 0.4, "below", "agrees"),
        (0.6, 0.8, "below", "disagrees"),
        (np.nan, np.nan, "above", "can't be told"),
    ],
)
def test_verdicts(low, high, side, verdict):
    assert judge((Estimate(0.5, low, high, 3), side, 0.5)) == verdict


def test_one_part_against_a_claim_is_enough():
    up, down, open_ = (Estimate(0, *ends, 3) for ends in ((1, 2), (-2, -1), (-1, 1)))
    assert judge((up, "above", 0), (down, "above", 0)) == "disagrees"
    assert judge((up, "above", 0), (open_, "above", 0)) == "can't be told"
    assert judge((up, "above", 0), (down, "below", 0)) == "agrees"


@pytest.mark.slow
def test_rises_are_compared_clip_by_clip(subject):
    change = range(12, 16)
    features = subject.results.features
    factors = {}
    for kind in ("object-removal", "context-removal"):
        rows = features[(features["kind"] == kind) & (features["position"] == "2")]
        usual = rows[~rows["frame"].between(12, 16) & rows["object_present"] & ~rows["prompted_reference"]]
        usual = usual[usual["window"] >= 5].groupby("clip")["short_term_l2"].mean()
        here = rows[rows["frame"].isin(change)].groupby("clip")["short_term_l2"].mean()
        factors[kind] = np.log((here / usual).to_numpy())
        assert rise(subject, kind, "2", "short_term_l2", change).value == pytest.approx(np.exp(factors[kind].mean()))
    expected = np.exp((factors["object-removal"] - factors["context-removal"]).mean())
    found = rise_difference(subject, "object-removal", "context-removal", "2", "short_term_l2", change)
    assert found.value == pytest.approx(expected)


@pytest.mark.slow
def test_the_spread_of_pointers_is_a_mean_of_ratios(subject):
    logs = []
    for number in range(10):
        changed = subject.results.pointers("three-object", f"three-object-{number:05d}")[1:]
        clean = subject.results.pointers("clean", f"clean-{number:05d}")[1:]
        logs.append(np.log(changed.var(axis=0, dtype=float).sum() / clean.var(axis=0, dtype=float).sum()))
    assert pointer_spread(subject, "three-object").value == pytest.approx(np.exp(np.mean(logs)), rel=1e-4)


@pytest.mark.slow
def test_without_embeddings_the_page_says_so(tmp_path):
    out = write_synthetic_experiment(tmp_path / "old", kinds=("clean", "obscuration"), samples=2)
    (old,) = make_subjects([open_experiment(out)], num_resamples=20, seed=0)
    folder = ReportFolder(tmp_path, dpi=40, formats=())
    for section, words in (
        (contrast, "no contrasts"),
        (representations, "keeps no embeddings"),
        (warning, "no warning"),
    ):
        part = section.make([old], folder)
        assert part.section is None
        assert words in part.missing[0]
