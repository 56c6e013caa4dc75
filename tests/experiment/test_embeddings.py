"""What an experiment keeps of embeddings and signals, against a session on the same clip and NumPy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import beta

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.analysis.loss_model import SIGNALS
from napari_sam2_probe.analysis.loss_warning import WarningOptions
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.clips import probe_clip
from napari_sam2_probe.experiments.config import make_config
from napari_sam2_probe.experiments.loss_frames import fit_to_experiments, loss_frames
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.probe.statistics import candidate_disagreement
from napari_sam2_probe.runs.loss import loss_probability, run_signals, warning_for
from napari_sam2_probe.tracking.observer import CANDIDATE_MASKS

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

CLIP = ("interjection", "interjection-00000")


@pytest.fixture(scope="module")
def recorded(tiny_experiment, tmp_path_factory):
    """A run of one clip of the experiment, with every tensor that was shown."""
    import torch

    torch.set_num_threads(1)
    shown = {}
    original = ProbeRecorder.observe

    def observe(self, at, key, tensor):
        shown[at.frame_idx, key] = tensor.clone()
        original(self, at, key, tensor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProbeRecorder, "observe", observe)
        out = tmp_path_factory.mktemp("runs") / "run"
        loaded = load_model(ModelChoice("sample", device="cpu"))
        run = probe_clip(tiny_experiment / "clips" / CLIP[0], CLIP[1], out, loaded)
    return run, shown


@pytest.fixture(scope="module")
def results(tiny_experiment):
    return open_experiment(tiny_experiment)


def test_signals_of_an_experiment_are_those_of_a_run(results, recorded):
    run, _ = recorded
    table = loss_frames(results)
    rows = table[table["clip"] == "/".join(CLIP)].sort_values("frame")
    signals = run_signals(run)
    assert list(signals) == list(SIGNALS)
    for name in SIGNALS:
        np.testing.assert_allclose(rows[name], signals[name], rtol=2e-3, atol=1e-6, err_msg=name)
    # Every signal says something on frames that were tracked from several references.
    assert np.isfinite(rows[list(SIGNALS)].to_numpy()[3:5]).all()


def test_entropy_is_scipys(recorded):
    from scipy.stats import entropy

    run, _ = recorded
    table = run.attention(5)
    table = table[table["queries"] == "all"]
    expected = []
    for _, shares in table.groupby("layer")["share"]:
        expected.append(entropy(shares, base=len(shares)))
    assert len(expected) == 2
    np.testing.assert_allclose(run_signals(run)["attention_entropy"][5], np.mean(expected), rtol=1e-5)


def test_disagreement_by_hand(recorded):
    run, shown = recorded
    assert np.isnan(run.candidate_disagreement[0, 0])
    for t in (1, 4):
        masks = shown[t, CANDIDATE_MASKS][0].numpy() > 0
        assert len(masks) == 3
        ious = [(a & b).sum() / (a | b).sum() if (a | b).any() else 1.0 for a, b in combinations(masks, 2)]
        assert run.candidate_disagreement[0, t] == pytest.approx(1 - np.mean(ious), abs=1e-6)
        assert 0 < run.candidate_disagreement[0, t] < 1


def test_disagreement_of_empty_and_of_single_masks():
    import torch

    nothing = torch.full((2, 3, 4, 4), -1.0)
    nothing[1, 0, 0, 0] = 1
    # Of three pairs two hold the one mask that isn't empty.
    np.testing.assert_allclose(candidate_disagreement(nothing), [0, 2 / 3])
    assert torch.isnan(candidate_disagreement(nothing[:, :1])).all()


def area_shares(mask: np.ndarray, size: int) -> np.ndarray:
    """The share of each cell of a size x size grid that a mask covers, as torch's adaptive pooling cuts cells."""
    edges = [[(k * n // size, -(-(k + 1) * n // size)) for k in range(size)] for n in mask.shape]
    return np.array([[mask[a:b, c:d].mean() for c, d in edges[1]] for a, b in edges[0]])


@pytest.mark.parametrize("key", ["image_embedding", "memory_attention", "memory_features"])
def test_regions_are_numpys(results, recorded, key):
    _, shown = recorded
    frame = 6
    tensor = shown[frame, key][0].double().numpy()
    labels = results.sequence(*CLIP).mask(frame)
    share = area_shares(labels == 1, tensor.shape[-1])
    flat = tensor.reshape(len(tensor), -1)
    inside, outside = (share >= 0.5).ravel(), (share == 0).ravel()
    assert inside.sum() >= 3
    regions = results.array(*CLIP, f"regions/{key}")[frame]
    for index, tokens in ((0, inside), (2, outside), (3, np.ones_like(inside))):
        np.testing.assert_allclose(regions[index], flat[:, tokens].mean(axis=1), rtol=1e-3, atol=1e-4)
    assert np.isnan(regions[1]).all()
    contrast = results.array(*CLIP, f"contrast/{key}")[frame]
    np.testing.assert_allclose(contrast[0, 0], flat[:, inside].mean(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(contrast[2, 1], flat[:, outside].var(axis=0).mean(), rtol=1e-3)
    # Frame 6 is the second of every fourth from frame 2 on.
    tokens = results.array(*CLIP, f"tokens/{key}")[1]
    places = np.flatnonzero(inside)[[(2 * k + 1) * inside.sum() // 6 for k in range(3)]]
    np.testing.assert_allclose(tokens[0], flat[:, places].T, rtol=1e-3, atol=1e-4)
    grid = results.array(*CLIP, f"grids/{key}")[1]
    side = tensor.shape[-1] // 4
    np.testing.assert_allclose(grid[5], tensor[:, side : 2 * side, side : 2 * side].mean((1, 2)), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_what_covers_is_what_was_laid_over(small_root, tmp_path):
    """Where the cover is known, pixels of clip and twin differ there and nowhere far from it."""
    from napari_sam2_probe.experiments.batch_clips import ClipReader
    from napari_sam2_probe.experiments.execute import run_experiment
    from napari_sam2_probe.experiments.folder import ExperimentFolder
    from napari_sam2_probe.experiments.plan import read_plan

    config = make_config(
        davis=str(small_root),
        kinds=["clean", "obscuration"],
        samples=1,
        lengths=[3, 2, 3],
        model={"checkpoint": "sample"},
    )
    out = tmp_path / "covered"
    results = run_experiment(config, out, command="")
    folder = ExperimentFolder(out)
    reader = ClipReader(folder, config.davis)
    clean, covered = (reader.read(batch)[0] for batch in read_plan(folder.plan).batches)
    assert clean.other_masks is None
    known = covered.other_masks.any(axis=(1, 2))
    assert known.any()
    t = int(np.flatnonzero(known)[-1])
    changed = np.abs(covered.frames.read(t).astype(int) - clean.frames.read(t)).max(axis=2)
    inside = covered.other_masks[t]
    assert (changed[inside] > 0).mean() > 0.8
    # JPEG spreads a change over its block and no further.
    near = np.kron(area_shares(inside, 1) * 0 + 1, np.ones(inside.shape))
    blocks = np.add.reduceat(np.add.reduceat(inside, range(0, inside.shape[0], 8), 0), range(0, inside.shape[1], 8), 1)
    near = np.kron(blocks > 0, np.ones((8, 8)))[: inside.shape[0], : inside.shape[1]] > 0
    assert (changed[~near] > 0).mean() < 0.02
    assert not (covered.other_masks & covered.true_masks).any()
    there = np.isfinite(results.array("obscuration", "obscuration-00000", "contrast/image_embedding")[:, 1, 0])
    assert there.any()
    assert not (there & ~known).any()
    assert ClipReader(folder, str(tmp_path / "gone")).read(read_plan(folder.plan).batches[1])[0].other_masks is None


def test_a_warning_fitted_to_an_experiment(tmp_path):
    out = write_synthetic_experiment(tmp_path / "made", kinds=("clean",), samples=12, with_embeddings=True)
    warning = fit_to_experiments([open_experiment(out)], WarningOptions(horizons=(1,), num_resamples=100))
    assert warning.sha256 == "0" * 64
    # No error on any of the sequences: the exact bound for nine of nine.
    assert warning.at(1).everywhere.auroc.value == 1
    assert warning.at(1).everywhere.auroc.low == pytest.approx(beta.ppf(0.025, 9, 1))
    assert warning.at(1).everywhere.auroc_gain.low > 0
    assert warning.at(1).everywhere.clips == 12


def test_an_experiment_without_signals_says_so(tmp_path):
    out = write_synthetic_experiment(tmp_path / "old", kinds=("clean",), samples=2)
    with pytest.raises(InputError, match="recorded no candidate disagreement"):
        loss_frames(open_experiment(out))


def test_the_sample_models_warning_is_found_for_its_runs(recorded, monkeypatch, tmp_path):
    from napari_sam2_probe.decoder.library import FOLDER_VARIABLE

    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    run, _ = recorded
    warning = warning_for(run)
    probability = loss_probability(run, warning, 5)
    assert np.isnan(probability[0])
    assert ((probability[1:] > 0) & (probability[1:] < 1)).all()
    with pytest.raises(InputError, match="choose one of these"):
        loss_probability(run, warning, 7)
