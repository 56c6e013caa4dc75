"""A run in Python: lazy labelled arrays, tidy tables, figures, and a picture of itself in a notebook."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.api.recorded import RecordedRun
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import as_path, whole

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.analysis.loss_warning import LossWarning
    from napari_sam2_probe.api.looks import Look
    from napari_sam2_probe.api.plots import RunPlots
    from napari_sam2_probe.causes.pairs import Truth
    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video import Video


class Run(RecordedRun):
    """One video that went through SAM 2, with everything recorded; made by `track`, `session` or `open_run`.

    Arrays are xarray DataArrays with the dimensions ``object`` (ids), ``frame``, ``statistic``, ``y`` and ``x``;
    masks and maps stay on disk until they are indexed. ``y`` and ``x`` count pixels of the video, and the centre of
    the first pixel is at 0, so a map's values lie where they belong in the video. (For `points` it is at 0.5.)

    Parameters
    ----------
    opened
        The run's folder, opened.
    video
        The video it was made on; looked for where the run says it was if None.
    temporary
        What the run's folder goes with, if it is a temporary one; kept as long as the run is.

    Examples
    --------
    >>> run = sp.track(sp.sample_video("cat"), sp.points((120, 110)))  # doctest: +SKIP
    >>> run.maps["memory_attention"].sel(statistic="variance", frame=5, object=1)  # doctest: +SKIP
    >>> run.features.query("position == '4'")  # doctest: +SKIP
    """

    def __init__(self, opened: ProbeRun, video: Video | None = None, *, temporary: object = None) -> None:
        super().__init__(opened, temporary)
        self._video = video

    @property
    def video(self) -> Video:
        """The video the run was made on, with its true masks where there are any; set it where the video moved.

        Raises
        ------
        InputError
            If it is not where it was, or was an array.
        """
        if self._video is None:
            from napari_sam2_probe.export.overlay import open_run_video

            self._video = open_run_video(self._opened)
        return self._video

    @video.setter
    def video(self, video: Any) -> None:
        from napari_sam2_probe.api.videos import open_video
        from napari_sam2_probe.runs.kept_video import check_same_video

        opened = open_video(video)
        check_same_video(self._opened, opened)
        self._video = opened

    # What can be made of it.

    @property
    def plot(self) -> RunPlots:
        """Figures of the run: ``run.plot.features()``, ``.composite(frame)`` and others."""
        from napari_sam2_probe.api.plots import RunPlots

        return RunPlots(self)

    def boxes(self, decoder: BoxDecoder | str | Path | None = None) -> pd.DataFrame:
        """Decode object pointers to bounding boxes.

        Parameters
        ----------
        decoder
            A decoder or its file, made for the run's checkpoint; if None, the installed one where it is clearly better
            than guessing the mean box.

        Returns
        -------
        pandas.DataFrame
            A row for each object and tracked frame with the box of its mask (``kind`` is ``"mask"``), and, where
            there is a decoder, a row with the box that its pointer speaks of (``"decoded"``). ``xmin`` to ``ymax`` are
            pixels, both ends included; ``left`` to ``bottom`` are edges as shares of the frame.

        Raises
        ------
        InputError
            If the decoder was made for another checkpoint.
        """
        from napari_sam2_probe.api.decoders import decoder_for
        from napari_sam2_probe.export.tables import boxes_table

        return boxes_table(self._opened, decoder_for(self._opened, decoder))

    def loss(self, warning: LossWarning | str | Path | None = None) -> pd.DataFrame:
        """Return how likely SAM 2 is to lose the object soon, frame by frame.

        Parameters
        ----------
        warning
            A warning or its file, fitted to runs of the same model; the one that belongs to the model if None.

        Returns
        -------
        pandas.DataFrame
            A row for each object, tracked frame and number of frames ahead: ``object_id``, ``frame``, ``horizon``,
            ``probability`` that J falls below 0.5 on one of the next ``horizon`` frames.

        Raises
        ------
        InputError
            If there is no warning, or it was fitted to runs of another model.
        """
        from napari_sam2_probe.runs.loss import loss_table, warning_for

        return loss_table(self._opened, warning_for(self._opened, warning))

    def next_doubtful(
        self,
        after: int = -1,
        object_id: int | None = None,
        *,
        horizon: int = 5,
        threshold: float = 0.5,
        warning: LossWarning | str | Path | None = None,
    ) -> int | None:
        """Return where the next stretch of frames begins on which a loss is likely; None where there is none.

        Parameters
        ----------
        after
            Look behind this frame.
        object_id
            The object; the first one if None.
        horizon
            How many frames ahead, one of the warning's.
        threshold
            From which probability on a frame is doubtful.
        warning
            As in `loss`.

        Raises
        ------
        InputError
            As in `loss`, or if the warning doesn't look so many frames ahead.
        """
        from napari_sam2_probe.runs.loss import loss_probability, next_doubtful_frame, warning_for

        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            raise InputError(f"threshold={threshold!r:.60} can't be used: give a probability such as 0.5.")
        found = warning_for(self._opened, warning)
        probability = loss_probability(self._opened, found, whole(horizon, "horizon"), self.object_index(object_id))
        return next_doubtful_frame(probability, whole(after, "after"), threshold)

    def view(self) -> Any:
        """Open the run in napari and return the viewer; needs the extra ``[napari]``.

        Raises
        ------
        InputError
            If napari is missing or no window can be opened here.
        """
        from napari_sam2_probe.gui.display import require_napari

        require_napari()
        from napari_sam2_probe.gui.view import open_runs

        return open_runs([self.path])

    def save(self, path: Path | str, *, overwrite: bool = False) -> Run:
        """Copy the run to a folder of its own; from then on the run lies there.

        Parameters
        ----------
        path
            The folder, which must not exist.
        overwrite
            Whether a run that lies there is replaced, once the copy is complete.

        Returns
        -------
        Run
            This run.

        Raises
        ------
        InputError
            If the folder exists, or holds something else than a run, or can't be made.
        """
        from napari_sam2_probe.common.output import atomic_folder
        from napari_sam2_probe.runs.layout import is_run
        from napari_sam2_probe.runs.library import restate_video
        from napari_sam2_probe.runs.place import check_new_path, check_replaceable
        from napari_sam2_probe.runs.reader import open_run

        if not is_run(self.path):
            raise InputError(f"{self.name} is a clip of an experiment: it lies there, and can't be saved as a run.")
        target = as_path(path, "path")
        if overwrite and target.exists():
            check_replaceable(target)
        else:
            check_new_path(target)
        with atomic_folder(target) as folder:
            shutil.copytree(self.path, folder, dirs_exist_ok=True)
            restate_video(folder, self.path, target)
        self._opened, self._temporary = open_run(target), None
        return self

    def keep_frames(self) -> Run:
        """Copy the video into the run's folder, so that the run can be sent, and its arrays need not be kept.

        Returns
        -------
        Run
            This run.

        Raises
        ------
        InputError
            If the video is not there, or the run is a clip of an experiment.
        ResourceError
            If the disk is full.
        """
        from napari_sam2_probe.runs.kept_video import keep_video

        self._opened = keep_video(self._opened, self.video)
        return self

    # What caused what.

    def explain(
        self,
        frame: int | Iterable[int],
        object_id: int | None = None,
        *,
        model: Model | str | Path | None = None,
    ) -> pd.DataFrame:
        """Return what caused a frame's mask: the effect of each entry of its bank, and of groups of them, taken away.

        The run is made again up to the frame, with the video and the weights it was made with, and with every
        correction that was made on the way.

        Parameters
        ----------
        frame
            A frame that was tracked from memory; or several, as in ``run.explain(range(4, 10))``, of which those are
            left out that were not.
        object_id
            The object; not needed where there is only one.
        model
            The run's model, if it is loaded already or its weights have moved.

        Returns
        -------
        pandas.DataFrame
            Columns ``object_id``, ``frame``, ``kind``, ``entry_frame``, ``role``, ``age``, ``attention``,
            ``delta_iou``, ``delta_j``, ``delta_score``, ``delta_pointer``.

        Raises
        ------
        InputError
            If the frame, or all of them, read no memory, or the run can't be made again.
        """
        from napari_sam2_probe.causes.explain import explain_frames, explainable
        from napari_sam2_probe.families.loaded import as_model
        from napari_sam2_probe.runs.banks import the_object

        object_id = the_object(self._opened, object_id)
        if isinstance(frame, Iterable):
            frames = explainable(self._opened, [whole(one, "frame") for one in frame], object_id)
        else:
            frames = [whole(frame, "frame")]
        loaded = None if model is None else as_model(model)
        truth = self._true_masks(object_id)
        return explain_frames(self._opened, frames, object_id, model=loaded, truth=truth, video=self._video)

    def look(self, frame: int, object_id: int | None = None, *, model: Model | str | Path | None = None) -> Look:
        """Return where a frame looked, pixel by pixel: in its memories, and in the image with the decoder's tokens.

        The run is made again up to the frame, which is repeated with just what it read.

        Parameters
        ----------
        frame
            A frame that was tracked from memory, or prompted first.
        object_id, model
            As in `explain`.

        Raises
        ------
        InputError
            If there is no such frame, it was corrected, or the run can't be made again.
        """
        from napari_sam2_probe.api.looks import Look
        from napari_sam2_probe.causes.of_runs import look_at
        from napari_sam2_probe.families.loaded import as_model

        loaded = None if model is None else as_model(model)
        seen = look_at(self._opened, whole(frame, "frame"), object_id, model=loaded, video=self._video)
        height, width = self._opened.masks.shape[1:]
        return Look(seen, (height, width))

    def patches(
        self, twin: Run | Path | str, object_id: int | None = None, *, model: Model | str | Path | None = None
    ) -> pd.DataFrame:
        """Put the twin's tensors into this run, position by position and frame by frame, and return what comes back.

        Parameters
        ----------
        twin
            The run of the same clip without the change, with the same prompt and model.
        object_id, model
            As in `explain`.

        Returns
        -------
        pandas.DataFrame
            Columns ``object_id``, ``position``, ``frame``, ``measured_frame``, ``twin_frame``, ``measure``
            (``object_score``, ``predicted_iou``, ``J``), ``clip_value``, ``twin_value``, ``patched_value``,
            ``recovered``: 0 where nothing comes back, 1 where all does, NaN where clip and twin hardly differ.

        Raises
        ------
        InputError
            If the twin is no run, has another length or object, or a run can't be made again.
        """
        from napari_sam2_probe.causes.of_runs import patch_runs
        from napari_sam2_probe.families.loaded import as_model
        from napari_sam2_probe.runs.banks import the_object
        from napari_sam2_probe.runs.reader import open_run

        object_id = the_object(self._opened, object_id)
        other = twin if isinstance(twin, Run) else Run(open_run(as_path(twin, "twin")))
        loaded = None if model is None else as_model(model)
        return patch_runs(
            self._opened,
            other._opened,
            object_id,
            model=loaded,
            video=self._video,
            twin_video=other._video,
            truth=self._true_masks(object_id),
            twin_truth=other._true_masks(object_id),
        )

    def _true_masks(self, object_id: int) -> Truth | None:
        """Return what gives the video's own true masks of an object; None where only its folder could tell."""
        video = self._video
        if video is None or not video.has_masks:
            return None
        if object_id not in video.object_ids():
            return lambda _frame: None
        return lambda frame: video.object_mask(frame, object_id)

    def __repr__(self) -> str:
        return f"<Run {self._sentence()}>"

    def _repr_html_(self) -> str:
        from napari_sam2_probe.api.html import run_html

        return run_html(self)

    def _sentence(self) -> str:
        state = "" if self.finished else ", unfinished"
        what = "1 object" if len(self.objects) == 1 else f"{len(self.objects)} objects"
        model = self.info.get("model", {}).get("checkpoint", "?")
        return f"{self._video_name()}: {what}, {len(self.frames)} frames tracked with {model}{state}, in {self.path}"
