"""The demo: two transformed clips and their clean twins, tracked, probed, drawn and explained on a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.made_folder import check_made_folder, made_folder
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.experiments.clips import probe_clip
from napari_sam2_probe.export.clip_view import ClipView
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.reports.demo_text import describe_interjection, describe_obscuration, provenance
from napari_sam2_probe.reports.page import Page, PageFigure, Section, write_page
from napari_sam2_probe.runs import find_runs
from napari_sam2_probe.runs.library import relocate_video
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.transforms.recipe import clip_name
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from napari_sam2_probe.families.loaded import Model

INDEX = "index.html"
_DEMO = "demo"


@dataclass(frozen=True)
class DemoPair:
    """A transformed clip and its clean twin.

    Attributes
    ----------
    kind
        What is done to the clip.
    seed
        Decides which clip.
    """

    kind: str
    seed: int


# Seeds whose clips show plainly what the kind is about.
PAIRS = (DemoPair("interjection", 0), DemoPair("obscuration", 5))


def make_demo(
    out: Path | str, load: Callable[[], Model], *, command: str, progress: ProgressCallback = ignore_progress
) -> Path:
    """Make the demo from the sample data.

    Parameters
    ----------
    out
        The folder to make. An earlier demo there is replaced when the new one is complete; anything else is left alone.
    load
        Gives the model; called first, so that nothing is done for one that can't be had.
    command
        How the demo was asked for, for the page.
    progress
        Called with every step.

    Returns
    -------
    pathlib.Path
        The page, ``out/index.html``; runs are in ``out/runs``, clips in ``out/clips``, figures in ``out/figures``.

    Raises
    ------
    InputError
        If `out` holds something that is not a demo, or the model can't be used.
    """
    out = Path(out)
    check_made_folder(out, _DEMO)
    loaded = load()
    with made_folder(out, _DEMO) as made:
        _make(made, loaded, command, progress)
        for run in find_runs(made):
            # Runs name their videos, which are about to move with them.
            relocate_video(run, made.absolute(), out.absolute())
    return out / INDEX


def _make(out: Path, loaded: Model, command: str, progress: ProgressCallback) -> None:
    for pair in PAIRS:
        for kind in ("clean", pair.kind):
            _make_clip(out, kind, pair.seed, progress)
    views = [tuple(_probe(out, kind, pair.seed, loaded, progress) for kind in ("clean", pair.kind)) for pair in PAIRS]
    (clean, interjected), (twin, obscured) = views
    model = loaded.describe()
    warning = banner({"the demo": model})
    drawing = _Drawing(out, progress, warning)
    sections = (_interjection_section(drawing, clean, interjected), _obscuration_section(drawing, twin, obscured))
    page = Page(
        title="What SAM 2 sees: an interjection and an obscuration",
        lead=(
            "Two clips were made from the sample videos, each next to a clean twin. SAM 2 was given the true mask on "
            "the first frame, tracked the object through 28 frames, and was observed at five positions."
        ),
        sections=sections,
        provenance=provenance(model, interjected, obscured, command),
        warning=warning,
    )
    write_page(page, out / INDEX)


def _make_clip(out: Path, kind: str, seed: int, progress: ProgressCallback) -> None:
    order = ClipSpec(kind, seed, options=KINDS.find(kind).read_options())
    make_dataset(DavisDataset(sample_data_folder()), _clips(out, kind, seed), order, 1, workers=1, progress=progress)


def _clips(out: Path, kind: str, seed: int) -> Path:
    return out / "clips" / f"{kind}-seed{seed}"


def _probe(out: Path, kind: str, seed: int, loaded: Model, progress: ProgressCallback) -> ClipView:
    dataset, clip = _clips(out, kind, seed), clip_name(kind, 0)
    run = probe_clip(dataset, clip, out / "runs" / f"{kind}-seed{seed}", loaded, progress=progress)
    return ClipView(run, DavisDataset(dataset).sequence(clip), kind)


class _Drawing:
    """Saves figures for the page, one after the other, and tells how far it is."""

    total = 7

    def __init__(self, out: Path, progress: ProgressCallback, remark: str) -> None:
        self._out = out
        self._remark = remark
        self._progress = progress
        self._done = 0

    def save(
        self,
        name: str,
        title: str,
        caption: str,
        figure: Figure,
        data: dict[str, Path] | None = None,
        *,
        narrow: bool = False,
    ) -> PageFigure:
        from napari_sam2_probe.figures.style import save_figure

        folder = self._out / "figures"
        folder.mkdir(exist_ok=True)
        for suffix in ("png", "pdf"):
            save_figure(figure, folder / f"{name}.{suffix}", dpi=220, remark=self._remark)
        self._done += 1
        self._progress(Progress(self._done, self.total, "drawing figures", "figure"))
        tables = tuple((label, path.relative_to(self._out).as_posix()) for label, path in (data or {}).items())
        return PageFigure(title, f"figures/{name}.png", caption, (("PDF", f"figures/{name}.pdf"), *tables), narrow)

    def table(self, name: str, columns: dict[str, Any]) -> Path:
        """Write the numbers behind a figure."""
        import pandas as pd

        path = self._out / "figures" / f"{name}.csv"
        with atomic_path(path) as temporary:
            pd.DataFrame(columns).to_csv(temporary, index=False, lineterminator="\n")
        return path


def _interjection_section(drawing: _Drawing, clean: ClipView, interjected: ClipView) -> Section:
    from napari_sam2_probe.figures.features import make_features
    from napari_sam2_probe.figures.filmstrip import make_filmstrip
    from napari_sam2_probe.figures.scores import make_scores

    gap = interjected.interjection
    assert gap is not None
    first, last = int(np.flatnonzero(gap)[0]), int(np.flatnonzero(gap)[-1])
    frames = [0, first // 2, first - 1, first, last, last + 1, (last + len(gap)) // 2, len(gap) - 1]
    film = [interjected.film_frame(t, "interjected" if gap[t] else "") for t in frames]
    figures = (
        drawing.save(
            "interjection-frames",
            "The clip",
            "Prediction filled, true mask outlined. The number is SAM 2's object score: above 0 it believes the "
            "object present.",
            make_filmstrip(film),
        ),
        drawing.save(
            "interjection-scores",
            "Object score and overlap",
            "Interjected frames shaded, frames without the object marked.",
            make_scores([clean.object_scores(), interjected.object_scores()], interjection=gap),
            narrow=True,
        ),
        drawing.save(
            "interjection-features",
            "Features over time (after the paper's figures 16 to 28)",
            "How far each frame is from the last frames that hold the object, at every position. 4r and 5r are "
            "positions 4 and 5 before SAM 2 replaces them where it believes the object gone.",
            make_features([clean.features(), interjected.features()], interjection=gap),
            {f"CSV ({view.label})": view.run.path / "features.csv" for view in (clean, interjected)},
        ),
    )
    return Section("Four frames of another video", describe_interjection(clean, interjected), figures)


def _obscuration_section(drawing: _Drawing, clean: ClipView, obscured: ClipView) -> Section:
    from napari_sam2_probe.analysis.pointers import obscuration_response, project_pointers
    from napari_sam2_probe.figures.composite import make_composite
    from napari_sam2_probe.figures.filmstrip import make_filmstrip
    from napari_sam2_probe.figures.obscuration import make_obscuration
    from napari_sam2_probe.figures.pointers import PointerPath, make_pointer_paths

    truth = obscured.truth
    assert truth is not None
    fraction = truth.obscured_fraction
    worst = int(np.nanargmax(fraction))
    frames = sorted({0, worst, *np.linspace(1, len(fraction) - 1, 7).round().astype(int).tolist()})[:8]
    film = [obscured.film_frame(t, f"{fraction[t]:.0%} covered") for t in frames]
    projection = project_pointers([clean.pointers(), obscured.pointers()])
    paths = [
        PointerPath(view.label, view.kind, coordinates, view.object_present)
        for view, coordinates in zip((clean, obscured), projection.coordinates, strict=True)
    ]
    response = obscuration_response([obscured.distance_to(clean)], [fraction])
    columns = {
        "frame": response.frame_index,
        "obscured_fraction": response.obscured_fraction,
        "pointer_distance": response.distance,
    }
    composites = [clean.composite(worst, label="Clean"), obscured.composite(worst, label="Obscured")]
    figures = (
        drawing.save("obscuration-frames", "The clip", "Prediction filled, true mask outlined.", make_filmstrip(film)),
        drawing.save(
            "obscuration-composite",
            "Five positions (after the paper's figures 7 and 8)",
            f"Frame {worst} of the clean twin and of the obscured clip: channel mean above, channel variance below, "
            "each panel with its own contrast.",
            make_composite(composites),
        ),
        drawing.save(
            "obscuration-pointers",
            "Object pointers (after figure 9)",
            "Two principal components of the pointers of both clips together, in time order from the star.",
            make_pointer_paths(paths, projection.explained_variance_ratio),
            narrow=True,
        ),
        drawing.save(
            "obscuration-distance",
            "Pointer distance against obscuration (after figure 10)",
            "One point a frame; circled where nothing covers the object.",
            make_obscuration(response),
            {"CSV": drawing.table("obscuration-distance", columns)},
            narrow=True,
        ),
    )
    return Section("An object passes in front", describe_obscuration(clean, obscured, response), figures)
