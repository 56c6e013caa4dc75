"""Simulated users: a mask, a box or clicks on the first frame, and clicks on what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["mask", "box", "click"]
Points = dict[str, torch.Tensor]


def _inside(rng: np.random.Generator, region: NDArray[np.bool_], *, central: bool) -> tuple[float, float]:
    """A pixel of a region, x and y: any, or one furthest from the region's edge."""
    if central:
        from scipy.ndimage import distance_transform_edt

        depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), region.shape)
        return float(x), float(y)
    rows, columns = np.nonzero(region)
    index = int(rng.integers(len(rows)))
    return float(columns[index]), float(rows[index])


@dataclass
class Prompter:
    """One user, the same for all clips of a batch."""

    rng: np.random.Generator
    kind: Kind
    corrections: int = 0
    central: bool = False
    """Whether clicks go to the middle of regions, as in evaluation, rather than anywhere."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, video: bool = True) -> Prompter:
        """Most users of videos give a mask; of a single image all give a box or clicks, often with corrections."""
        share = [0.8, 0.08, 0.12] if video else [0.0, 0.4, 0.6]
        kind: Kind = ("mask", "box", "click")[rng.choice(3, p=share)]
        corrections = 0 if kind == "mask" else int(rng.choice(4, p=[0.4, 0.25, 0.2, 0.15]))
        return cls(rng, kind, corrections, central=bool(rng.random() < 0.3))

    def first(self, truth: torch.Tensor) -> Points | None:
        """The prompt for masks ``(B, 1, S, S)``; None stands for the masks themselves."""
        if self.kind == "mask":
            return None
        coordinates = []
        for mask in truth[:, 0].bool().cpu().numpy():
            if self.kind == "click":
                coordinates.append([self._inside(mask)])
                continue
            rows, columns = np.nonzero(mask)
            box = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]], float)
            if not self.central:
                spread = np.minimum(0.06 * (box[1] - box[0]), 12)
                box = (box + self.rng.uniform(-1, 1, (2, 2)) * spread).clip(0, mask.shape[0])
            coordinates.append([tuple(corner) for corner in box])
        labels = [[1]] if self.kind == "click" else [[2, 3]]
        return {
            "point_coords": torch.tensor(coordinates, dtype=torch.float32, device=truth.device),
            "point_labels": torch.tensor(labels * len(truth), dtype=torch.int32, device=truth.device),
        }

    def correct(self, points: Points, truth: torch.Tensor, logits: torch.Tensor) -> Points:
        """The points and one more, in what the mask ``logits > 0`` misses or has too much."""
        new, labels = [], []
        for mask, guess in zip(truth[:, 0].bool().cpu().numpy(), (logits[:, 0] > 0).cpu().numpy(), strict=True):
            missing, excess = mask & ~guess, guess & ~mask
            wrong = missing | excess
            place = self._inside(wrong if wrong.any() else mask)
            new.append([place])
            labels.append([int(mask[int(place[1]), int(place[0])])])
        coordinates = torch.tensor(new, device=truth.device)
        signs = torch.tensor(labels, dtype=torch.int32, device=truth.device)
        return {
            "point_coords": torch.cat([points["point_coords"], coordinates], 1),
            "point_labels": torch.cat([points["point_labels"], signs], 1),
        }

    def _inside(self, region: NDArray[np.bool_]) -> tuple[float, float]:
        return _inside(self.rng, region, central=self.central)
