"""A decoder from object pointer to bounding box: what a pointer knows of where the object is (paper, 4.2).

A multilayer perceptron, fitted with scikit-learn and stored as plain arrays, so that decoding needs nothing but NumPy.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate
from napari_sam2_probe.analysis.box_verdict import WORTHWHILE, is_worthwhile, verdict
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import number
from napari_sam2_probe.decoder.boxes import box_iou

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.decoder.tracks import PointerTrack

WEIGHT_DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""What is tried where no weight decay is given."""

DEFAULT_WEIGHT_DECAY = 0.1
"""What is taken where none is given and there are too few sequences to choose by."""

# Neighbouring frames tell much the same, so a choice of weight decay needs no more than these.
_FRAMES_TO_CHOOSE_BY = 1500
_FOLDS_TO_CHOOSE_BY = 4

SIDES = ("left", "top", "right", "bottom")
"""What the four numbers of a box are."""


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """How a decoder is fitted.

    Attributes
    ----------
    hidden
        Units of the hidden layers (ReLU).
    weight_decay
        Half of this times the squared weights is added to half the mean squared error (of standardised edges). None:
        the one of `WEIGHT_DECAYS` that decodes best in a cross-validation over the sequences it is fitted to, those
        held out not among them. With few objects that is a strong one, and little more than the mean box is decoded.
    iterations
        At most as many steps of L-BFGS.
    held_out_share
        Share of the sequences that the decoder is judged on and not fitted to; at least one.
    num_resamples
        Of the intervals, by bootstrap over held-out sequences.
    seed
        Draws the held-out sequences, the initial weights and the resamples.
    """

    hidden: tuple[int, ...] = (64,)
    weight_decay: float | None = None
    iterations: int = 400
    held_out_share: float = 0.25
    num_resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class DecoderReport:
    """How good a decoder is on sequences that it was not fitted to.

    Attributes
    ----------
    iou
        Mean over held-out frames of the IoU of decoded and true box; the interval is by bootstrap over sequences.
    baseline_iou
        The same of the baseline: always the mean box of the frames that the decoder was fitted to.
    gain
        The mean difference of both.
    side_error, baseline_side_error
        Mean absolute error of left, top, right and bottom edge, as a share of the frame's width or height.
    fitted_frames, held_out_frames
        How many there were.
    lost_frames
        Held-out frames among them on which SAM 2 had lost the object, so that the pointer is a constant.
    fitted_sequences, held_out_sequences
        Which.
    """

    iou: Estimate
    baseline_iou: Estimate
    gain: Estimate
    side_error: tuple[float, ...]
    baseline_side_error: tuple[float, ...]
    fitted_frames: int
    held_out_frames: int
    lost_frames: int
    fitted_sequences: tuple[str, ...]
    held_out_sequences: tuple[str, ...]

    @property
    def is_useful(self) -> bool:
        """Whether decoded boxes beat the mean box by enough to be shown unasked (`box_verdict.WORTHWHILE`)."""
        return is_worthwhile(self.gain)

    @property
    def advice(self) -> str:
        """What to do with the decoder, in one sentence; empty if it is useful."""
        if self.is_useful:
            return ""
        return (
            f"This decoder hardly knows where the object is: its boxes beat always guessing the mean box by "
            f"{number(self.gain.value)} IoU, less than {WORTHWHILE}. Boxes are exported with it only where it is "
            "named (--decoder)."
        )

    def __str__(self) -> str:
        """Return the report as a few lines."""
        sides = ", ".join(f"{side} {error:.3f}" for side, error in zip(SIDES, self.side_error, strict=True))
        mean = ", ".join(f"{side} {error:.3f}" for side, error in zip(SIDES, self.baseline_side_error, strict=True))
        return "\n".join(
            [
                f"Fitted to {self.fitted_frames} frames of {len(self.fitted_sequences)} sequences, judged on "
                f"{self.held_out_frames} frames of {len(self.held_out_sequences)} others "
                f"(SAM 2 had lost the object on {self.lost_frames} of them).",
                f"mean IoU            {self.iou}",
                f"the mean box        {self.baseline_iou}",
                f"difference          {self.gain}: {verdict(self.gain)}",
                *([self.advice] if self.advice else []),
                f"error of each side  {sides}",
                f"the mean box        {mean}",
            ]
        )


