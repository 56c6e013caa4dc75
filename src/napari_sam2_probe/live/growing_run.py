"""A session in SAM 2 and its run on disk: what is written, when, and what ``run.json`` says."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.runs.describe import describe_run, now
from napari_sam2_probe.runs.donors import RunDonors
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.prompts_file import PromptFiles
from napari_sam2_probe.runs.record import check_features, write_reads, write_result
from napari_sam2_probe.runs.remake import remake_donor
from napari_sam2_probe.runs.steps_file import describe_steps
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.tracking.interventions import edits_as_json
from napari_sam2_probe.tracking.policies import STOCK, make_policy
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.tracking.steps import PromptStep
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth

_SAVE_SECONDS = 0.5
"""How long frames that are done may wait before those who read the run can see them."""
_FEATURES_SECONDS, _FEATURES_SHARE = 2.0, 20
"""The least time between two tables of features while frames come: in seconds, and in times that writing one takes."""


class GrowingRun:
    """A `VideoSession` and the run that it writes.

    Parameters
    ----------
    source
        The video.
    loaded
        The model.
    folder
        Returns the run's folder; asked with the first prompt, when the run is begun.
    options
        What is observed and how, the memory policy and the edits; the passes are those that are asked for.
    truth
        What a recipe tells of the frames of a clip.
    obj_ids
        Objects that the run has from the beginning; others follow as they are prompted.
    info
        What ``run.json`` says besides.
    prompts
        The prompts that will be given, where they are known: means of the run without edits are made from them.

    Raises
    ------
    InputError
        If an option makes no sense, or an edit takes from what is no run or not known yet.
    """

    def __init__(
        self,
        source: FrameSource,
        loaded: Model,
        folder: Callable[[], Path],
        options: RunOptions | None = None,
        truth: ClipTruth | None = None,
        *,
        obj_ids: Iterable[int] = (),
        info: Mapping[str, Any] | None = None,
        prompts: Sequence[Prompt] = (),
    ) -> None:
        self.source = source
        self.loaded = loaded
        options = options or RunOptions()
        check_features(options.features)
        self.object_names: dict[int, str] = {}
        self.writer: RunWriter | None = None
        self._folder = folder
        self._truth = truth
        self._obj_ids = tuple(obj_ids)
        self._info = dict(info or {})
        present = {} if truth is None else {OBJECT_OF_INTEREST: truth.object_present}
        unblanked = options.unblanked
        model = loaded.model
        self.recorder = ProbeRecorder(source.num_frames, options.features, present, unblanked=unblanked, model=model)
        around = loaded.model.intervention
        self._donors = RunDonors(
            source, prompts, loaded, options, self.recorder.is_present, around, remake=remake_donor
        )
        edits = self._donors.intervention.edits
        if not prompts and any(edit.edit == "mean" for edit in edits):
            raise InputError(
                "An interactive session has no means of its own to read (the edit 'mean'), since its prompts are not "
                "known yet: record a run with this edit from its prompts at once."
            )
        self.options = replace(options, intervene=tuple(edits_as_json(edits)))
        self._donors.prepare()
        session_options = SessionOptions.for_model(
            loaded,
            observe_unblanked=unblanked,
            policy=None if options.policy == STOCK else make_policy(options.policy),
            intervention=self._donors.intervention,
            attention=options.attention,
        )
        self.session = VideoSession(loaded.model, source, session_options, self.recorder)
        self._unsaved: list[int] = []
        self._saved = self._features_due = 0.0
        self._closed = False
        self._files: Any = None

    def begin(self, obj_id: int | None) -> None:
        """Make the run's folder, with this object.

        Raises
        ------
        InputError, ResourceError
            If it can't be made.
        """
        source = self.source
        obj_ids = self._obj_ids or (() if obj_id is None else (obj_id,))
        parameters = asdict(self.options) | {"direction": None, "start": None, "end": None}
        info = describe_run(source, self.loaded, self.options, self._truth)
        info |= {"parameters": parameters, "objects": list(obj_ids)} | self._info
        shape = (source.num_frames, source.height, source.width)
        self.writer = RunWriter(self._folder(), obj_ids, shape, self.loaded.model.hidden_dim, info)
        self._files = PromptFiles(self.writer.path)

    def write(self, result: FrameResult) -> None:
        """Write a frame that was tracked."""
        assert self.writer is not None
        write_result(self.writer, self.recorder, result)
        self._unsaved.append(result.frame_idx)

    def save_info(self, **changes: Any) -> None:
        """Write down what was done so far, and other `changes` of ``run.json``."""
        assert self.writer is not None
        done = describe_steps(self.session, self._files)
        ways = {entry["direction"] for entry in done["passes"]}
        direction = "both" if len(ways) > 1 else next(iter(ways), None)
        self.writer.update_info(
            **done,
            parameters=self.writer.info["parameters"] | {"direction": direction},
            objects=list(self.session.obj_ids),
            object_names={str(obj_id): name for obj_id, name in self.object_names.items()},
            **changes,
        )

    def save(self, *, only_if_due: bool = False) -> tuple[int, ...]:
        """Bring all frames to disk, and return those that were not there before."""
        if self.writer is None or (only_if_due and time.monotonic() - self._saved <= _SAVE_SECONDS):
            return ()
        self.writer.flush()
        self.save_info()
        self._saved = time.monotonic()
        frames, self._unsaved = tuple(self._unsaved), []
        if frames and self._saved >= self._features_due:
            self.write_features()
        return frames

    def write_features(self) -> None:
        """Write the features of all frames, as far as they are known."""
        if self.writer is None:
            return
        began = time.monotonic()
        there = self.session.obj_ids
        nothing = np.zeros(self.source.num_frames, bool)
        rows = [self.recorder.features(of).stale if of in there else nothing for of in self.writer.obj_ids]
        table = self.recorder.features_table()
        # In the order of all arrays, whenever an object was first asked for.
        order = {obj_id: number for number, obj_id in enumerate(self.writer.obj_ids)}
        places = np.argsort(table["object_id"].map(order).to_numpy(float), kind="stable")
        self.writer.write_features(table.iloc[places], np.stack(rows))
        write_reads(self.writer, self.recorder)
        ended = time.monotonic()
        self._features_due = ended + max(_FEATURES_SECONDS, _FEATURES_SHARE * (ended - began))

    def set_finished(self, finished: bool) -> None:
        """Note whether all that was asked for is done."""
        assert self.writer is not None
        times = self.writer.info["times"] | ({"finished": now()} if finished else {})
        self.save_info(finished=finished, times=times)

    def close(self, **changes: Any) -> None:
        """Keep what is on disk, with these `changes` of ``run.json``, and give everything else back.

        A run without frames and prompts is removed. Calling it twice is harmless.
        """
        if self._closed:
            return
        self._closed = True
        writer = self.writer
        try:
            if writer is not None and not (writer.has_frames or self.session.prompt_keys()):
                writer.discard()
            elif writer is not None:
                writer.release_reserve()
                if writer.has_frames:
                    self.write_features()
                self.save()
                self._files.forget_others(
                    step.prompt for step in self.session.log.resolved() if isinstance(step, PromptStep)
                )
                writer.update_info(**changes)
        finally:
            self.session.close()
            self.recorder.close()
            self._donors.close()
