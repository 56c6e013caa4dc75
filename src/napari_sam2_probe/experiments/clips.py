"""One clip of a data set through SAM 2, prompted as the experiments are: the visible true mask on frame 0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import ProgressCallback, ignore_progress
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import prompts_from_labels
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST, read_truth

if TYPE_CHECKING:
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun


def probe_clip(
    dataset: Path | str,
    clip: str,
    out: Path | str,
    loaded: Model,
    options: RunOptions | None = None,
    *,
    progress: ProgressCallback = ignore_progress,
) -> ProbeRun:
    """Track and probe the object of interest of one clip.

    Parameters
    ----------
    dataset
        A data set of clips: DAVIS layout with ``frames.csv``.
    clip
        The clip's name.
    out
        The run's folder, which must not exist.
    loaded, options, progress
        As in `record_run`.

    Raises
    ------
    InputError, ResourceError
        As in `record_run`; also if the clip has no mask on its first frame.
    """
    sequence = DavisDataset(dataset).sequence(clip)
    labels = sequence.mask(0)
    if labels is None:
        raise InputError(f"{clip} in {dataset} has no mask for its first frame: make the data set again.")
    prompts = prompts_from_labels(0, labels, [OBJECT_OF_INTEREST])
    truth = read_truth(Path(dataset) / "frames.csv", clip, sequence.num_frames)
    return record_run(sequence, prompts, out, loaded, options, truth=truth, progress=progress)
