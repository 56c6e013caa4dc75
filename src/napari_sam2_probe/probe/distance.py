"""How far a frame's embedding is from earlier ones (the paper's equation 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from napari_sam2_probe.common.feature_names import LONG_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_PIECE = 2**16
"""Elements that are computed on together."""


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """How distances are computed; stored with the results.

    Attributes
    ----------
    denominator
        What divides the difference element by element: the variance over the references, as in the paper, or the
        standard deviation.
    epsilon
        Added to the denominator.
    prompted_references
        Whether prompted frames count as references.
    """

    denominator: Literal["variance", "standard deviation"] = "variance"
    epsilon: float = 1e-6
    prompted_references: bool = True


class ReferenceRing:
    """The last few reference embeddings of each of B clips at one position, kept where they arose.

    Distances are those of equation 1, ``|| (f - mean) / sigma ||``, with the mean and the population variance over
    the references, in float32. Which clips a frame is a reference of is known on the CPU, so the device is given the
    whole batch, or a few groups of clips alike, at a time, and nobody waits for it.

    Parameters
    ----------
    options
        How distances are computed.
    clips
        B; an object of a single run is a batch of one.
    """

    def __init__(self, options: FeatureOptions, clips: int = 1) -> None:
        self._options = options
        self._pushed = np.zeros(clips, np.int64)
        self._slots: list[Tensor] = []

    def fork(self) -> ReferenceRing:
        """Return a ring that holds the same references, to go on under another rule."""
        other = ReferenceRing(self._options, len(self._pushed))
        other._pushed = self._pushed.copy()
        other._slots = [slot.clone() for slot in self._slots]
        return other

    def clear(self) -> None:
        """Forget the references."""
        self._pushed[:] = 0

    def push(self, embedding: Tensor | None, is_reference: NDArray[np.bool_] | None = None) -> None:
        """Add a frame to the references; the oldest of more than five goes.

        Parameters
        ----------
        embedding
            (B, N). None stands for a frame without an embedding here: distances to it don't exist and are NaN.
        is_reference
            (B,) which clips it is a reference of; all by default.
        """
        if embedding is not None and not self._slots:
            unknown = torch.full_like(embedding, float("nan"), dtype=torch.float32)
            self._slots = [unknown, *(unknown.clone() for _ in range(LONG_WINDOW - 1))]
        counts = np.ones(len(self._pushed), np.bool_) if is_reference is None else is_reference
        if self._slots:
            for slot, clips in _groups(np.where(counts, self._pushed % LONG_WINDOW, -1)):
                if embedding is None:
                    _put(self._slots[slot], clips, torch.full_like(_some(self._slots[slot], clips), float("nan")))
                else:
                    _put(self._slots[slot], clips, _some(embedding, clips).float())
        self._pushed += counts

    def short_term(self, embedding: Tensor) -> Tensor:
        """Return ``d_1`` (B,), the plain distance to the last reference; NaN where there is none."""
        distances = torch.full(embedding.shape[:1], float("nan"), device=embedding.device)
        if self._slots:
            for slot, clips in _groups(np.where(self._pushed > 0, (self._pushed - 1) % LONG_WINDOW, -1)):
                _put(distances, clips, plain_distance(_some(embedding, clips), _some(self._slots[slot], clips)))
        return distances

    def long_term(self, embedding: Tensor) -> Tensor:
        """Return ``d_5`` (B,), the distance to up to five references; NaN with fewer than two."""
        distances = torch.full(embedding.shape[:1], float("nan"), device=embedding.device)
        window = np.minimum(self._pushed, LONG_WINDOW)
        if self._slots:
            for count, clips in _groups(np.where(window >= 2, window, -1)):
                references = [_some(slot, clips) for slot in self._slots[:count]]
                distance = normalised_distance(_some(embedding, clips), references, self._options)
                _put(distances, clips, distance)
        return distances


def plain_distance(embedding: Tensor, reference: Tensor) -> Tensor:
    """Return ``|| f - r ||`` over the last axis, in float32.

    Parameters
    ----------
    embedding
        (..., N) of any floating type.
    reference
        (..., N) float32.

    Returns
    -------
    Tensor
        (...) float32.
    """
    pieces = zip(_pieces(embedding), _pieces(reference), strict=True)
    return _norm([torch.linalg.vector_norm(current.float() - other, dim=-1) for current, other in pieces])


def normalised_distance(embedding: Tensor, references: Sequence[Tensor], options: FeatureOptions) -> Tensor:
    """Return ``|| (f - mean) / sigma ||`` over the last axis, in float32.

    Parameters
    ----------
    embedding
        (..., N) of any floating type.
    references
        At least two of (..., N) float32, whose order matters to the last bits only.
    options
        What sigma is.

    Returns
    -------
    Tensor
        (...) float32.
    """
    pieces = zip(_pieces(embedding), *map(_pieces, references), strict=True)
    return _norm([_normalised_distance(current.float(), others, options) for current, *others in pieces])


def _normalised_distance(current: Tensor, references: list[Tensor], options: FeatureOptions) -> Tensor:
    # Everything is taken relative to one of the references: elements that are equal in all of them, as in a still
    # background, then have a variance of exactly 0, not one of rounding errors that epsilon doesn't hide.
    # Row by row over contiguous memory: on a CPU a reduction over the short first axis takes twenty times as long.
    count = len(references)
    origin, others = references[0], references[1:]
    mean = torch.sub(others[0], origin)
    difference = torch.empty_like(mean)
    for reference in others[1:]:
        mean.add_(torch.sub(reference, origin, out=difference))
    mean.div_(count)
    variance = mean.square()
    for reference in others:
        torch.sub(reference, origin, out=difference).sub_(mean)
        variance.addcmul_(difference, difference)
    variance.div_(count)
    if options.denominator == "standard deviation":
        variance.sqrt_()
    torch.sub(current, origin, out=difference).sub_(mean)
    distance: Tensor = torch.linalg.vector_norm(difference.div_(variance.add_(options.epsilon)), dim=-1)
    return distance


def _pieces(values: Tensor) -> tuple[Tensor, ...]:
    """Split the last axis so that what is computed on the way stays in a CPU's cache; on a GPU whole is faster."""
    if values.device.type != "cpu":
        return (values,)
    rows = max(1, values.shape[:-1].numel())
    return torch.split(values, max(1, _PIECE // rows), dim=-1)


def _norm(parts: list[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
    return norm


def _groups(values: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
    """Give each value that isn't negative with the clips that have it; None for all clips."""
    for value in np.unique(values[values >= 0]):
        clips = np.flatnonzero(values == value)
        yield int(value), None if len(clips) == len(values) else clips


def _some(tensor: Tensor, clips: NDArray[np.int64] | None) -> Tensor:
    return tensor if clips is None else tensor[_on_device(clips, tensor.device)]


def _put(target: Tensor, clips: NDArray[np.int64] | None, values: Tensor) -> None:
    if clips is None:
        target.copy_(values)
    else:
        target[_on_device(clips, target.device)] = values


def _on_device(clips: NDArray[np.int64], device: torch.device) -> Tensor:
    index = torch.from_numpy(clips)
    # Only a copy from page-locked memory doesn't wait for all that a GPU has to do.
    return index.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else index.to(device)
