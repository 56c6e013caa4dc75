"""The warning of loss on frames whose loss is known to follow from their signals, or from nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.analysis.loss_model import (
    SIGNALS,
    doubtful_stretches,
    fit_loss_model,
    losses_ahead,
    next_doubtful_frame,
)
from napari_sam2_probe.analysis.loss_warning import WarningOptions, fit_warning, verdict
from napari_sam2_probe.analysis.loss_warning_file import load_warning, save_warning
from napari_sam2_probe.analysis.sequence_folds import connected_groups, sequence_folds
from napari_sam2_probe.common.errors import InputError

OPTIONS = WarningOptions(horizons=(1, 3), num_resamples=200)


def made_frames(seed: int, *, informative: tuple[str, ...], sequences: int = 12, num_frames: int = 60) -> pd.DataFrame:
    """Clips whose J follows a hidden state; the informative signals show it a frame ahead, the others are noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for k in range(sequences):
        state = np.zeros(num_frames + 1)
        for t in range(1, num_frames + 1):
            state[t] = 0.8 * state[t - 1] + rng.normal()
        signals = {name: rng.normal(size=num_frames) for name in SIGNALS}
        for name in informative:
            signals[name] = -state[1:] + 0.7 * rng.normal(size=num_frames)
        for name in ("d1_4r", "d5_4r", "d1_5r", "d5_5r"):
            signals[name] = np.exp(signals[name])
        signals["d5_4r"][:2] = np.nan
        region = np.clip(0.8 - 0.2 * state[:-1], 0, 1)
        region[0] = np.nan
        parts.append(
            pd.DataFrame(
                {
                    "clip": f"clean/{k}",
                    "base_sequence": f"s{k}",
                    "frame": np.arange(num_frames),
                    "region": region,
                    "prompted": np.arange(num_frames) == 0,
                    **signals,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def own_sequences(frames: pd.DataFrame) -> dict[str, set[str]]:
    return {clip: {f"s{clip.rpartition('/')[2]}"} for clip in frames["clip"].unique()}


@pytest.fixture(scope="module")
def informed():
    frames = made_frames(0, informative=("attention_entropy",))
    return frames, fit_warning(frames, own_sequences(frames), OPTIONS, checkpoint="made", sha256="0" * 64)


def test_a_signal_that_foretells_beats_the_object_score(informed):
    _, warning = informed
    for one in warning.horizons:
        assert one.everywhere.auroc_gain.low > 0
        assert abs(one.everywhere.auroc_baseline.value - 0.5) < 0.08
        assert one.everywhere.brier.value < one.everywhere.brier_constant
        # What is calibrated comes true as often as it says.
        curve = one.everywhere.calibration
        assert np.abs(curve.predicted - curve.observed).max() < 0.12
    assert "better than" in verdict(warning.at(1))


def test_noise_is_no_better_than_the_object_score():
    gains = []
    for seed in range(3):
        frames = made_frames(seed, informative=("object_score",), sequences=8, num_frames=40)
        one = fit_warning(frames, own_sequences(frames), WarningOptions(horizons=(1,), num_resamples=100)).at(1)
        gains.append(one.everywhere.auroc_gain.value)
        assert one.everywhere.auroc_baseline.value > 0.7
        if not one.held.auroc_gain.low > 0:
            assert "BETTER" not in verdict(one).replace("NO BETTER", "")
    assert np.mean(gains) < 0.02


def test_held_frames_are_those_that_still_hold_the_object(informed):
    frames, warning = informed
    held = (frames["region"] >= 0.5).sum()
    assert warning.at(1).held.frames < warning.at(1).everywhere.frames
    assert warning.at(1).held.frames <= held


def test_the_regression_is_scikit_learns(informed):
    frames, _ = informed
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    losses = np.concatenate([losses_ahead(r["region"].to_numpy(), 1) for _, r in frames.groupby("clip", sort=False)])
    rows = np.isfinite(losses) & np.isfinite(frames[list(SIGNALS)]).all(axis=1).to_numpy()
    values = {name: frames[name].to_numpy() for name in SIGNALS}
    model = fit_loss_model(values, losses, rows, np.repeat("one", len(rows)), SIGNALS)
    seen = frames.loc[rows, list(SIGNALS)].to_numpy(copy=True)
    seen[:, 3:7] = np.log(seen[:, 3:7])
    expected = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(seen, losses[rows] > 0)
    given = model.probability({name: values[name][rows] for name in SIGNALS})
    np.testing.assert_allclose(given, expected.predict_proba(seen)[:, 1], atol=1e-6)


def test_brier_and_auroc_are_those_of_scikit_learn():
    from sklearn.metrics import brier_score_loss, roc_auc_score

    from napari_sam2_probe.analysis.loss_warning import judge

    rng = np.random.default_rng(3)
    lost = rng.random(200) < 0.3
    given, alone = np.clip(rng.random(200) * 0.6 + 0.4 * lost, 0, 1), rng.random(200)
    base = np.repeat(list("abcde"), 40)
    found = judge(given, alone, lost.astype(float), np.ones(200, bool), base, base, OPTIONS)
    assert found.auroc.value == pytest.approx(roc_auc_score(lost, given))
    assert found.auroc_gain.value == pytest.approx(roc_auc_score(lost, given) - roc_auc_score(lost, alone))
    assert found.brier.value == pytest.approx(brier_score_loss(lost, given))
    assert found.brier_gain.value == pytest.approx(brier_score_loss(lost, alone) - brier_score_loss(lost, given))
    assert found.brier_constant == pytest.approx(brier_score_loss(lost, np.full(200, lost.mean())))


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=15), st.integers(1, 6))
def test_losses_ahead_by_hand(values, horizon):
    region = np.array([np.nan if v is None else v for v in values])
    for t, lost in enumerate(losses_ahead(region, horizon)):
        ahead = [v for v in values[t + 1 : t + 1 + horizon] if v is not None]
        if any(v < 0.5 for v in ahead):
            assert lost == 1
        elif ahead and t + horizon < len(values):
            assert lost == 0
        else:
            assert np.isnan(lost)


def test_what_is_missing_counts_as_the_mean(informed):
    _, warning = informed
    model = warning.at(1).model
    mean = dict(zip(model.signals, model.mean, strict=True))
    complete = {n: np.array([np.exp(v) if n[0] == "d" else v]) for n, v in mean.items()}
    missing = complete | {"d1_4r": np.array([np.nan])}
    np.testing.assert_allclose(model.log_odds(missing), model.log_odds(complete), rtol=1e-12)
    assert np.isnan(model.probability({name: np.array([np.nan]) for name in SIGNALS}))[0]


def test_a_warning_is_the_same_from_its_file(informed, tmp_path):
    frames, warning = informed
    save_warning(warning, tmp_path / "w.json")
    again = load_warning(tmp_path / "w.json")
    assert str(again) == str(warning)
    values = {name: frames[name].to_numpy() for name in SIGNALS}
    np.testing.assert_array_equal(again.at(3).model.probability(values), warning.at(3).model.probability(values))
    np.testing.assert_array_equal(again.at(3).held.calibration.low, warning.at(3).held.calibration.low)
    assert again.options == warning.options


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(format="lead"), "no warning of loss of this version"),
        (lambda c: c["horizons"][0]["model"]["mean"].pop(), "not equally long"),
        (lambda c: c["horizons"][0]["model"]["scale"].__setitem__(0, None), "damaged"),
        (lambda c: c["horizons"][0]["model"]["signals"].__setitem__(0, "x"), "signals that are not known"),
        (lambda c: c.pop("options"), "damaged"),
    ],
)
def test_a_damaged_file_is_refused(informed, tmp_path, change, words):
    save_warning(informed[1], tmp_path / "w.json")
    content = json.loads((tmp_path / "w.json").read_text())
    # The checksum would tell before anything else does.
    del content["checksum"]
    change(content)
    (tmp_path / "w.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        load_warning(tmp_path / "w.json")


def test_nothing_but_losses_is_refused(informed):
    frames, _ = informed
    with pytest.raises(InputError, match="nothing but losses"):
        fit_warning(frames.assign(region=frames["region"] * 0.1), own_sequences(frames), OPTIONS)


def test_doubtful_stretches_and_the_next_one():
    probability = np.array([np.nan, 0.6, 0.7, 0.2, np.nan, 0.9, 0.1, 0.5])
    assert doubtful_stretches(probability) == [(1, 2), (5, 5), (7, 7)]
    assert [next_doubtful_frame(probability, t) for t in (-1, 1, 5, 7)] == [1, 5, 7, None]


@given(
    st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1, max_size=3), min_size=2, max_size=30), st.integers(0, 9)
)
def test_no_sequence_stands_on_both_sides(clips, seed):
    for fitted, judged in sequence_folds(clips, seed=seed):
        assert fitted.any()
        assert judged.any()
        shown = [set().union(*(c for c, k in zip(clips, side, strict=True) if k)) for side in (fitted, judged)]
        assert not shown[0] & shown[1]


@given(st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1, max_size=3), min_size=1, max_size=20))
def test_connected_groups_are_scipys(clips):
    from scipy.sparse.csgraph import connected_components

    adjacency = np.array([[bool(a & b) for b in clips] for a in clips])
    number, labels = connected_components(adjacency, directed=False)
    groups = connected_groups(clips)
    assert len(set(groups)) == number
    assert len(set(zip(groups, labels, strict=True))) == number
