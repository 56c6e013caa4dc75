"""How alike two models are: linear CKA of their positions on the same frames of the same clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.cka import cka_estimate
from napari_sam2_probe.analysis.regions import sampled_frames
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.embeddings import clip_set, embedded_positions, frame_embeddings
from napari_sam2_probe.probe.positions import in_order

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.experiments.results import ExperimentResults

SIMILARITY_COLUMNS = ("kind", "position", "other_position", "cka", "low", "high", "clips", "base_sequences")
"""Columns of what `model_similarity` returns."""

_SAME = ["clip", "frame", "source_sequence", "source_frame", "true_xmin", "true_ymin", "true_xmax", "true_ymax"]


def model_similarity(first: ExperimentResults, second: ExperimentResults, kind: str = "clean") -> pd.DataFrame:
    """Compare every position of one experiment with every position of another, on the same frames.

    Parameters
    ----------
    first, second
        Experiments of different models, checkpoints or flags, of the same clips: made from the same data with the same
        seed.
    kind
        The kind of clips to compare on.

    Returns
    -------
    pandas.DataFrame
        A row for each pair of positions, columns `SIMILARITY_COLUMNS`: the unbiased linear CKA over clips, mean over
        every fourth frame, with a 95 % interval by jackknife over source sequences.

    Raises
    ------
    InputError
        If one keeps no embeddings, or the two share no clip of this kind.
    """
    import pandas as pd

    shared = _shared_clips(first, second, kind)
    sides = []
    for results in (first, second):
        clips = clip_set(results, kind, None)
        numbers = in_order(results.features["position"].unique())
        kept = embedded_positions(results, clips, numbers) if results.has_model else []
        if not kept:
            raise InputError(f"{results.path} keeps no embeddings: make the experiment without --no-embeddings.")
        where = [clips.names.index(clip) for clip in shared]
        sides.append(
            {
                position: np.stack([embeddings[k] for k in where])
                for position in kept
                for embeddings in [frame_embeddings(results, clips, position)]
            }
        )
    base = first.frames[first.frames["kind"] == kind].drop_duplicates("clip").set_index("clip")["base_sequence"]
    groups = [str(base[clip]) for clip in shared]
    frames = sampled_frames(first.config.num_frames)
    rows = []
    for position, mine in sides[0].items():
        for other, theirs in sides[1].items():
            estimate = cka_estimate([(mine[:, t], theirs[:, t]) for t in frames], groups)
            rows.append(
                (kind, position, other, estimate.value, estimate.low, estimate.high, len(shared), len(set(groups)))
            )
    return pd.DataFrame(rows, columns=list(SIMILARITY_COLUMNS))


def _shared_clips(first: ExperimentResults, second: ExperimentResults, kind: str) -> list[str]:
    """Return the clips of a kind that both have, of the very same object on the same frames of the same videos."""
    done = [set(results.clips(kind)) if kind in results.kinds else set() for results in (first, second)]
    tables = []
    for results in (first, second):
        own = results.frames[results.frames["kind"] == kind]
        rows = own[own["clip"].isin(done[0] & done[1])].sort_values(["clip", "frame"])[_SAME].astype(object)
        tables.append(rows.where(rows.notna(), -1))
    shared = [
        str(clip)
        for clip, rows in tables[0].groupby("clip", sort=True)
        if rows.to_numpy().tolist() == tables[1][tables[1]["clip"] == clip].to_numpy().tolist()
    ]
    if not shared:
        raise InputError(
            f"{first.path} and {second.path} share no {kind} clip: make both from the same data, with the same seed "
            "and lengths."
        )
    return shared
