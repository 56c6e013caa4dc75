"""A run beside another: its twin's, or that of another model on the same video."""

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
    from napari_sam2_probe.families.loaded import Model

_SAM2 = "Sam2VideoModel"
_DISTANCES = ("short_term_l2", "long_term_l2")


class Comparison:
    """How far a run is from its twin's, or from that of another model, on the same source frames.

    Attributes
    ----------
    run, twin
        The two runs.
    """

    def __init__(self, run: Run, twin: Run, object_id: int | None = None) -> None:
        self.run, self.twin = run, twin
        self._view = view_of(run, object_id)
        self._twin_view = view_of(twin, object_id)

    @property
    def is_of_one_model(self) -> bool:
        """Whether both models have the same architecture and sizes, so that their tensors can be subtracted."""
        # Earlier runs don't say the size.
        sizes = {run.info["model"].get("image_size") for run in (self.run, self.twin)} - {None}
        return _kind(self.run) == _kind(self.twin) and len(sizes) < 2

    @cached_property
    def distances(self) -> pd.DataFrame:
        """One row for each frame of the run that the twin has too, and each position.

        Columns ``frame``, ``twin_frame``, ``object_present``, ``obscured_fraction`` (NaN where nobody knows it),
        ``position`` and ``distance``: at vectors the L2 distance, at maps the root mean square difference of the
        channel means. NaN where either has no value.

        Raises
        ------
        InputError
            If they are of two models, whose channels have nothing to do with each other.
        """
        import pandas as pd

        self._check_of_one_model()

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
    def features(self) -> pd.DataFrame:
        """Distances of both runs over time, each in units of its own median, so that models can be compared.

        Columns ``frame``, ``twin_frame``, ``position``, ``feature`` (short and long-term L2), ``value`` and
        ``twin_value``. The median is over frames that are tracked from memory, hold the object and are in no
        interjection; NaN where a run has no value.
        """
        import pandas as pd

        columns = ["frame", "twin_frame", "position", "feature", "value", "twin_value"]
        tables = [_normalised(view) for view in (self._view, self._twin_view)]
        pairs = pd.DataFrame(self._frames, columns=["frame", "twin_frame"])
        both = pairs.merge(tables[0], on="frame").merge(
            tables[1].rename(columns={"frame": "twin_frame", "value": "twin_value"}),
            on=["twin_frame", "position", "feature"],
        )
        return both[columns].reset_index(drop=True)

    def cka(
        self, model: Model | str | Path | None = None, twin_model: Model | str | Path | None = None
    ) -> pd.DataFrame:
        """Return how alike what the two models hold of the same frames is: linear CKA at positions 1 to 3.

        Both runs are made again.

        Parameters
        ----------
        model, twin_model
            The runs' models, if they are loaded already or their weights have moved.

        Returns
        -------
        pandas.DataFrame
            Columns ``position``, ``frame``, ``twin_frame``, ``cka``, at most 1, and ``control``, the same with a frame
            half the video away: what any two frames have in common.

        Raises
        ------
        InputError
            If a run can't be made again.
        """
        from napari_sam2_probe.evaluation.alike import compare_maps
        from napari_sam2_probe.families.loaded import as_model

        first, second = (None if one is None else as_model(one) for one in (model, twin_model))
        return compare_maps(
            (self._view.run, self._twin_view.run),
            self._frames,
            (self._view.obj_id, self._twin_view.obj_id),
            models=(first, second),
            videos=(self.run._video, self.twin._video),
        )

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
            If nobody knows how much of the object is hidden, or they are of two models.
        """
        from napari_sam2_probe.analysis.pointers import obscuration_response

        self._check_of_one_model()
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
        """Draw the distance of the pointers: against the obscured fraction where it varies, else over time.

        Of two models, the pointers' short-term distances, each in units of its own median.
        """
        from napari_sam2_probe.figures.obscuration import make_obscuration
        from napari_sam2_probe.figures.style import SINGLE_COLUMN, new_axes, new_figure, publication_style

        truth = self._view.truth
        if not self.is_of_one_model:
            return self._plot_features()
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

    def _check_of_one_model(self) -> None:
        if not self.is_of_one_model:
            raise InputError(
                f"{self.run.name} and {self.twin.name} are of two models ({_model(self.run)}; {_model(self.twin)}), "
                "whose channels have nothing to do with each other: compare .features and .cka() instead."
            )

    def _plot_features(self) -> Figure:
        from napari_sam2_probe.figures.style import SINGLE_COLUMN, new_axes, new_figure, publication_style

        table = self.features.query("position == '4r' and feature == 'short_term_l2'")
        with publication_style():
            figure = new_figure(SINGLE_COLUMN, 2.2)
            axes = new_axes(figure)[0, 0]
            for column, run in (("value", self.run), ("twin_value", self.twin)):
                axes.plot(table["frame"], table[column], label=f"{run.name}, {_model(run)}")
            axes.set(xlabel="Frame", ylabel="Short-term L2 / own median")
            axes.legend(title="Ungated pointer")
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
    """Compare a run with its twin's, the same video without the change, or with that of another model.

    Parameters
    ----------
    run, twin
        Two runs, or their folders.
    object_id
        The object; the first one if None.

    Returns
    -------
    Comparison
        ``.distances`` over time, ``.iou``, ``.correlation`` with obscuration, ``.plot()``; of two models ``.iou``,
        ``.features`` and ``.cka()``.

    Raises
    ------
    InputError
        If they have no frame in common, or are not of one source.
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
    return comparison


def _array(view: ClipView, key: str) -> Any:
    """Return what a position holds, (O, T, ...); channel means of maps, which are read when they are indexed."""
    return view.run.maps(key, "mean") if key in view.run.map_keys else view.run.vectors(key)


def _kind(run: Run) -> tuple[str, int]:
    """Return what decides whether tensors of two models can be subtracted: all SAM 2s are alike in that."""
    return run.info["model"].get("architecture") or _SAM2, run.pointers.sizes["channel"]


def _model(run: Run) -> str:
    model = run.info["model"]
    return f"{model['checkpoint']}, {model['architecture']}" if model.get("architecture") else str(model["checkpoint"])


def _normalised(view: ClipView) -> pd.DataFrame:
    """Return frame, position, feature and the distance over its own median on ordinary frames."""
    changed = view.interjection
    usual = view.object_present & ~view.run.prompted[view.obj_index]
    if changed is not None:
        usual = usual & ~changed
    long = view.features().table.melt(["frame", "position"], list(_DISTANCES), "feature", "value")
    ordinary = long[usual[long["frame"].to_numpy()]]
    medians = ordinary.groupby(["position", "feature"])["value"].median().rename("median").reset_index()
    both = long.merge(medians, on=["position", "feature"])
    both["value"] = both["value"] / both["median"].where(both["median"] > 0)
    return both[["frame", "position", "feature", "value"]]
