"""What the section on separability says is what its tables hold, and its tables are what other code computes."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.reports.sections import alarms, controls, distributions, separability, trends
from napari_sam2_probe.reports.sections.decoder import Decoded
from napari_sam2_probe.reports.subject import make_subjects

KINDS = ("clean", "interjection", "object-removal", "object-kept", "context-removal", "flash")


def subject_of(folder, samples, positions, kinds=KINDS):
    write_synthetic_experiment(folder, kinds=kinds, samples=samples)
    for path in (folder / "features.parquet", folder / "gap_features.parquet"):
        table = pd.read_parquet(path)
        table[table["position"].isin(positions)].to_parquet(path, index=False)
    (made,) = make_subjects([open_experiment(folder)], num_resamples=60, seed=0)
    return made


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_of(tmp_path_factory.mktemp("separability") / "e", 10, ("1", "4"))


def changed_and_kept(subject, kind, kept, position):
    """The short-term L2 of both on changed frames, by the number of the clip and frame."""
    features, gap = subject.results.features, subject.results.gap_features
    sides = []
    for table, name in ((features, kind), (gap, kept)):
        rows = table[(table["kind"] == name) & (table["position"] == position) & table["frame"].between(12, 15)]
        sides.append(rows.assign(number=rows["clip"].str[-5:]).set_index(["number", "frame"])["short_term_l2"])
    return pd.concat(sides, axis=1, keys=["changed", "kept"])


def test_pairs_and_factors_are_those_of_the_tables(subject):
    pairs = changed_and_kept(subject, "object-removal", "object-kept", "1")
    found = subject.controls.paired("object-removal", "short_term_l2", "1")
    assert found.value == pytest.approx((pairs["changed"] > pairs["kept"]).mean())
    ratio = (pairs["changed"] / pairs["kept"]).groupby("number").apply(gmean)
    times = subject.controls.effect("object-removal", "short_term_l2", "1")
    assert times.value == pytest.approx(gmean(ratio))
    assert 2 < times.low < times.value < times.high < 4.5
    flash = changed_and_kept(subject, "flash", "object-kept", "1")
    other = (flash["changed"] / flash["kept"]).groupby("number").apply(gmean)
    beside = subject.controls.effect("object-removal", "short_term_l2", "1", "flash")
    assert beside.value == pytest.approx(gmean(ratio / other[ratio.index]))
    assert "more at positions 1 and 4" in " ".join(controls.effect_sentences(subject))


def test_the_placebo_lines_are_means_over_unchanged_clips(subject):
    gap = subject.results.gap_features
    rows = gap[(gap["kind"] == "object-kept") & (gap["position"] == "1")]
    expected = rows.groupby("frame")["short_term_l2"].mean()
    line = trends._placebo(subject, "1", "short_term_l2", "object-removal", "mean")
    around = np.arange(11, 18)
    np.testing.assert_allclose(line[around], expected[around])
    assert np.isnan(np.delete(line, around)).all()
    assert trends._placebo(subject, "1", "short_term_l2", "clean", "mean") is None
    caption = trends._caption(subject, ["1"])
    assert "Placebo (dashed)" in caption
    assert "times beside object removal" in caption


def test_a_distribution_bears_the_three_numbers(subject):
    row = subject.controls.table.set_index(["kind", "position", "feature"]).loc[("interjection", "4", "short_term_l2")]
    title = distributions._title(subject, "interjection", "4", "short_term_l2", "Short-term L2", None)
    assert title == (
        f"Short-term L2: paper {row['auroc']:.2f}, placebo {row['auroc_placebo']:.2f}, "
        f"matched {row['auroc_matched']:.2f}"
    )


def test_sentences_compare_by_differences_on_the_same_frames(subject):
    caption = separability._overview_caption(subject)
    assert "on the same frames the difference is" in caption
    rows = distributions._scored(subject, "4", "interjection")
    found = {
        name: distributions.pick(subject.separability, "4", name, "interjection") for name in distributions.ALL_FEATURES
    }
    assert "less the" in distributions._caption(subject, found, rows)
    for text in (caption, distributions._caption(subject, found, rows)):
        assert "overlap" not in text


def test_alarms_are_told_by_stage(subject):
    table = alarms.table([subject])
    assert table.header[-4:] == ("First changed frame", "Other changed frames", "First frame after", "Rest")
    data = table.data.set_index(["kind", "position", "feature", "stage"])["rate"]
    assert data[("interjection", "4", "short_term_l2", "first changed frame")] > 0.9
    assert data[("clean", "4", "short_term_l2", "rest")] < 0.05
    assert "Context removal keeps the object; false alarms" in alarms.sentence(subject)
    assert alarms.sentence(subject, "interjection") == ""


def test_few_sequences_tell_nothing(tmp_path):
    few = subject_of(tmp_path / "e", 4, ("1", "4"), ("clean", "interjection", "context-removal"))
    (said,) = controls.sentences(few, ("interjection",))
    assert "too few source sequences" in said
    assert "above chance" not in said
    assert "too few source sequences to tell" in alarms.sentence(few)
    assert "too few source sequences to tell" in separability._overview_caption(few)


def test_pasted_objects_of_fitted_sequences_are_not_new(subject):
    """Rows of new sequences are those of clips that show nothing that the decoder was fitted to."""

    class Fitted:
        fitted_sequences = ("cat",)

    class Fake:
        report = Fitted
        mean_box = np.array([0.2, 0.2, 0.6, 0.6])

        def decode(self, pointers):
            return np.tile(self.mean_box, (len(pointers), 1))

    boxes = Decoded(subject, Fake()).boxes
    shown = boxes["base_sequence"].eq("cat") | boxes["distractor_sequences"].fillna("").str.split("/").map(
        lambda names: "cat" in names
    )
    assert (boxes["fitted_to"] == shown).all()
    assert (boxes["fitted_to"] & (boxes["base_sequence"] != "cat")).any()
    assert set(boxes.loc[boxes["fitted_to"], "fitted_sequences"]) == {"cat"}
