"""The score of YouTube-VOS: J and F of objects of seen and of unseen categories, and the mean of the four."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import load_json, why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.evaluation.metrics.folders import DatasetScores


@dataclass(frozen=True)
class SeenUnseen:
    """Means over objects, by whether their category is in the training set.

    Attributes
    ----------
    region_seen, region_unseen, boundary_seen, boundary_unseen
        Mean over objects of J's and F's mean; NaN where there is no such object.
    num_seen, num_unseen
        How many objects.
    """

    region_seen: float
    region_unseen: float
    boundary_seen: float
    boundary_unseen: float
    num_seen: int
    num_unseen: int

    @property
    def overall(self) -> float:
        """The mean of the four; NaN where one is missing."""
        return (self.region_seen + self.region_unseen + self.boundary_seen + self.boundary_unseen) / 4


def seen_unseen(scores: DatasetScores, meta: Path | str, training_meta: Path | str) -> SeenUnseen:
    """Score as YouTube-VOS does (Xu et al., *YouTube-VOS: Sequence-to-Sequence Video Object Segmentation*, 2018).

    Parameters
    ----------
    scores
        Of every object.
    meta
        The ``meta.json`` of the split that was scored, which names the category of every object.
    training_meta
        That of the training set: categories in it are seen.

    Raises
    ------
    InputError
        If a file is no such ``meta.json``, or an object that was scored is not in it.
    """
    categories, trained = _categories(Path(meta)), frozenset(_categories(Path(training_meta)).values())
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for name, objects in scores.sequences.items():
        for one in objects:
            if (name, one.object_id) not in categories:
                raise InputError(
                    f"{meta} doesn't name the category of object {one.object_id} of {name}: give the meta.json of the "
                    "split that the masks are of."
                )
            found[categories[name, one.object_id] in trained].append((one.region.mean, one.boundary.mean))
    (region_seen, boundary_seen), (region_unseen, boundary_unseen) = (_means(found[seen]) for seen in (True, False))
    return SeenUnseen(region_seen, region_unseen, boundary_seen, boundary_unseen, len(found[True]), len(found[False]))


def _means(values: list[tuple[float, float]]) -> tuple[float, float]:
    if not values:
        return float("nan"), float("nan")
    region, boundary = np.mean(values, axis=0).tolist()
    return region, boundary


def _categories(path: Path) -> Mapping[tuple[str, int], str]:
    """Return the category of each object, by sequence and id."""
    try:
        videos = load_json(path)["videos"]
        return {
            (str(name), int(object_id)): str(about["category"])
            for name, video in videos.items()
            for object_id, about in video["objects"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a meta.json of YouTube-VOS ({why(error)}).") from error
