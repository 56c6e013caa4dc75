"""False alarms are told by stage, with thresholds of other clips, and a model that knows nothing is at 0.5."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from napari_sam2_probe.analysis.absence_model import cross_validated_scores
from napari_sam2_probe.analysis.separability import held_out_thresholds
from napari_sam2_probe.analysis.stage_alarms import AFTER, FIRST, OTHERS, REST, alarms_by_stage, stages_of
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS

T = 28
STAGE = np.repeat(["prefix", "interjection", "suffix"], (12, 4, 12))
ABSENT = np.arange(T) // 4 == 3


def clips(kind, values, bases, others):
    """Rows of a features table of clips (N, T): the three features are alike."""
    number = len(values)
    gone = ABSENT & (kind == "interjection")
    rows = {
        "kind": kind,
        "clip": np.repeat([f"{kind}-{k:05d}" for k in range(number)], T),
        "base_sequence": np.repeat(bases, T),
        "distractor_sequences": np.repeat(others, T),
        "frame": np.tile(np.arange(T), number),
        "stage": np.tile(STAGE, number),
        "position": "1",
        "object_present": np.tile(~gone, number),
        "prompted_reference": False,
        "window": np.tile(np.minimum(np.arange(T), 5), number),
    }
    return pd.DataFrame(rows | {feature: values.ravel() for feature in FEATURE_COLUMNS})


def measured(table):
    stages = table[["kind", "clip", "frame", "stage"]]
    found = alarms_by_stage(table.drop(columns="stage"), stages, num_resamples=100)
    return found[found["feature"] == "short_term_l2"].set_index(["kind", "stage"])


def test_a_change_alarms_where_it_begins_and_ends():
    frame = np.tile(np.arange(T), 3)
    names = stages_of(np.tile(STAGE, 3), frame)
    assert {str(name): sorted(set(frame[names == name].tolist())) for name in np.unique(names)} == {
        FIRST: [12],
        OTHERS: [13, 14, 15],
        AFTER: [16],
        REST: [*range(12), *range(17, 28)],
    }
    ordinary = np.ones((6, T))
    bases, others = list("abcdef"), list("uvwxyz")
    table = pd.concat(
        [
            clips("interjection", np.where(ABSENT, 3.0, ordinary), bases, others),
            clips("context-removal", np.where(np.isin(np.arange(T), [12, 16]), 4.0, ordinary), bases, [""] * 6),
        ]
    )
    found = measured(table)
    assert found.loc["context-removal", "rate"].to_dict() == {FIRST: 1, OTHERS: 0, AFTER: 1, REST: 0}
    assert found.loc["interjection", "rate"].to_dict() == {FIRST: 1, OTHERS: 1, AFTER: 0, REST: 0}
    # All of six sequences: that is not beyond doubt.
    assert found.loc[("context-removal", FIRST), "low"] == pytest.approx(0.025 ** (1 / 6))
    # The window is full from frame 5 on.
    assert found.loc["context-removal", "frames"].to_dict() == {FIRST: 6, OTHERS: 18, AFTER: 6, REST: 6 * 18}


def test_no_clip_is_judged_by_a_threshold_of_its_own_sequences():
    """In clips with one sequence everything is 100 times as large, so that its own threshold would be much higher."""
    bases, others = np.array(list("abcdefab")), np.array(list("uvwxyzza"))
    scale = np.where((bases == "a") | (others == "a"), 100.0, 1.0)[:, None]
    table = clips("interjection", np.where(ABSENT, 3.0, np.ones((8, T))) * scale, bases, others)
    thresholds = held_out_thresholds(table, "short_term_l2")
    own = table["clip"].isin(["interjection-00000", "interjection-00006", "interjection-00007"])
    assert (thresholds[own] == 2).all()
    assert (thresholds[~own] > 2).all()
    found = measured(table)
    # All frames of those three, and none of the others, which are judged by a threshold that the three move up.
    assert found.loc[("interjection", REST), "rate"] == pytest.approx(3 / 8)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "trials"), [(12, 80), (60, 40)])
def test_a_model_of_noise_is_at_chance(number, trials):
    """A crossed null, 13 sequences, offsets by base and by distractor: the mean over data sets is 0.50 +- 0.02.

    A model that was fitted to a distractor's offset would know it again in other clips, as one does whose folds are
    by base alone.
    """
    rng = np.random.default_rng(number)
    clip_of = np.repeat(np.arange(number), 14)
    absent = np.tile(np.arange(14) < 4, number)
    values = {"all sequences": [], "base alone": []}
    for _ in range(trials):
        base, other = rng.integers(13, size=(2, number))
        offsets = rng.normal(scale=0.6, size=(2, 13, 3))
        logs = rng.normal(size=(len(absent), 3)) + offsets[0][base][clip_of]
        logs[absent] += offsets[1][other][clip_of][absent]
        names = [(f"base {b}", f"other {o}") for b, o in zip(base, other, strict=True)]
        for name, sequences in (("all sequences", names), ("base alone", [one[:1] for one in names])):
            everything = np.ones(len(absent), bool)
            how = {"num_folds": 3, "transform": "none"}
            scores = cross_validated_scores(logs, absent, everything, sequences, clip_of, **how)
            known = np.isfinite(scores)
            values[name].append(roc_auc_score(absent[known], scores[known]))
    assert np.mean(values["all sequences"]) == pytest.approx(0.5, abs=0.02)
    # What the folds are for.
    assert np.mean(np.subtract(values["base alone"], values["all sequences"])) > 0.01
