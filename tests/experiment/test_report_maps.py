"""Figures 7, 8, 11 and 12: from kept maps and from probing the example again, which give the same."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import ignore_progress
from napari_sam2_probe.experiments.config import make_config
from napari_sam2_probe.experiments.execute import run_experiment
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.reports.examples import find_example
from napari_sam2_probe.reports.folder import ReportFolder
from napari_sam2_probe.reports.maps import MapMaker
from napari_sam2_probe.reports.sections import positions
from napari_sam2_probe.reports.subject import Subject


@pytest.fixture(scope="module")
def kept(settings, tmp_path_factory):
    """One obscured clip and its twin, with maps."""
    out = tmp_path_factory.mktemp("maps") / "kept"
    changes = {"kinds": ["clean", "obscuration"], "samples": 1, "keep_maps": True, "options": {}}
    run_experiment(make_config(**{**settings, **changes}), out, command="sam2-probe experiment")
    return open_experiment(out)


def without_maps(results):
    """Return the experiment as it is where no maps were kept."""
    return replace(results, config=results.config.model_copy(update={"keep_maps": False}))


def test_maps_of_a_clip_probed_again_are_those_kept(kept):
    example = find_example(kept, "obscuration")
    assert example is not None
    for clip in (example.clean, example.changed):
        stored, again = (
            MapMaker(results, "auto", ignore_progress).composite(clip, example.frame, "x")
            for results in (kept, without_maps(kept))
        )
        assert [pair.position for pair in again.maps] == ["1", "2", "3", "5"]
        for one, other in zip(stored.maps, again.maps, strict=True):
            for statistic in ("mean", "variance"):
                a, b = getattr(one, statistic), getattr(other, statistic)
                np.testing.assert_allclose(b, a, atol=1e-3 * np.abs(a).max())


def test_the_figure_and_its_numbers(kept, tmp_path):
    part = positions.make(
        [Subject(kept, "sample", "")], ReportFolder(tmp_path, dpi=40, formats=()), "never", ignore_progress
    )
    (figure,) = part.section.figures
    assert figure.number == "7 and 8"
    table = pd.read_csv(tmp_path / "figures" / "figure-7-8.csv", dtype={"position": str})
    assert len(table) == 2 * 2 * 4
    example = find_example(kept, "obscuration")
    clip = example.changed
    row = table[(table["kind"] == "obscuration") & (table["position"] == "2") & (table["statistic"] == "variance")]
    whole = kept.maps(clip.kind, clip.clip, "memory_attention", "variance")[example.frame]
    assert row["standard_deviation"].item() == pytest.approx(whole.astype(np.float64).std())
    assert f"{abs(row['contrast'].item()):.1f}" in figure.caption


@pytest.mark.parametrize(
    ("when", "change", "said"),
    [
        ("never", {}, "make the experiment with --keep-maps"),
        ("auto", {"sessions": [{"seconds": 9000.0, "frames": 100}]}, "--composites always"),
        ("always", {"model": {"checkpoint": "sample", "sha256": "0" * 64}}, "not the one of the experiment"),
    ],
)
def test_a_clip_is_not_probed_again(kept, when, change, said):
    provenance = {**json.loads(json.dumps(kept.provenance)), **change}
    results = replace(without_maps(kept), provenance=provenance)
    example = find_example(results, "obscuration")
    with pytest.raises(InputError, match=said):
        MapMaker(results, when, ignore_progress).composite(example.changed, example.frame, "x")
