"""How far a frame's embedding is from earlier ones (the paper's equation 1; SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from napari_sam2_probe.common.feature_names import LONG_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """The last few reference embeddings at one position, kept where they arose.

    Distances are those of equation 1, ``|| (f - mean) / sigma ||``, with the mean and the population variance over
    the references, in float32.
    """

    def __init__(self, options: FeatureOptions) -> None:
        self._options = options
        self._buffer: Tensor | None = None
        self._pushed = 0

    def __len__(self) -> int:
        return min(self._pushed, LONG_WINDOW)

    def clear(self) -> None:
        """Forget the references."""
        self._pushed = 0

    def push(self, embedding: Tensor | None) -> None:
        """Add a reference; the oldest of more than five goes.

        None stands for a reference frame without an embedding here: distances to it don't exist and are NaN.
        """
        if self._buffer is None and embedding is not None:
            size = (LONG_WINDOW, embedding.numel())
            self._buffer = torch.full(size, float("nan"), dtype=torch.float32, device=embedding.device)
        if self._buffer is not None:
            row = self._buffer[self._pushed % LONG_WINDOW]
            if embedding is None:
                row.fill_(float("nan"))
            else:
                row.copy_(embedding.reshape(-1))
        self._pushed += 1

    def short_term(self, embedding: Tensor) -> Tensor | None:
        """Return ``d_1``, the plain distance to the last reference, as a scalar tensor; None without reference."""
        if self._buffer is None or self._pushed == 0:
            return None
        return plain_distance(embedding.reshape(-1), self._buffer[(self._pushed - 1) % LONG_WINDOW])

    def long_term(self, embedding: Tensor) -> Tensor | None:
        """Return ``d_5``, the distance to up to five references; None with fewer than two."""
        if self._buffer is None or len(self) < 2:
            return None
        return normalised_distance(embedding.reshape(-1), self._buffer[: len(self)].unbind(), self._options)


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
