"""Everything a run can be exported to, by what and in which format."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.output import check_target
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.decoder.library import find_decoder
from napari_sam2_probe.export.figures import export_figures
from napari_sam2_probe.export.maps import maps_as_tiff, maps_as_zarr
from napari_sam2_probe.export.masks import masks_as_coco, masks_as_davis, masks_as_tiff
from napari_sam2_probe.export.overlay import export_overlay
from napari_sam2_probe.export.tables import export_boxes, export_features, export_pointers
from napari_sam2_probe.export.whole import copy_run
from napari_sam2_probe.figures.style import object_colour, rgb_of

if TYPE_CHECKING:
    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.runs.run import ProbeRun

Exporter = Callable[..., Iterator[Progress]]
"""Takes the run and where to write; that of boxes a decoder too."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One way to export one thing.

    Attributes
    ----------
    title
        What a person chooses.
    ending
        What the name of the file or folder ends in: another for each format, so that none is in another's way.
    write
        Writes it.
    holds
        The endings of the files in the folder that is written; None if it is a single file. An empty set: a folder
        that is never replaced.
    """

    title: str
    ending: str
    write: Exporter
    holds: frozenset[str] | None = None


def _colour(obj_id: int) -> tuple[int, int, int]:
    return rgb_of(object_colour(obj_id))


_NEVER_REPLACED: frozenset[str] = frozenset()

EXPORTS: dict[str, dict[str, ExportFormat]] = {
    "masks": {
        "davis": ExportFormat("DAVIS palette PNG, a folder", "", masks_as_davis, frozenset({".png"})),
        "tiff": ExportFormat("TIFF of labels", ".tif", masks_as_tiff),
        "coco": ExportFormat("COCO run lengths (JSON)", ".json", masks_as_coco),
    },
    "maps": {
        "zarr": ExportFormat("zarr", ".zarr", maps_as_zarr, _NEVER_REPLACED),
        "tiff": ExportFormat("TIFF, a folder", "", maps_as_tiff, frozenset({".tif"})),
    },
    "features": {
        "csv": ExportFormat("CSV", ".csv", partial(export_features, file_format="csv")),
        "parquet": ExportFormat("Parquet", ".parquet", partial(export_features, file_format="parquet")),
    },
    "pointers": {
        "csv": ExportFormat("CSV", ".csv", partial(export_pointers, file_format="csv")),
        "parquet": ExportFormat("Parquet", ".parquet", partial(export_pointers, file_format="parquet")),
    },
    "boxes": {
        "csv": ExportFormat("CSV", ".csv", partial(export_boxes, file_format="csv")),
        "parquet": ExportFormat("Parquet", ".parquet", partial(export_boxes, file_format="parquet")),
    },
    "figures": {
        "pdf": ExportFormat("PDF, a folder", "-pdf", partial(export_figures, file_format="pdf"), frozenset({".pdf"})),
        "svg": ExportFormat("SVG, a folder", "-svg", partial(export_figures, file_format="svg"), frozenset({".svg"})),
        "png": ExportFormat("PNG, a folder", "-png", partial(export_figures, file_format="png"), frozenset({".png"})),
    },
    "video": {"mp4": ExportFormat("mp4, masks over the video", ".mp4", partial(export_overlay, colour_of=_colour))},
    "run": {"run": ExportFormat("Copy of the run", "", copy_run, _NEVER_REPLACED)},
}
"""What can be exported, and its formats; the first is the default."""


def export_format(what: str, name: str | None = None) -> ExportFormat:
    """Return a format by its name, or the default one.

    Raises
    ------
    InputError
        If there is no such thing or format.
    """
    if what not in EXPORTS:
        raise InputError(f"{what!r} can't be exported: choose one of {', '.join(EXPORTS)}.")
    formats = EXPORTS[what]
    if name is not None and name not in formats:
        raise InputError(f"{what} can't be exported as {name!r}: choose one of {', '.join(formats)}.")
    return formats[name or next(iter(formats))]


def default_name(run_name: str, what: str, chosen: ExportFormat) -> str:
    """Return a name for an export in a folder that the user chose."""
    return run_name + ("-copy" if what == "run" else f"-{what}") + chosen.ending


def iterate_export(
    run: ProbeRun,
    what: str,
    out: Path | str,
    name: str | None = None,
    *,
    overwrite: bool = False,
    decoder: BoxDecoder | None = None,
) -> Generator[Progress, None, None]:
    """Export a run step by step; closing the iterator in between leaves nothing behind.

    Parameters
    ----------
    run
        The run, finished or not.
    what
        A key of `EXPORTS`.
    out
        The file or folder to write. It is complete or not there.
    name
        A format of `what`; the first if None.
    overwrite
        Whether an earlier export at `out` may be replaced.
    decoder
        With boxes: what decodes object pointers; None for the one that `find_decoder` knows for the run's model,
        where there is one that is clearly better than guessing the mean box.

    Raises
    ------
    InputError
        If there is no such format, something is in the way, the run holds nothing of the kind, or the decoder was
        fitted for another model.
    ResourceError
        If the system refuses to write.
    """
    chosen = export_format(what, name)
    out = Path(out)
    check_target(out, overwrite=overwrite, suffixes=chosen.holds)
    if out.absolute().is_relative_to(Path(run.path).absolute()):
        raise InputError(f"{out} is inside the run itself: choose a place outside of it.")
    if what != "boxes":
        if decoder is not None:
            raise InputError(f"A decoder gives boxes, not {what}: leave it out, or export boxes.")
        yield from chosen.write(run, out)
        return
    yield from chosen.write(run, out, decoder=decoder_for(run, decoder))


def decoder_for(run: ProbeRun, given: BoxDecoder | None) -> BoxDecoder | None:
    """Return the decoder that belongs to a run's checkpoint: the given one, or a useful one that is installed for it.

    Raises
    ------
    InputError
        If the given one was made for another checkpoint.
    """
    # A run that another program wrote may say nothing about a model.
    model = run.info.get("model", {})
    if given is None:
        found = find_decoder(model.get("sha256"))
        return None if found is None or (found.report is not None and not found.report.is_useful) else found
    given.check_made_for(model.get("checkpoint", "an unknown one"), model.get("sha256"))
    return given


def export_run(
    run: ProbeRun,
    what: str,
    out: Path | str,
    name: str | None = None,
    *,
    overwrite: bool = False,
    decoder: BoxDecoder | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Export a run; parameters and errors as in `iterate_export`. Returns what was written."""
    with closing(iterate_export(run, what, out, name, overwrite=overwrite, decoder=decoder)) as events:
        for event in events:
            progress(event)
    return Path(out)
