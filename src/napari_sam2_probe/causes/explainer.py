"""Questions about the frames of one run, whose session is kept between them: blame, other banks, looks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.causes.changes import ChangedFrame, source_name
from napari_sam2_probe.causes.explain import blame_rows, blame_table, check_the_same
from napari_sam2_probe.causes.pairs import MatchedDonor, no_truth
from napari_sam2_probe.causes.tables import count_blame_passes
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.runs.banks import attention_shares
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.tracking.steps import is_one_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.causes.changes import BankChanges
    from napari_sam2_probe.causes.pairs import Truth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.donors import SessionDonor
    from napari_sam2_probe.tracking.intervening import Donor, Donors
    from napari_sam2_probe.tracking.looking import FrameAttention
    from napari_sam2_probe.tracking.results import RepeatedFrame
    from napari_sam2_probe.tracking.session import VideoSession


class Explainer:
    """Answers what caused the masks of a run.

    Its methods are generators that give `Progress` and then the answer; one thread at a time calls them. A run on disk
    is made again as far as a question needs it, once for all questions. Where prompts were given between passes, what a
    frame read is replaced later, so such a run is made again for every other frame.

    Parameters
    ----------
    run
        The run.
    loaded
        Its model.
    video
        The video, if it isn't where it was, or never lay anywhere.
    session
        The session that the run is being recorded from, if it is live; it stays as it is.
    truth
        True masks (H, W) bool by frame and object, where they are known.
    """

    def __init__(
        self,
        run: ProbeRun,
        loaded: Model,
        *,
        video: Any = None,
        session: VideoSession | None = None,
        truth: Callable[[int], Truth] = lambda _object_id: no_truth,
    ) -> None:
        self.run = run
        self._loaded = loaded
        self._video = video
        self._live = session
        self._truth = truth
        self._own: SessionDonor | None = None
        self._stands_at: int | None = None
        self._twins: dict[str, SessionDonor] = {}

    def close(self) -> None:
        """Remove temporary files; calling it twice is harmless."""
        donors = [*self._twins.values(), *([] if self._own is None else [self._own])]
        self._twins.clear()
        self._own = None
        for donor in donors:
            donor.close()

    def blame(self, frame: int, object_id: int) -> Iterator[Progress | pd.DataFrame]:
        """Drop each entry of a frame's bank in turn, and groups; see `causes.explain.explain_frames`.

        Yields
        ------
        Progress, then pandas.DataFrame
            The table, with the columns ``BLAME_COLUMNS``.

        Raises
        ------
        InputError
            If the frame was not tracked from memory, or the run can't be made again.
        """
        with self._threads():
            session = yield from self._session_at(frame, object_id)
            bank = session.bank(frame, object_id)
            total = count_blame_passes(0 if bank is None else len(bank.entries))
            shares = attention_shares(self.run, frame, object_id)
            rows: list[dict[str, Any]] = []
            yield Progress(0, total, f"explaining frame {frame}", "pass")
            for row in blame_rows(session, frame, object_id, self._truth(object_id)(frame), shares or None):
                rows.append(row)
                yield Progress(len(rows) + 1, total, f"explaining frame {frame}", "pass")
        yield blame_table(rows)

    def look(self, frame: int, object_id: int) -> Iterator[Progress | FrameAttention]:
        """Find where a frame looked, pixel by pixel; see `VideoSession.look`.

        Yields
        ------
        Progress, then FrameAttention
        """
        with self._threads():
            session = yield from self._session_at(frame, object_id)
            seen = session.look(frame, object_id)
        yield seen

    def try_changes(
        self, frame: int, object_id: int, changes: BankChanges, *, onward: bool = False, twin: ProbeRun | None = None
    ) -> Iterator[Progress | ChangedFrame]:
        """Track a frame again with another bank, and with `onward` those after it from what that came to.

        Parameters
        ----------
        frame, object_id
            The first frame and the object.
        changes
            What is changed of what these frames read.
        onward
            Whether to go on, in the direction in which the frame was tracked, as far as the object was tracked.
        twin
            The run that swapped entries are taken from.

        Yields
        ------
        Progress or ChangedFrame
            Each frame as it is done.

        Raises
        ------
        InputError
            If the frame was not tracked from memory, nothing is changed, or a run can't be made again.
        """
        if changes.is_empty:
            raise InputError("Nothing is changed: drop an entry, or put the twin's in its place.")
        with self._threads():
            session = yield from self._session_at(frame, object_id, to_end=onward)
            donors = yield from self._donors(session, changes, twin)
            frames = self._frames_from(session, frame, object_id) if onward else range(frame, frame + 1)
            truth = self._truth(object_id)
            edits = changes.edits()
            first = session.repeat(frame, object_id)
            before = self._unedited(session, frames, object_id, first)
            yield Progress(0, len(frames), "tracking again", "frame")
            if onward:
                after = session.what_if(frames, object_id, edits, donors)
            else:
                after = iter([(frame, session.repeat(frame, object_id, edits, donors))])
            for done, (t, result) in enumerate(after, 1):
                mask, score = before(t)
                yield _changed(t, mask, score, result, truth(t))
                yield Progress(done, len(frames), "tracking again", "frame")

    # The sessions.

    def _threads(self) -> ExitStack:
        stack = ExitStack()
        if self._live is None:
            # The number of threads moves float32 results.
            stack.enter_context(processor_threads(self.run.info["model"]["threads"]))
        return stack

    def _session_at(
        self, frame: int, object_id: int, *, to_end: bool = False
    ) -> Generator[Progress, None, VideoSession]:
        if self._live is not None:
            return self._live
        own = self._own
        if own is not None and not own.is_one_pass and self._stands_at != (None if to_end else frame):
            own.close()
            own = self._own = None
        if own is None:
            yield Progress(0, 0, f"opening {self.run.path.name}")
            own = self._own = remake(self.run, self._loaded, attention="sampled", video=self._video)
        goal = None if to_end and not own.is_one_pass else frame
        yield from _tracked(own, goal, f"repeating {self.run.path.name}")
        self._stands_at = goal
        check_the_same(self.run, own.session, frame, object_id)
        return own.session

    def _donors(
        self, session: VideoSession, changes: BankChanges, twin: ProbeRun | None
    ) -> Generator[Progress, None, Donors]:
        around = None if session.options.intervention is None else session.options.intervention.donors
        swapped: dict[str, Donor] = {}
        if changes.swapped:
            if twin is None:
                raise InputError("No twin is chosen to take memories from: choose its run.")
            donor = yield from self._twin_at(twin, max(changes.swapped.values()))
            for kind in ("memory", "pointer"):
                frames = {t: theirs for (of, t), theirs in changes.swapped.items() if of == kind}
                swapped[source_name(kind)] = MatchedDonor(donor, frames)

        def find(name: str | None) -> Donor:
            if name in swapped:
                return swapped[name]
            if around is None:
                raise InputError(f"There is no run {name!r} to take from.")
            return around(name)

        return find

    def _twin_at(self, twin: ProbeRun, frame: int) -> Generator[Progress, None, SessionDonor]:
        key = str(twin.path)
        if key not in self._twins:
            for other in self._twins.values():
                other.close()
            self._twins.clear()
            yield Progress(0, 0, f"opening {twin.path.name}")
            self._twins[key] = remake(twin, self._loaded)
        donor = self._twins[key]
        yield from _tracked(donor, frame if donor.is_one_pass else None, f"repeating {twin.path.name}")
        return donor

    # Frames.

    def _frames_from(self, session: VideoSession, frame: int, object_id: int) -> range:
        output = session.stored_output(frame, object_id)
        step = -1 if output is not None and output.reverse else 1
        tracked = self.run.tracked[self.run.object_ids.tolist().index(object_id)]
        last = frame
        while 0 <= last + step < self.run.num_frames and tracked[last + step]:
            last += step
        return range(frame, last + step, step)

    def _unedited(
        self, session: VideoSession, frames: range, object_id: int, first: RepeatedFrame
    ) -> Callable[[int], tuple[NDArray[np.bool_], float]]:
        """Return what gives the mask and object score of the frames, in order, as they are without changes.

        Those that were recorded, unless a frame tracked now would come out otherwise: after corrections, on another
        machine, or where masks of objects were kept from overlapping.
        """
        row = self.run.object_ids.tolist().index(object_id)
        recorded = self.run.masks_per_object
        same = np.array_equal(recorded[row, frames[0]], first.mask)
        if len(frames) == 1:
            return lambda _frame: (first.mask, first.object_score)
        if same and is_one_pass(session.log.resolved()) and not self._loaded.flags.non_overlap_masks:
            scores = self.run.object_scores[row]
            return lambda frame: (np.asarray(recorded[row, frame]), float(scores[frame]))
        again = session.what_if(frames, object_id)

        def track(frame: int) -> tuple[NDArray[np.bool_], float]:
            reached, result = next(again)
            assert reached == frame
            return result.mask, result.object_score

        return track


def _tracked(donor: SessionDonor, goal: int | None, what: str) -> Iterator[Progress]:
    for done, total in donor.tracking_to(goal):
        yield Progress(done, total, what, "frame")


def _changed(
    frame: int, mask: NDArray[np.bool_], score: float, after: RepeatedFrame, truth: NDArray[np.bool_] | None
) -> ChangedFrame:
    known = truth is not None and truth.shape == mask.shape
    return ChangedFrame(
        frame=frame,
        mask=after.mask,
        iou=region_similarity(mask, after.mask),
        j_before=region_similarity(truth, mask) if truth is not None and known else float("nan"),
        j_after=region_similarity(truth, after.mask) if truth is not None and known else float("nan"),
        score_before=score,
        score_after=after.object_score,
    )
