"""Two experiments of the same clips are compared position by position, as other code computes it."""

import numpy as np
import pytest

import napari_sam2_probe as sp
from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.results import open_experiment


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    made = {"kinds": ("clean",), "samples": 12, "with_embeddings": True}
    return [write_synthetic_experiment(folder / name, label=name, **made) for name in ("one", "other")]


def unbiased(first, second):
    """Linear CKA with the unbiased HSIC of Song et al., written as its sums over pairs of different things."""

    def hsic(k, m):
        n = len(k)
        k, m = k * (1 - np.eye(n)), m * (1 - np.eye(n))
        one = np.ones(n)
        value = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return (value - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    a, b = first @ first.T, second @ second.T
    return hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))


def test_it_is_the_mean_over_frames_of_the_definition(two):
    found = sp.cka(*two).set_index(["position", "other_position"])
    one, other = map(open_experiment, two)
    clips = one.clips("clean")
    values = []
    for t in range(2, one.config.num_frames, 4):
        sides = [
            np.stack([r.array("clean", c, f"regions/{key}")[t, -1] for c in clips]).astype(np.float64)
            for r, key in ((one, "prompt_attention"), (other, "memory_attention"))
        ]
        values.append(unbiased(*sides))
    row = found.loc[("3", "2")]
    assert row["cka"] == pytest.approx(np.mean(values), abs=1e-6)
    assert row["low"] <= row["cka"] <= row["high"]
    assert (row["clips"], row["kind"]) == (12, "clean")
    # The same numbers make both experiments: a position is itself, and that of the object is not that of the context.
    assert found.loc[("3", "3"), "cka"] == pytest.approx(1, abs=1e-6)
    assert found.loc[("1", "3"), "cka"] < 0.5


def test_other_clips_are_refused(two, tmp_path):
    other = write_synthetic_experiment(tmp_path / "seed", kinds=("clean",), samples=3, seed=4, with_embeddings=True)
    with pytest.raises(InputError, match="share no clean clip"):
        sp.cka(two[0], other)
    with pytest.raises(InputError, match="share no flash clip"):
        sp.cka(*two, kind="flash")
    bare = write_synthetic_experiment(tmp_path / "bare", kinds=("clean",), samples=12)
    # Vectors are kept by every experiment.
    assert set(sp.cka(bare, two[0])["position"]) == {"4", "4r"}
    masks = write_synthetic_experiment(tmp_path / "masks", kinds=("clean",), samples=12, predictions="XMem")
    with pytest.raises(InputError, match="keeps no embeddings"):
        sp.cka(masks, two[0])