@dataclass(frozen=True, eq=False)
class BoxDecoder:
    """A fitted decoder.

    Attributes
    ----------
    checkpoint
        Name of the model whose pointers it decodes.
    sha256
        SHA-256 of that model's weights; None for an untrained model.
    input_mean, input_scale
        (C,) float64; pointers are standardised with them.
    weights, biases
        Of each layer: (inputs, outputs) and (outputs,) float64; ReLU between layers.
    output_mean, output_scale
        (4,) float64; turn the last layer's outputs into edges.
    report
        How good it is; None if that was not measured.
    options
        How it was fitted.
    """

    checkpoint: str
    sha256: str | None
    input_mean: NDArray[np.float64]
    input_scale: NDArray[np.float64]
    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]
    output_mean: NDArray[np.float64]
    output_scale: NDArray[np.float64]
    report: DecoderReport | None = None
    options: DecoderOptions = field(default_factory=DecoderOptions)

    def __repr__(self) -> str:
        worth = "not measured" if self.report is None else f"mean IoU {self.report.iou}"
        return f"<BoxDecoder for {self.checkpoint}, {self.num_channels} channels: {worth}>"

    @property
    def num_channels(self) -> int:
        """Length of the pointers it decodes, C."""
        return len(self.input_mean)

    @property
    def mean_box(self) -> NDArray[np.float64]:
        """(4,) the mean of the boxes it was fitted to: what to guess who knows no pointer, and so its baseline."""
        return self.output_mean

    def decode(self, pointers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the box that each pointer speaks of.

        Parameters
        ----------
        pointers
            (T, C). Rows with NaN are no pointers.

        Returns
        -------
        edges
            (T, 4) float64 ``[xmin / W, ymin / H, (xmax + 1) / W, (ymax + 1) / H]`` as the network gives them, so they
            may reach out of the frame; NaN where there is no pointer.

        Raises
        ------
        InputError
            If the pointers have another length than those it was fitted to.
        """
        pointers = np.asarray(pointers, dtype=np.float64)
        if pointers.ndim != 2 or pointers.shape[1] != self.num_channels:
            raise InputError(
                f"The decoder for {self.checkpoint} takes pointers of {self.num_channels} numbers, not "
                f"{pointers.shape[-1] if pointers.ndim else 0}: use one that was fitted for this model."
            )
        values = (pointers - self.input_mean) / self.input_scale
        for index, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = (np.maximum(values, 0) if index else values) @ weights + biases
        edges: NDArray[np.float64] = values * self.output_scale + self.output_mean
        # A product with NaN is NaN in every output, but a ReLU may be implemented to drop it.
        edges[~np.isfinite(pointers).all(axis=1)] = np.nan
        return edges

    def check_made_for(self, checkpoint: str, sha256: str | None, where: object = "the decoder") -> None:
        """Make sure that the decoder was fitted for a model.

        Raises
        ------
        InputError
            If it was fitted for other weights: boxes would be decoded, and mean nothing.
        """
        if self.sha256 != sha256:
            raise InputError(
                f"{where} was fitted for the checkpoint {self.checkpoint} ({_short(self.sha256)}), not for "
                f"{checkpoint} ({_short(sha256)}): fit one with 'sam2-probe decoder fit --checkpoint {checkpoint}'."
            )


def fit_decoder(
    tracks: Sequence[PointerTrack],
    checkpoint: str,
    sha256: str | None,
    options: DecoderOptions | None = None,
    *,
    held_out: Collection[str] | None = None,
) -> BoxDecoder:
    """Fit a decoder to true boxes, and measure it on sequences held out.

    Parameters
    ----------
    tracks
        Pointers with true boxes, of at least two sequences.
    checkpoint, sha256
        The model that the pointers come from.
    options
        How.
    held_out
        Names of sequences to judge it on; a share of all, drawn by the seed, if None.

    Raises
    ------
    InputError
        If there are no frames to fit it to, or none to judge it on.
    """
    options = options or DecoderOptions()
    tracks = [track for track in tracks if len(track.frames)]
    names = sorted({track.sequence for track in tracks})
    if len(names) < 2:
        found = f"only {names[0]} has" if names else "none has"
        raise InputError(
            "A decoder needs at least two sequences with tracked frames, one to fit it to and one to judge it on, but "
            f"{found}: give a larger data set."
        )
    chosen = _draw_held_out(names, options) if held_out is None else [name for name in names if name in set(held_out)]
    fitted_to = [track for track in tracks if track.sequence not in chosen]
    judged_on = [track for track in tracks if track.sequence in chosen]
    if not fitted_to or not judged_on:
        raise InputError(
            f"{len(chosen)} of {len(names)} sequences are held out, which leaves none to "
            f"{'fit the decoder to' if judged_on else 'judge the decoder on'}: name some of them."
        )
    if options.weight_decay is None:
        options = replace(options, weight_decay=choose_weight_decay(fitted_to, options))
    pointers, boxes = _joined(fitted_to)
    decoder = decoder_of_estimator(fit_estimator(pointers, boxes, options), checkpoint, sha256, options)
    return replace(decoder, report=judge_decoder(decoder, fitted_to, judged_on))


def choose_weight_decay(tracks: Sequence[PointerTrack], options: DecoderOptions) -> float:
    """Return the one of `WEIGHT_DECAYS` that decodes boxes of sequences not fitted to best.

    Parameters
    ----------
    tracks
        What a decoder is to be fitted to; with a single sequence there is nothing to compare on, and the answer is
        `DEFAULT_WEIGHT_DECAY`.
    options
        How it is fitted otherwise.
    """
    names = sorted({track.sequence for track in tracks})
    if len(names) < 2:
        return DEFAULT_WEIGHT_DECAY
    pointers, boxes = _joined(tracks)
    sequences = np.concatenate([np.full(len(track.frames), track.sequence) for track in tracks])
    some = np.linspace(0, len(boxes) - 1, min(len(boxes), _FRAMES_TO_CHOOSE_BY)).astype(np.int64)
    pointers, boxes, sequences = pointers[some], boxes[some], sequences[some]
    shuffled = np.random.default_rng(options.seed).permutation(names)
    folds = [np.isin(sequences, part) for part in np.array_split(shuffled, min(_FOLDS_TO_CHOOSE_BY, len(names)))]
    folds = [fold for fold in folds if fold.any() and not fold.all()]
    iou = np.zeros(len(WEIGHT_DECAYS))
    for index, decay in enumerate(WEIGHT_DECAYS):
        for fold in folds:
            estimator = fit_estimator(pointers[~fold], boxes[~fold], replace(options, weight_decay=decay))
            decoded = decoder_of_estimator(estimator, "", None).decode(pointers[fold])
            iou[index] += box_iou(np.clip(decoded, 0, 1), boxes[fold]).sum()
    # Of equally good ones the strongest.
    return WEIGHT_DECAYS[len(iou) - 1 - int(np.argmax(iou[::-1]))]


def fit_estimator(pointers: NDArray[np.floating], boxes: NDArray[np.float64], options: DecoderOptions) -> Any:
    """Fit scikit-learn's perceptron between standardised pointers and standardised edges.

    Parameters
    ----------
    pointers, boxes
        (N, C) and (N, 4), all finite.
    options
        How.

    Returns
    -------
    sklearn.compose.TransformedTargetRegressor
        Fitted.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    decay = DEFAULT_WEIGHT_DECAY if options.weight_decay is None else options.weight_decay
    network = MLPRegressor(
        hidden_layer_sizes=options.hidden,
        solver="lbfgs",
        # scikit-learn divides by the number of frames.
        alpha=decay * len(boxes),
        max_iter=options.iterations,
        max_fun=10 * options.iterations,
        random_state=options.seed,
    )
    estimator = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    with warnings.catch_warnings():
        # The number of steps is part of the choice: more of them fit the sequences better and others no better.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(np.asarray(pointers, dtype=np.float64), boxes)


def decoder_of_estimator(
    estimator: Any, checkpoint: str, sha256: str | None, options: DecoderOptions | None = None
) -> BoxDecoder:
    """Take the arrays out of what `fit_estimator` returns."""
    scaler, network = (step for _, step in estimator.regressor_.steps)
    return BoxDecoder(
        checkpoint=checkpoint,
        sha256=sha256,
        input_mean=np.asarray(scaler.mean_, dtype=np.float64),
        input_scale=np.asarray(scaler.scale_, dtype=np.float64),
        weights=tuple(np.asarray(layer, dtype=np.float64) for layer in network.coefs_),
        biases=tuple(np.asarray(layer, dtype=np.float64) for layer in network.intercepts_),
        output_mean=np.asarray(estimator.transformer_.mean_, dtype=np.float64),
        output_scale=np.asarray(estimator.transformer_.scale_, dtype=np.float64),
        options=options or DecoderOptions(),
    )


def judge_decoder(
    decoder: BoxDecoder, fitted_to: Sequence[PointerTrack], judged_on: Sequence[PointerTrack]
) -> DecoderReport:
    """Measure a decoder.

    Parameters
    ----------
    decoder
        The decoder.
    fitted_to
        What it was fitted to; their mean box is the baseline.
    judged_on
        What it was not fitted to. Decoded boxes are cut at the frame's border, as they are drawn.
    """
    _, fitted_boxes = _joined(fitted_to)
    pointers, truth = _joined(judged_on)
    decoded = np.clip(decoder.decode(pointers), 0, 1)
    mean_box = np.broadcast_to(fitted_boxes.mean(axis=0), truth.shape)
    of_decoded, of_mean = box_iou(decoded, truth), box_iou(mean_box, truth)
    sequences = np.concatenate([np.full(len(track.frames), track.sequence) for track in judged_on])

    def estimate(values: NDArray[np.float64]) -> Estimate:
        options = decoder.options
        return mean_estimate(values, sequences, num_resamples=options.num_resamples, seed=options.seed)

    return DecoderReport(
        iou=estimate(of_decoded),
        baseline_iou=estimate(of_mean),
        gain=estimate(of_decoded - of_mean),
        side_error=tuple(np.abs(decoded - truth).mean(axis=0).tolist()),
        baseline_side_error=tuple(np.abs(mean_box - truth).mean(axis=0).tolist()),
        fitted_frames=len(fitted_boxes),
        held_out_frames=len(truth),
        lost_frames=int(sum((track.object_scores <= 0).sum() for track in judged_on)),
        fitted_sequences=tuple(sorted({track.sequence for track in fitted_to})),
        held_out_sequences=tuple(sorted({track.sequence for track in judged_on})),
    )


def _draw_held_out(names: list[str], options: DecoderOptions) -> list[str]:
    number = min(max(1, round(options.held_out_share * len(names))), len(names) - 1)
    return sorted(np.random.default_rng(options.seed).permutation(names)[:number].tolist())


def _joined(tracks: Sequence[PointerTrack]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    return np.concatenate([track.pointers for track in tracks]), np.concatenate([track.boxes for track in tracks])


def _short(sha256: str | None) -> str:
    return "untrained" if sha256 is None else f"SHA-256 {sha256[:12]}..."
