"""A run beside its twin's: how far apart they are, and where."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.api.plots import view_of
from napari_sam2_probe.api.tracking import open_run
from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.api.run import Run
    from napari_sam2_probe.export.clip_view import ClipView


class Comparison:
    """How far a run is from its twin's on the same source frames.

    Attributes
    ----------
    run, twin
        The two runs.
    """

    def __init__(self, run: Run, twin: Run, object_id: int | None = None) -> None:
        self.run, self.twin = run, twin
        self._view = view_of(run, object_id)
        self._twin_view = view_of(twin, object_id)

    @cached_property
    def distances(self) -> pd.DataFrame:
        """One row for each frame of the run that the twin has too, and each position.

        Columns ``frame``, ``twin_frame``, ``object_present``, ``obscured_fraction`` (NaN where nobody knows it),
        ``position`` and ``distance``: at vectors the L2 distance, at maps the root mean square difference of the
        channel means. NaN where either has no value.
        """
        import pandas as pd

        from napari_sam2_probe.probe.positions import BY_KEY

        one, other = self._view, self._twin_view
        pairs, rows = self._frames, []
        fractions = np.full(one.run.num_frames, np.nan) if one.truth is None else one.truth.obscured_fraction
        for key in (*one.run.map_keys, *one.run.vector_keys):
            if key not in (*other.run.map_keys, *other.run.vector_keys):
                continue
            is_map = key in one.run.map_keys
            # Once a position, not once a frame: vectors are read as a whole.
            array, twin_array = (_array(view, key) for view in (one, other))
            for frame, twin_frame in pairs:
                value, twin_value = array[one.obj_index, frame], twin_array[other.obj_index, twin_frame]
                difference = np.subtract(value, twin_value, dtype=np.float64)
                distance = np.sqrt(np.mean(difference**2)) if is_map else np.linalg.norm(difference)
                present = bool(one.object_present[frame])
                rows.append((frame, twin_frame, present, fractions[frame], BY_KEY[key].number, float(distance)))
        columns = ["frame", "twin_frame", "object_present", "obscured_fraction", "position", "distance"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def iou(self) -> pd.Series[float]:
        """IoU of the two predicted masks by frame; 1 where both are empty."""
        import pandas as pd

        from napari_sam2_probe.evaluation.metrics.region import region_similarity

        values = {}
        for frame, twin_frame in self._frames:
            mask, twin_mask = (
                np.asarray(view.run.masks_per_object[view.obj_index, at])
                for view, at in ((self._view, frame), (self._twin_view, twin_frame))
            )
            values[frame] = region_similarity(mask, twin_mask)
        return pd.Series(values, name="iou", dtype=float).rename_axis("frame")

    @cached_property
    def correlation(self) -> ObscurationResponse:
        """Pointer distance against obscured fraction, with ``.pearson`` and ``.spearman``.

        Frames of one clip are not independent, so a single pair has no interval; an experiment has.

        Raises
        ------
        InputError
            If nobody knows how much of the object is hidden.
        """
        from napari_sam2_probe.analysis.pointers import obscuration_response

        if self._view.truth is None:
            raise InputError(
                f"Nobody knows how much of the object is hidden in {self.run.name}: track a clip made with "
                "make_clip(...)."
            )
        if not np.nanmax(self._view.truth.obscured_fraction, initial=0) > 0:
            raise InputError(
                f"Nothing hides the object in {self.run.name}: compare a clip with its twin, in this order."
            )
        distances = self._view.distance_to(self._twin_view)
        return obscuration_response([distances], [self._view.truth.obscured_fraction])

    def plot(self) -> Figure:
        """Draw the distance of the pointers: against the obscured fraction where it varies, else over time."""
        from napari_sam2_probe.figures.obscuration import make_obscuration
        from napari_sam2_probe.figures.style import SINGLE_COLUMN, new_axes, new_figure, publication_style

        truth = self._view.truth
        if truth is not None and np.nanmax(truth.obscured_fraction, initial=0) > 0:
            return make_obscuration(self.correlation)
        with publication_style():
            figure = new_figure(SINGLE_COLUMN, 2.2)
            axes = new_axes(figure)[0, 0]
            table = self.distances
            for number in ("4", "4r"):
                rows = table[table["position"] == number]
                axes.plot(rows["frame"], rows["distance"], label=number)
            axes.set(xlabel="Frame", ylabel="L2 to the twin's pointer")
            axes.legend(title="Position")
        return figure

    def __repr__(self) -> str:
        shared = len(self._frames)
        return f"<Comparison of {self.run.name} with {self.twin.name}: {shared} frames in common>"

    @cached_property
    def _frames(self) -> list[tuple[int, int]]:
        """The frames of the run with those of the twin that show the same, where both were tracked."""
        from napari_sam2_probe.analysis.pointers import same_frames

        pairs = same_frames(self._view.source_frames(), self._twin_view.source_frames())
        tracked, twin_tracked = (view.run.tracked[view.obj_index] for view in (self._view, self._twin_view))
        return [(frame, other) for frame, other in pairs if tracked[frame] and twin_tracked[other]]


def compare(run: Run | Path | str, twin: Run | Path | str, *, object_id: int | None = None) -> Comparison:
    """Compare a run with its twin's: the same video without the change.

    Parameters
    ----------
    run, twin
        Two runs, or their folders.
    object_id
        The object; the first one if None.

    Returns
    -------
    Comparison
        ``.distances`` over time, ``.iou``, ``.correlation`` with obscuration, ``.plot()``.

    Raises
    ------
    InputError
        If they have no frame in common, or are of models whose vectors differ in length.
    """
    from napari_sam2_probe.api.run import Run

    runs = [one if isinstance(one, Run) else open_run(one) for one in (run, twin)]
    comparison = Comparison(runs[0], runs[1], object_id)
    if not comparison._frames:
        raise InputError(
            f"{runs[0].name} and {runs[1].name} have no tracked frame in common: compare a clip with its twin."
        )
    hashes = {one.info["video"].get("sha256") for one in runs}
    is_clip = any(one.truth is not None for one in runs)
    if len({one.labels.shape[1:] for one in runs}) > 1 or (len(hashes) > 1 and not is_clip):
        raise InputError(
            f"{runs[0].name} and {runs[1].name} are not of one source: compare a clip with its twin, or two "
            "runs of one video."
        )
    sizes = [one.pointers.sizes["channel"] for one in runs]
    if sizes[0] != sizes[1]:
        raise InputError(f"Pointers of {sizes[0]} and {sizes[1]} numbers can't be compared: choose runs of one model.")
    return comparison


def _array(view: ClipView, key: str) -> Any:
    """Return what a position holds, (O, T, ...); channel means of maps, which are read when they are indexed."""
    return view.run.maps(key, "mean") if key in view.run.map_keys else view.run.vectors(key)
