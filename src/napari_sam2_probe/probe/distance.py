"""How far a frame's embedding is from earlier ones (the paper's equation 1; SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

LONG_WINDOW = 5
"""References in the long-term distance."""


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

    def push(self, embedding: Tensor) -> None:
        """Add a reference; the oldest of more than five goes."""
        flat = embedding.reshape(-1)
        if self._buffer is None or self._buffer.shape[1] != flat.numel():
            self._buffer = torch.empty(LONG_WINDOW, flat.numel(), dtype=torch.float32, device=flat.device)
        self._buffer[self._pushed % LONG_WINDOW] = flat
        self._pushed += 1

    def short_term(self, embedding: Tensor) -> Tensor | None:
        """Return ``d_1``, the plain distance to the last reference, as a scalar tensor; None without reference."""
        if self._buffer is None or self._pushed == 0:
            return None
        last = self._buffer[(self._pushed - 1) % LONG_WINDOW]
        distance: Tensor = torch.linalg.vector_norm(embedding.reshape(-1).float() - last)
        return distance

    def long_term(self, embedding: Tensor) -> Tensor | None:
        """Return ``d_5``, the distance to up to five references; None with fewer than two."""
        if self._buffer is None or len(self) < 2:
            return None
        variance, mean = torch.var_mean(self._buffer[: len(self)], dim=0, correction=0)
        if self._options.denominator == "standard deviation":
            variance.sqrt_()
        difference = torch.sub(embedding.reshape(-1).float(), mean, out=mean)
        distance: Tensor = torch.linalg.vector_norm(difference.div_(variance.add_(self._options.epsilon)))
        return distance
