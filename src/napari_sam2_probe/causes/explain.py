"""What caused a frame's mask: what becomes of it when entries of its bank are not read (SPEC 12, blame)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.runs.banks import check_frame, the_object
from napari_sam2_probe.runs.layout import ATTENTION
from napari_sam2_probe.runs.recorded import load_recorded_model
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.interventions import Edit, EntrySelector
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.video.layout import find_annotations
from napari_sam2_probe.video.mask_folder import MaskFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.bank import Bank, BankEntry
    from napari_sam2_probe.tracking.results import RepeatedFrame
    from napari_sam2_probe.tracking.session import VideoSession

BLAME = "blame.csv"

COLUMNS = (
    "object_id",
    "frame",
    "kind",
    "entry_frame",
    "role",
    "age",
    "attention",
    "delta_iou",
    "delta_j",
    "delta_score",
    "delta_pointer",
)
"""The columns of ``blame.csv``."""

GROUPS: tuple[tuple[Literal["memory", "pointer", "both"], Literal["all", "recent", "conditioning"]], ...] = (
    ("memory", "all"),
    ("pointer", "all"),
    ("both", "recent"),
    ("both", "conditioning"),
    ("both", "all"),
)
"""Groups of entries that are dropped together, as `kind` and `role` of their rows."""


def explain_frames(
    run: ProbeRun,
    frames: Sequence[int],
    object_id: int | None = None,
    *,
    model: Model | None = None,
    truth: Mapping[int, NDArray[np.bool_]] | None = None,
    video: Any = None,
    progress: ProgressCallback = ignore_progress,
) -> pd.DataFrame:
    """Drop each entry of the banks of frames in turn, and groups of them, and say what changes.

    The run is made again as far as needed, its image features once.

    Parameters
    ----------
    run
        The run, whose video and weights must be where they were.
    frames
        Frames that were tracked from memory.
    object_id
        The object; not needed where there is only one.
    model
        The model, if it is loaded already.
    truth
        True masks (H, W) bool by frame; looked for beside the video if None.
    video
        The video, if it isn't where it was, or never lay anywhere.
    progress
        Called with every frame.

    Returns
    -------
    pandas.DataFrame
        One row for each entry, in the order of the bank, and for each of `GROUPS` (``entry_frame`` and ``age`` empty).
        ``attention`` is the share that was recorded, mean over all queries and layers; the others are what changed
        when the entry was not read: ``delta_iou``, the IoU with the mask as it was minus 1; ``delta_j``, J minus J as
        it was, NaN without truth; ``delta_score``, the object score in logits; ``delta_pointer``, the L2 distance of
        the ungated pointer. A frame that reads nothing at all is to SAM 2 what a first prompted frame is.

    Raises
    ------
    InputError
        If a frame read no memory, or the run can't be made again.
    """
    import pandas as pd

    object_id = the_object(run, object_id)
    for frame in frames:
        check_frame(run, frame)
        if run.bank(frame, object_id).empty:
            raise InputError(
                f"Frame {frame} read no memory for object {object_id} in {run.path}: choose one that was tracked from "
                "memory, not a prompted one or one from which an edit took all."
            )
    loaded = load_recorded_model(run) if model is None else model
    find_truth = _truth_beside(run, object_id) if truth is None else truth.get
    rows: list[dict[str, Any]] = []
    # The number of threads moves float32 results.
    with processor_threads(run.info["model"]["threads"]), remake(run, loaded, video=video) as again:
        for done, frame in enumerate(frames, 1):
            again.track_to(frame)
            _check_the_same(run, again.session, frame, object_id)
            rows += _blame(again.session, frame, object_id, find_truth(frame), _attention(run, frame, object_id))
            progress(Progress(done, len(frames), f"explaining {run.path.name}", "frame"))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"entry_frame": "Int64", "age": "Int64"})


def _blame(
    session: VideoSession,
    frame: int,
    object_id: int,
    truth: NDArray[np.bool_] | None,
    attention: Mapping[tuple[str, int], float],
) -> list[dict[str, Any]]:
    bank = session.bank(frame, object_id)
    assert bank is not None
    before = session.repeat(frame, object_id)

    def row(kind: str, role: str, entry: BankEntry | None, dropped: list[BankEntry], edit: Edit) -> dict[str, Any]:
        after = session.repeat(frame, object_id, [edit])
        shares = [attention.get((item.kind, item.frame), np.nan) for item in dropped]
        return {
            "object_id": object_id,
            "frame": frame,
            "kind": kind,
            "entry_frame": None if entry is None else entry.frame,
            "role": role,
            "age": None if entry is None else entry.age,
            "attention": float(sum(shares)),
            **_differences(before, after, truth),
        }

    rows = []
    for entry in bank.entries:
        edit = Edit(edit="drop", target=entry.kind, entries=EntrySelector(frames=(entry.frame,)))
        rows.append(row(entry.kind, entry.role, entry, [entry], edit))
    for kind, role in GROUPS:
        dropped = _group(bank, kind, role)
        edit = Edit(edit="drop", target=kind, entries="all" if role == "all" else EntrySelector(role=role))
        rows.append(row(kind, role, None, dropped, edit))
    return rows


def _group(bank: Bank, kind: str, role: str) -> list[BankEntry]:
    return [item for item in bank.entries if kind in ("both", item.kind) and role in ("all", item.role)]


def _differences(before: RepeatedFrame, after: RepeatedFrame, truth: NDArray[np.bool_] | None) -> dict[str, float]:
    delta_j = np.nan
    if truth is not None:
        delta_j = region_similarity(truth, after.mask) - region_similarity(truth, before.mask)
    return {
        "delta_iou": region_similarity(before.mask, after.mask) - 1,
        "delta_j": delta_j,
        "delta_score": after.object_score - before.object_score,
        "delta_pointer": float(np.linalg.norm(after.pointer.astype(np.float64) - before.pointer)),
    }


def _attention(run: ProbeRun, frame: int, object_id: int) -> dict[tuple[str, int], float]:
    """Return the share of each entry, mean over all queries and layers; nothing if the run recorded none."""
    if not (run.path / ATTENTION).is_file():
        return {}
    table = run.attention(frame, object_id)
    table = table[table["queries"] == "all"]
    means = table.groupby(["kind", "entry_frame"], observed=True)["share"].mean()
    kinds, frames = means.index.get_level_values(0), means.index.get_level_values(1)
    return {(str(k), int(t)): float(share) for k, t, share in zip(kinds, frames, means, strict=True)}


def _truth_beside(run: ProbeRun, object_id: int) -> Callable[[int], NDArray[np.bool_] | None]:
    """Return a function that reads the true mask of a frame where the video lies in a data set."""
    about = run.info["video"]
    annotations = None if about["path"] is None else find_annotations(Path(about["path"]))
    if annotations is None:
        return lambda _frame: None
    masks, names = MaskFolder(annotations), about.get("frame_names")
    size = (about["height"], about["width"])

    def truth(frame: int) -> NDArray[np.bool_] | None:
        found = masks.object_mask(f"{frame:05d}" if names is None else names[frame], object_id)
        return found if found is not None and found.shape == size else None

    return truth


def _check_the_same(run: ProbeRun, session: VideoSession, frame: int, object_id: int) -> None:
    recorded = run.object_pointers[run.object_ids.tolist().index(object_id), frame]
    output = session.stored_output(frame, object_id)
    made = None if output is None else output.obj_ptr.float().cpu().numpy()[0]
    if made is None or not np.allclose(made, recorded, rtol=1e-2, atol=1e-2 * np.abs(recorded).max()):
        corrected = len(run.info.get("passes", ())) > 1
        why = (
            "was corrected between passes, which can't be explained yet: record one run with all its prompts from the "
            "beginning, and explain that."
            if corrected
            else "doesn't come out as it was recorded, on another device or version: record it again, and explain that."
        )
        raise InputError(f"Frame {frame} of {run.path} {why}")
