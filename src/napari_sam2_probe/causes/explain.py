"""What caused a frame's mask: what becomes of it when entries of its bank are not read (blame)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.causes.tables import BLAME_COLUMNS, GROUPS
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.runs.banks import attention_shares, check_frame, the_object
from napari_sam2_probe.runs.recorded import load_recorded_model
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.attention import GROUPS as ATTENTION_GROUPS
from napari_sam2_probe.tracking.interventions import Edit, EntrySelector
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.video.layout import find_annotations
from napari_sam2_probe.video.mask_folder import MaskFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.causes.pairs import Truth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.bank import Bank, BankEntry
    from napari_sam2_probe.tracking.results import RepeatedFrame
    from napari_sam2_probe.tracking.session import VideoSession

BLAME = "blame.csv"


def explain_frames(
    run: ProbeRun,
    frames: Sequence[int],
    object_id: int | None = None,
    *,
    model: Model | None = None,
    truth: Truth | None = None,
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
        Frames that were tracked from memory; see `explainable`.
    object_id
        The object; not needed where there is only one.
    model
        The model, if it is loaded already.
    truth
        Gives the true mask (H, W) bool of a frame, None where it is not known; looked for beside the video if None.
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
    object_id = the_object(run, object_id)
    for frame in frames:
        _check_tracked(run, frame, object_id)
    loaded = load_recorded_model(run) if model is None else model
    find_truth = truth_beside(run, object_id) if truth is None else truth
    rows: dict[int, list[dict[str, Any]]] = {}
    # The number of threads moves float32 results.
    with processor_threads(run.info["model"]["threads"]), remake(run, loaded, video=video) as again:
        # In a session that was corrected, what a frame read may be replaced later: it is explained when it was tracked.
        for frame in again.settle(frames):
            check_the_same(run, again.session, frame, object_id)
            rows[frame] = blame(
                again.session, frame, object_id, find_truth(frame), attention_shares(run, frame, object_id)
            )
            progress(Progress(len(rows), len(set(frames)), f"explaining {run.path.name}", "frame"))
    return blame_table([row for frame in sorted(rows) for row in rows[frame]])


def explainable(run: ProbeRun, frames: Iterable[int], object_id: int) -> list[int]:
    """Return which of some frames were tracked from memory, and can be explained.

    Raises
    ------
    InputError
        If none was, or one is not in the video.
    """
    frames = list(frames)
    for frame in frames:
        check_frame(run, frame)
    prompted = run.prompted[run.object_ids.tolist().index(object_id)]
    reading = set(run.bank_frames(object_id))
    found = [frame for frame in frames if frame in reading and not prompted[frame]]
    if not found:
        which = f"frames {frames[0]} to {frames[-1]}" if frames else "no frames"
        raise InputError(
            f"None of {which} of {run.path} was tracked from memory for object {object_id}: choose others."
        )
    return found


def blame_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of `blame` as a table with the columns `BLAME_COLUMNS`."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(BLAME_COLUMNS)).astype({"entry_frame": "Int64", "age": "Int64"})


def _check_tracked(run: ProbeRun, frame: int, object_id: int) -> None:
    check_frame(run, frame)
    if run.bank(frame, object_id).empty:
        raise InputError(
            f"Frame {frame} read no memory for object {object_id} in {run.path}: choose one that was tracked from "
            "memory, not a prompted one or one from which an edit took all."
        )
    if run.prompted[run.object_ids.tolist().index(object_id), frame]:
        raise InputError(
            f"Frame {frame} of {run.path} was prompted for object {object_id}: choose one that was tracked from memory."
        )


def blame(
    session: VideoSession,
    frame: int,
    object_id: int,
    truth: NDArray[np.bool_] | None = None,
    attention: Mapping[tuple[str, int], float] | None = None,
) -> list[dict[str, Any]]:
    """Drop each entry of the bank of one frame of a session in turn, and groups of them, and say what changes.

    Parameters
    ----------
    session
        A session in which the frame was tracked, and what it read was not replaced since.
    frame, object_id
        The frame and object.
    truth
        The true mask (H, W), where it is known.
    attention
        The share of attention that each entry received, by kind and frame; what the session sees if None.

    Returns
    -------
    list of dict
        A row an entry, in the order of the bank, then one for each of `GROUPS`; see `explain_frames`.

    Raises
    ------
    InputError
        If the frame was not tracked from memory, or what it read was replaced since.
    """
    return list(blame_rows(session, frame, object_id, truth, attention))


def blame_rows(
    session: VideoSession,
    frame: int,
    object_id: int,
    truth: NDArray[np.bool_] | None = None,
    attention: Mapping[tuple[str, int], float] | None = None,
) -> Iterator[dict[str, Any]]:
    """Do what `blame` does, and give each row as soon as its pass is done."""
    before = session.repeat(frame, object_id)
    bank = session.bank(frame, object_id)
    assert bank is not None
    shares_of = _shown_shares(before, bank) if attention is None else attention

    def row(kind: str, role: str, entry: BankEntry | None, dropped: list[BankEntry], edit: Edit) -> dict[str, Any]:
        after = session.repeat(frame, object_id, [edit])
        shares = [shares_of.get((item.kind, item.frame), np.nan) for item in dropped]
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

    for entry in bank.entries:
        edit = Edit(edit="drop", target=entry.kind, entries=EntrySelector(frames=(entry.frame,)))
        yield row(entry.kind, entry.role, entry, [entry], edit)
    for kind, role in GROUPS:
        dropped = _group(bank, kind, role)
        edit = Edit(edit="drop", target=kind, entries="all" if role == "all" else EntrySelector(role=role))
        yield row(kind, role, None, dropped, edit)


def _shown_shares(frame: RepeatedFrame, bank: Bank) -> dict[tuple[str, int], float]:
    """Return the share of each entry, mean over all queries and layers; nothing if the session doesn't look."""
    if frame.attention is None:
        return {}
    means = frame.attention[:, ATTENTION_GROUPS.index("all")].mean(axis=0)
    return {(item.kind, item.frame): float(share) for item, share in zip(bank.entries, means, strict=True)}


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


def truth_beside(run: ProbeRun, object_id: int) -> Callable[[int], NDArray[np.bool_] | None]:
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


def check_the_same(run: ProbeRun, session: VideoSession, frame: int, object_id: int) -> None:
    """Make sure that a frame of a run that was made again is what it was.

    Raises
    ------
    InputError
        If its object pointer differs by more than rounding.
    """
    recorded = run.object_pointers[run.object_ids.tolist().index(object_id), frame]
    output = session.stored_output(frame, object_id)
    made = None if output is None else output.obj_ptr.float().cpu().numpy()[0]
    if made is None or not np.allclose(made, recorded, rtol=1e-2, atol=1e-2 * np.abs(recorded).max()):
        raise InputError(
            f"Frame {frame} of {run.path} doesn't come out as it was recorded, on another device or version: record it "
            "again, and explain that."
        )
