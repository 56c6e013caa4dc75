"""The report's part on models side by side."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments import similarity
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.experiments.similarity import model_similarity
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, write_table
from napari_sam2_probe.reports.folder import ReportFolder
from napari_sam2_probe.reports.sections import models
from napari_sam2_probe.reports.sections.models import normalised_rise
from napari_sam2_probe.reports.subject import make_subjects

KINDS = ("clean", "interjection")


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    """An experiment; the same of a model whose distances are 7 times as large; and one on shorter clips."""
    root = tmp_path_factory.mktemp("models")
    write_synthetic_experiment(root / "one", kinds=KINDS, samples=6, with_embeddings=True)
    shutil.copytree(root / "one", root / "other")
    write_synthetic_experiment(root / "elsewhere", kinds=KINDS, samples=6, lengths=(11, 4, 12), with_embeddings=True)
    for k, name in enumerate(("other", "elsewhere"), start=1):
        folder = ExperimentFolder(root / name)
        provenance = json.loads(folder.provenance.read_text())
        provenance["model"] |= {"sha256": str(k) * 64, "checkpoint": name}
        folder.provenance.write_text(json.dumps(provenance))
    folder = ExperimentFolder(root / "other")
    features = pd.read_parquet(folder.features)
    features[["short_term_l2", "long_term_l2"]] *= 7
    folder.features.unlink()
    write_table(folder.features, FEATURE_COLUMNS, features)
    opened = [open_experiment(root / name) for name in ("one", "other", "elsewhere")]
    return make_subjects(opened, num_resamples=60, seed=0)


def test_distances_are_in_units_of_the_clean_median(subjects):
    one, other, _ = subjects
    features = one.results.features
    own = features[features["position"] == "3"]
    clean = own[(own["kind"] == "clean") & (own["frame"] >= 2)]["short_term_l2"].median()
    changed = own[(own["kind"] == "interjection") & own["frame"].between(12, 15)]
    by_clip = changed.groupby("clip")["short_term_l2"].median() / clean
    found = normalised_rise(one, "interjection", "3")
    assert found.value == pytest.approx(np.exp(np.log(by_clip).mean()))
    assert found.low < found.value < found.high
    # As the synthetic features are made.
    assert 2 < found.value < 4.5
    scaled = normalised_rise(other, "interjection", "3")
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((found.value, found.low, found.high))
    assert np.isnan(normalised_rise(one, "object-removal", "3").value)


def cka_at(one, other, position):
    table = model_similarity(one.results, other.results)
    (row,) = table[(table["position"] == position) & (table["other_position"] == position)]["cka"]
    return row


def test_cka_of_two_models(subjects, monkeypatch):
    one, other, elsewhere = subjects
    assert cka_at(one, other, "1") == pytest.approx(1)
    with pytest.raises(InputError, match="share no clean clip"):
        model_similarity(one.results, elsewhere.results)
    plain = similarity.frame_embeddings
    rng = np.random.default_rng(0)

    def as_of_another(change):
        def embeddings(results, clips, position):
            found = plain(results, clips, position)
            return found if results is one.results or position != "1" else [change(array) for array in found]

        return embeddings

    channels = plain(one.results, similarity.clip_set(one.results, "clean"), "1")[0].shape[1]
    turn = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
    monkeypatch.setattr(similarity, "frame_embeddings", as_of_another(lambda array: 3 * array @ turn))
    assert cka_at(one, other, "1") == pytest.approx(1, abs=1e-6)
    monkeypatch.setattr(similarity, "frame_embeddings", as_of_another(lambda array: rng.normal(size=array.shape)))
    assert abs(cka_at(one, other, "1")) < 0.5


def test_the_section(subjects, tmp_path):
    for name in ("figures", "tables"):
        (tmp_path / name).mkdir()
    folder = ReportFolder(tmp_path, dpi=40, formats=())
    part = models.make(subjects, folder)
    assert part.section.title == "Models side by side"
    assert (tmp_path / "figures" / "models.png").stat().st_size > 3000
    # One model, twice, is nothing to compare.
    assert models.make([subjects[0], subjects[0]], folder).section is None
