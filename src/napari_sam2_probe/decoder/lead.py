"""Whether the decoded centre of an object leads its motion, as the paper suspects (paper, 4.2).

What is decoded from a pointer is off the true centre for reasons that have nothing to do with motion: a decoder shrinks
towards the mean, and an object's looks may pull the box to one end of it, which for animals and cars is the end that
goes first. The first is taken out by regression on the true position. The second is what the same video backwards
tells apart: there the same looks lie behind, while something that follows motion still goes before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, estimate_of, group_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.decoder.tracks import PointerTrack

_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class LeadOptions:
    """How a lead is measured.

    Attributes
    ----------
    min_speed
        Frames on which the true centre moves less than this are left out, as they have no direction; a share of the
        frame's diagonal per frame (0.002 is two pixels of 854 x 480).
    num_resamples, seed
        Of the bootstrap over sequences.
    """

    min_speed: float = 0.002
    num_resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class LeadResult:
    """How far the decoded centre is ahead of the true one, in shares of the frame's diagonal.

    The lead of a frame is the decoded minus the true centre, less what a linear regression on the true position
    predicts of it, along the direction in which the true centre moves (from the frame before to the one after). A
    sequence's lead is the mean over its moving frames and objects; each sequence counts alike.

    Attributes
    ----------
    sequences
        The S sequences with moving frames both ways, sorted.
    forward, backward
        (S,) float64: the lead of each sequence, in the video as it is and in the same video backwards, there along
        the reversed motion.
    num_frames
        (S,) int64: moving frames behind `forward`.
    speed
        (S,) float64: mean speed of these, in shares of the diagonal per frame.
    forward_mean, backward_mean
        Over sequences, with 95 % intervals by bootstrap over sequences; the regression is fitted again in each
        resample.
    motion
        Half the sum of both: what goes before the motion in either direction of time.
    looks
        Half the difference: what stays at the same end of the object whichever way it moves.
    decoder_knows
        (S,) bool: the decoder was fitted to this sequence, so its boxes are better there than elsewhere. True of none
        unless all were.
    checkpoint, sha256
        The model, as the decoder names it.
    options
        How it was measured.
    """

    sequences: tuple[str, ...]
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    num_frames: NDArray[np.int64]
    speed: NDArray[np.float64]
    forward_mean: Estimate
    backward_mean: Estimate
    motion: Estimate
    looks: Estimate
    decoder_knows: NDArray[np.bool_]
    checkpoint: str
    sha256: str | None
    options: LeadOptions

    def table(self) -> pd.DataFrame:
        """Return a row for each sequence: sequence, forward, backward, num_frames, speed, decoder_knows."""
        import pandas as pd

        names = ("forward", "backward", "num_frames", "speed", "decoder_knows")
        return pd.DataFrame({"sequence": list(self.sequences), **{name: getattr(self, name) for name in names}})

    def __str__(self) -> str:
        """Return the result in words."""
        if not self.sequences:
            return f"Lead of the decoded centre: {self.forward_mean}."
        known = " that the decoder was fitted to" if self.decoder_knows.any() else ""
        lines = [
            f"Lead of the decoded centre along the motion, % of the frame's diagonal, {len(self.sequences)} "
            f"sequences{known}:",
            f"video as it is    {_percent(self.forward_mean)}",
            f"video backwards   {_percent(self.backward_mean)}",
            f"with the motion   {_percent(self.motion)}",
            f"with the looks    {_percent(self.looks)}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Sums:
    """What a lead needs of each sequence; all of it adds up over sequences, so that a resample is a weighted sum."""

    inputs: NDArray[np.float64]
    """(S, 3, 3): products of the regression's inputs (1, x, y), all frames."""
    outputs: NDArray[np.float64]
    """(S, 3, 2): products of inputs with decoded minus true centre, all frames."""
    along: NDArray[np.float64]
    """(S,): mean over moving frames of decoded minus true centre along the motion."""
    predicted: NDArray[np.float64]
    """(S, 3, 2): mean over moving frames of inputs times direction; with coefficients, what the regression predicts."""
    num_frames: NDArray[np.int64]
    speed: NDArray[np.float64]

    def leads(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lead of each sequence (R, S), for regressions fitted to each of the weighted sets (R, S)."""
        inputs = np.einsum("rs,sij->rij", weights, self.inputs)
        outputs = np.einsum("rs,sij->rij", weights, self.outputs)
        # The pseudo-inverse, as a resample may hold a single still object.
        coefficients = np.linalg.pinv(inputs, hermitian=True) @ outputs
        leads: NDArray[np.float64] = self.along - np.einsum("rij,sij->rs", coefficients, self.predicted)
        return leads


def measure_lead(
    forward: Sequence[PointerTrack],
    backward: Sequence[PointerTrack],
    decoder: BoxDecoder,
    options: LeadOptions | None = None,
) -> LeadResult:
    """Measure the lead, on sequences that the decoder was not fitted to where there are any.

    Parameters
    ----------
    forward, backward
        Pointers of the same objects in the same videos, as they are and backwards; frame indices are those of the
        video that was tracked, so frame 0 of a backward one is the last of the forward one.
    decoder
        Decodes them.
    options
        How.
    """
    options = options or LeadOptions()
    known = set() if decoder.report is None else set(decoder.report.fitted_sequences)
    names = {track.sequence for track in forward} & {track.sequence for track in backward}
    # All of one sort: a mean over sequences of which some were learnt by heart would say little.
    names = (names - known) or names
    both = [_by_sequence(tracks, names, decoder, options) for tracks in (forward, backward)]
    sequences = tuple(sorted(both[0].keys() & both[1].keys()))
    if not sequences:
        return _nothing(decoder, options)
    of_forward, of_backward = (_stacked([sums[name] for name in sequences]) for sums in both)

    number = len(sequences)
    all_once = np.ones((1, number))
    ahead, behind = of_forward.leads(all_once)[0], of_backward.leads(all_once)[0]
    weights = group_weights(number, options.num_resamples, options.seed)
    # The same draw for both directions, so that their sum and difference are resampled as pairs.
    drawn_ahead, drawn_behind = (
        (weights * sums.leads(weights)).sum(axis=1) / number for sums in (of_forward, of_backward)
    )

    def estimate(value: float, resampled: NDArray[np.float64]) -> Estimate:
        return estimate_of(value, resampled, number, what="sequence")

    return LeadResult(
        sequences=sequences,
        forward=ahead,
        backward=behind,
        num_frames=of_forward.num_frames,
        speed=of_forward.speed,
        forward_mean=estimate(float(ahead.mean()), drawn_ahead),
        backward_mean=estimate(float(behind.mean()), drawn_behind),
        motion=estimate(float((ahead + behind).mean() / 2), (drawn_ahead + drawn_behind) / 2),
        looks=estimate(float((ahead - behind).mean() / 2), (drawn_ahead - drawn_behind) / 2),
        decoder_knows=np.array([name in known for name in sequences], dtype=np.bool_),
        checkpoint=decoder.checkpoint,
        sha256=decoder.sha256,
        options=options,
    )


def centres(boxes: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Return the centres (N, 2) of boxes (N, 4), x and y in shares of the frame's diagonal."""
    middle = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2 * width, (boxes[:, 1] + boxes[:, 3]) / 2 * height], axis=1)
    shares: NDArray[np.float64] = middle / np.hypot(height, width)
    return shares


