"""Experiments as the Experiments panel shows them; whatever reads files here is for a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_LABELS
from napari_sam2_probe.gui.layers import AXIS_LABELS, MASK_OPACITY, METADATA_KEY, PREDICTED_MASKS, object_colormap
from napari_sam2_probe.gui.videos import video_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.figures.chart import Chart
    from napari_sam2_probe.gui.layers import LayerData

"""Value of ``content`` in the metadata of a clip's predicted masks."""

ABSENT_COLOUR = "#CC3311"


@dataclass(frozen=True)
class ExperimentShown:
    """What an experiment has given so far.

    Attributes
    ----------
    path, config, label
        Its folder, what it was begun with, and what it is called.
    done, total
        Batches.
    clips
        The clips of each kind that are done.
    positions
        The numbers of positions with features.
    features
        The table of features.
    """

    path: Path
    config: ExperimentConfig
    label: str
    done: int
    total: int
    clips: dict[str, list[str]]
    positions: tuple[str, ...]
    features: pd.DataFrame

    @property
    def is_finished(self) -> bool:
        """Whether all batches are done."""
        return 0 < self.total == self.done

    def __str__(self) -> str:
        """Return it in one line."""
        clips = sum(len(names) for names in self.clips.values())
        state = "finished" if self.is_finished else f"{self.done} of {self.total} batches done"
        return f"{self.path.name} · {self.label} · {state} · {clips} clips"


@dataclass(frozen=True)
class FramePoints:
    """One point a frame: two features at one position.

    Attributes
    ----------
    x, y
        (N,) above 0.
    absent
        (N,) bool: the object is not in the frame.
    clips, frames
        (N,) where each point is.
    titles
        Of the two axes.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    absent: NDArray[np.bool_]
    clips: NDArray[np.str_]
    frames: NDArray[np.int64]
    titles: tuple[str, str]

    @property
    def points(self) -> NDArray[np.float64]:
        """(N, 2)."""
        return np.stack([self.x, self.y], axis=1)

    def describe(self) -> str:
        """Say how well each feature tells absent frames."""
        from napari_sam2_probe.analysis.auroc import auroc

        if not self.absent.any() or self.absent.all():
            return f"{len(self.x)} frames, none of them without the object."
        told = (f"{title} {auroc(v, self.absent):.2f}" for title, v in zip(self.titles, (self.x, self.y), strict=True))
        return f"{int(self.absent.sum())} of {len(self.x)} frames without the object. AUROC: {', '.join(told)}."


def look_at_experiment(folder: Path | str) -> ExperimentShown:
    """Read what there is of an experiment, finished or not.

    Raises
    ------
    InputError
        If the folder holds none, or it can't be read.
    """
    from napari_sam2_probe.experiments.results import open_experiment

    results = open_experiment(folder)
    features = results.features
    return ExperimentShown(
        Path(folder),
        results.config,
        results.label,
        results.done,
        results.total,
        {kind: results.clips(kind) for kind in results.kinds},
        tuple(dict.fromkeys(features["position"])),
        features,
    )


def frame_points(shown: ExperimentShown, kind: str, position: str, names: tuple[str, str]) -> FramePoints:
    """Return the frames of a kind of clips at a position, those with both features finite and above 0."""
    table = shown.features
    rows = table[(table["kind"] == kind) & (table["position"] == position)]
    values = rows[list(names)].to_numpy(dtype=np.float64)
    keep = (np.isfinite(values) & (values > 0)).all(axis=1)
    rows, values = rows[keep], values[keep]
    return FramePoints(
        values[:, 0],
        values[:, 1],
        ~rows["object_present"].to_numpy(dtype=np.bool_),
        rows["clip"].to_numpy(dtype=np.str_),
        rows["frame"].to_numpy(dtype=np.int64),
        (FEATURE_LABELS[names[0]], FEATURE_LABELS[names[1]]),
    )


def points_chart(points: FramePoints) -> Chart:
    """Return one point a frame as a chart on logarithmic axes."""
    from napari_sam2_probe.figures.chart import Chart, Dots, limits_of
    from napari_sam2_probe.figures.style import NEUTRAL

    dots = []
    for absent, colour, label in ((False, NEUTRAL, "object present"), (True, ABSENT_COLOUR, "object absent")):
        chosen = points.absent == absent
        if chosen.any():
            dots.append(Dots(label, points.x[chosen], points.y[chosen], colour, size=3.5, frames=points.frames[chosen]))
    return Chart(
        dots=tuple(dots),
        x_limits=limits_of([points.x], log=True),
        y_limits=limits_of([points.y], log=True),
        x_label=points.titles[0],
        y_label=points.titles[1],
        x_log=True,
        y_log=True,
    )


def clip_of_experiment(folder: Path | str, kind: str, clip: str) -> list[LayerData]:
    """Return a clip as layers: its frames, its true masks, and the masks that were predicted.

    Raises
    ------
    InputError
        If the clip is not done.
    """
    from napari_sam2_probe.experiments.results import open_experiment
    from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

    results = open_experiment(folder)
    sequence = results.sequence(kind, clip)
    predicted = results.masks(kind, clip).astype(np.uint8) * OBJECT_OF_INTEREST
    (video, about, image), (truth, truth_about, labels) = video_layers(sequence)
    keywords: dict[str, Any] = {
        "name": f"{clip} predicted masks",
        "opacity": MASK_OPACITY,
        "colormap": object_colormap([OBJECT_OF_INTEREST]),
        "axis_labels": AXIS_LABELS,
        "metadata": {METADATA_KEY: {"content": PREDICTED_MASKS, "frames": sequence}},
    }
    return [(video, about, image), (truth, truth_about | {"visible": False}, labels), (predicted, keywords, "labels")]


def experiment_job(config: ExperimentConfig | None, folder: Path) -> Generator[Progress, None, None]:
    """Make an experiment, or go on with the one in a folder; closing the generator stops and keeps what is whole.

    Parameters
    ----------
    config
        What to do; None: what the folder's own configuration says.
    folder
        Where.
    """
    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.experiments.config import read_config
    from napari_sam2_probe.experiments.folder import CONFIG

    yield Progress(0, 0, "loading torch and the model")
    from napari_sam2_probe.experiments.execute import iterate_experiment

    yield from iterate_experiment(config or read_config(folder / CONFIG), folder, command="the Experiments panel")