def velocities(positions: NDArray[np.float64], frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the velocity on each frame: half the way from the frame before to the one after.

    Parameters
    ----------
    positions
        (N, 2).
    frames
        (N,) rising.

    Returns
    -------
    velocities
        (N, 2); NaN where one of the two neighbours is missing.
    """
    result = np.full(positions.shape, np.nan)
    if len(frames) > 2:
        whole = (np.diff(frames[:-1]) == 1) & (np.diff(frames[1:]) == 1)
        result[1:-1][whole] = ((positions[2:] - positions[:-2]) / 2)[whole]
    return result


def _by_sequence(
    tracks: Sequence[PointerTrack], names: set[str], decoder: BoxDecoder, options: LeadOptions
) -> dict[str, _Sums]:
    """Return the sums of each sequence that has moving frames, its objects together."""
    parts: dict[str, list[tuple[NDArray[np.float64], ...]]] = {}
    for track in tracks:
        if track.sequence not in names or not len(track.frames):
            continue
        truth = centres(track.boxes, track.height, track.width)
        # Cut at the border as drawn, or a box that reaches far out would outweigh all others.
        decoded = centres(np.clip(decoder.decode(track.pointers), 0, 1), track.height, track.width)
        parts.setdefault(track.sequence, []).append((truth, decoded - truth, velocities(truth, track.frames)))
    sums = {}
    for name, of_objects in parts.items():
        truth, error, velocity = (np.concatenate(arrays) for arrays in zip(*of_objects, strict=True))
        sums[name] = _sums(truth, error, velocity, options)
    return {name: of for name, of in sums.items() if of.num_frames > 0}


def _sums(
    truth: NDArray[np.float64], error: NDArray[np.float64], velocity: NDArray[np.float64], options: LeadOptions
) -> _Sums:
    inputs = np.column_stack([np.ones(len(truth)), truth])
    speed = np.linalg.norm(velocity, axis=1)
    moving = speed >= max(options.min_speed, _EPSILON)
    direction = velocity[moving] / speed[moving, None]
    count = max(int(moving.sum()), 1)
    return _Sums(
        inputs=inputs.T @ inputs,
        outputs=inputs.T @ error,
        along=np.asarray((error[moving] * direction).sum() / count),
        predicted=inputs[moving].T @ direction / count,
        num_frames=np.asarray(moving.sum()),
        speed=np.asarray(speed[moving].sum() / count),
    )


def _stacked(sums: Sequence[_Sums]) -> _Sums:
    return _Sums(**{name: np.stack([getattr(of, name) for of in sums]) for name in _Sums.__dataclass_fields__})


def _nothing(decoder: BoxDecoder, options: LeadOptions) -> LeadResult:
    none = Estimate.missing("no object moves on a frame whose neighbours are tracked too, in both directions of time")
    return LeadResult(
        sequences=(),
        forward=np.empty(0),
        backward=np.empty(0),
        num_frames=np.empty(0, np.int64),
        speed=np.empty(0),
        forward_mean=none,
        backward_mean=none,
        motion=none,
        looks=none,
        decoder_knows=np.empty(0, np.bool_),
        checkpoint=decoder.checkpoint,
        sha256=decoder.sha256,
        options=options,
    )


def _percent(estimate: Estimate) -> str:
    return str(
        Estimate(100 * estimate.value, 100 * estimate.low, 100 * estimate.high, estimate.num_groups, estimate.reason)
    )
