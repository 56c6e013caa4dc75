"""A run in Python: lazy labelled arrays, tidy tables, figures, and a picture of itself in a notebook."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.api.names import unknown, whole
from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import xarray as xr

    from napari_sam2_probe.analysis.loss_warning import LossWarning
    from napari_sam2_probe.api.looks import Look
    from napari_sam2_probe.api.plots import RunPlots
    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video import Video
    from napari_sam2_probe.video.truth import ClipTruth


class Run:
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
        self._opened = opened
        self._video = video
        self._temporary = temporary

    # What it is.

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._opened.path

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` says: versions, model, flags, prompts, parameters, times."""
        return self._opened.info

    @property
    def truth(self) -> ClipTruth | None:
        """What the recipe of a transformed clip tells of its frames; None for any other video."""
        return self._opened.truth

    @property
    def name(self) -> str:
        """What the run is called in figures."""
        stem = self.path.stem if self._temporary is None else self._video_name()
        return str(self.info.get("title") or stem)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end; a run that was stopped keeps its finished frames."""
        return self._opened.finished

    @property
    def objects(self) -> list[int]:
        """The ids of the objects."""
        return [int(one) for one in self._opened.object_ids]

    @property
    def frames(self) -> list[int]:
        """The frames on which any object was tracked."""
        return [int(one) for one in np.flatnonzero(self._opened.tracked.any(axis=0))]

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

    # Arrays.

    @property
    def masks(self) -> xr.DataArray:
        """(object, frame, y, x) bool: each object's mask; objects may overlap.

        Frames that were not tracked have no mask: ``run.masks.sel(frame=run.frames)`` leaves them out.
        """
        return self._array(self._opened.masks_per_object, ("object", "frame", "y", "x"), "masks")

    @property
    def labels(self) -> xr.DataArray:
        """(frame, y, x) uint16: object ids, a pixel wanted by several going to the highest logit."""
        return self._array(self._opened.masks, ("frame", "y", "x"), "labels")

    @property
    def maps(self) -> Maps:
        """Channel mean and variance of each map position, by key or number: ``run.maps["2"]``."""
        return Maps(self)

    @property
    def vectors(self) -> Vectors:
        """The vectors of each vector position, by key or number: ``run.vectors["4r"]``."""
        return Vectors(self)

    @property
    def pointers(self) -> xr.DataArray:
        """(object, frame, channel) float32: object pointers as stored in memory (position 4), NaN where nothing ran.

        ``run.vectors["4r"]`` has them before the no-object gate.
        """
        return self.vectors["object_pointer"]

    @property
    def scores(self) -> xr.DataArray:
        """(object, frame) float32: object score logits; above 0 SAM 2 believes the object present."""
        return self._small(self._opened.object_scores, "object_scores", long_name="object score", units="logit")

    @property
    def predicted_iou(self) -> xr.DataArray:
        """(object, frame) float32: SAM 2's own estimate of its mask's IoU; NaN on mask prompts."""
        return self._small(self._opened.predicted_iou, "predicted_iou", long_name="predicted IoU")

    @property
    def candidate_disagreement(self) -> xr.DataArray:
        """(object, frame) float32: 1 less the mean IoU of the masks that SAM 2 chose among; NaN on mask prompts."""
        return self._small(
            self._opened.candidate_disagreement, "candidate_disagreement", long_name="disagreement of candidates"
        )

    @property
    def prompted(self) -> xr.DataArray:
        """(object, frame) bool: whether the frame was prompted."""
        return self._small(self._opened.prompted, "prompted")

    @property
    def tracked(self) -> xr.DataArray:
        """(object, frame) bool: whether anything is known of the frame."""
        return self._small(self._opened.tracked, "tracked")

    @property
    def object_present(self) -> xr.DataArray:
        """(object, frame) bool: whether the object is in the frame, by the recipe or else by SAM 2's own score."""
        return self._small(self._opened.object_present, "object_present")

    @property
    def features(self) -> pd.DataFrame:
        """Features over time, one row for each object, position and frame.

        Columns ``object_id``, ``position``, ``frame``, ``short_term_l2``, ``long_term_l2``, ``short_term_ratio``.
        """
        return self._opened.features.copy()

    def bank(self, frame: int, object_id: int | None = None) -> pd.DataFrame:
        """Return what a frame read of memory, in the order in which attention saw it.

        Parameters
        ----------
        frame
            The frame.
        object_id
            The object; not needed where there is only one.

        Returns
        -------
        pandas.DataFrame
            Columns ``kind``, ``frame``, ``role``, ``temporal_position`` and ``age``.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run was made by a version that recorded no banks.
        """
        return self._opened.bank(whole(frame, "frame"), object_id)

    def attention(self, frame: int, object_id: int | None = None) -> pd.DataFrame:
        """Return where a frame looked in memory: the share of attention that each entry of its bank received.

        Parameters
        ----------
        frame
            The frame.
        object_id
            The object; not needed where there is only one.

        Returns
        -------
        pandas.DataFrame
            Columns ``object_id``, ``frame``, ``layer``, ``queries`` (all, inside the predicted mask, a ring around it,
            the rest), ``kind``, ``entry_frame``, ``share``. Shares of a layer and group of queries sum to 1.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run recorded no attention.
        """
        return self._opened.attention(whole(frame, "frame"), object_id)

    def explain(
        self,
        frame: int | Iterable[int],
        object_id: int | None = None,
        *,
        model: Model | str | Path | None = None,
    ) -> pd.DataFrame:
        """Say what caused a frame's mask: each entry of its bank taken away in turn, and groups of them.

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

        if isinstance(frame, Iterable):
            object_id = the_object(self._opened, object_id)
            frames = explainable(self._opened, [whole(one, "frame") for one in frame], object_id)
        else:
            frames = [whole(frame, "frame")]
        loaded = None if model is None else as_model(model)
        return explain_frames(self._opened, frames, object_id, model=loaded, video=self._video)

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
        """Put the twin's tensors into this run, position by position and frame by frame, and say what comes back.

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
        from napari_sam2_probe.runs.reader import open_run

        other = twin if isinstance(twin, Run) else Run(open_run(Path(twin)))
        loaded = None if model is None else as_model(model)
        return patch_runs(
            self._opened, other._opened, object_id, model=loaded, video=self._video, twin_video=other._video
        )

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
        """Tell how likely SAM 2 is to lose the object soon, frame by frame.

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

        found = warning_for(self._opened, warning)
        probability = loss_probability(self._opened, found, horizon, self.object_index(object_id))
        return next_doubtful_frame(probability, after, threshold)

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
        target = Path(path)
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

    def object_index(self, object_id: int | None = None) -> int:
        """Return where an object stands in arrays without names; the first one's if None.

        Raises
        ------
        InputError
            If the run doesn't hold the object.
        """
        if object_id is None:
            return 0
        if object_id not in self.objects:
            raise unknown("object", object_id, self.objects)
        return self.objects.index(object_id)

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

    def _video_name(self) -> str:
        return str(self.info.get("video", {}).get("name") or self.path.name)

    def _small(self, array: Any, name: str, **attributes: Any) -> xr.DataArray:
        import xarray as xr

        dims = ("object", "frame", "channel")[: array.ndim]
        coords = {dim: value for dim, value in self._coords(array.shape).items() if dim in dims}
        return xr.DataArray(array, coords, dims, name, attributes)

    def _array(self, array: Any, dims: tuple[str, ...], name: str, **attributes: Any) -> xr.DataArray:
        from napari_sam2_probe.api.lazy import lazy_array

        shape = array[0].shape if isinstance(array, list) else array.shape
        return lazy_array(array, dims, self._coords(shape), name=name, owner=self._temporary, **attributes)

    def _coords(self, shape: tuple[int, ...]) -> dict[str, Any]:
        from napari_sam2_probe.api.lazy import pixel_centres

        coords: dict[str, Any] = {"object": self.objects, "frame": np.arange(self._opened.num_frames)}
        if len(shape) > 2:
            height, width = self._opened.masks.shape[1:]
            coords |= {"y": pixel_centres(shape[-2], height), "x": pixel_centres(shape[-1], width)}
        return coords


class _ByPosition:
    """Arrays by a position's key or number."""

    _what = "map"

    def __init__(self, run: Run) -> None:
        self._run = run

    def keys(self) -> list[str]:
        """Return the keys of the positions that the run holds."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys() or name in [_number(key) for key in self.keys()]

    def __repr__(self) -> str:
        lines = [f"  {_number(key) or '?':>3}  {key}" for key in self.keys()]
        return "\n".join([f"{type(self).__name__} of {self._run.name}, by key or number:", *lines])

    def _key(self, name: object) -> str:
        from napari_sam2_probe.probe.positions import BY_NUMBER

        key = BY_NUMBER[str(name)].key if str(name) in BY_NUMBER else str(name)
        if key not in self.keys():
            raise unknown(self._what, name, self.keys())
        return key


class Maps(_ByPosition):
    """Channel mean and variance maps: ``maps["memory_attention"]`` or ``maps["2"]``.

    Each is a lazy DataArray (statistic, object, frame, y, x), NaN where nothing ran.
    """

    def keys(self) -> list[str]:
        """Return the keys of the map positions that the run holds."""
        return list(self._run._opened.map_keys)

    def __getitem__(self, name: object) -> xr.DataArray:
        from napari_sam2_probe.probe.positions import STATISTICS

        key, opened = self._key(name), self._run._opened
        arrays = [opened.maps(key, statistic) for statistic in STATISTICS]
        dims = ("statistic", "object", "frame", "y", "x")
        stacked = self._run._array(arrays, dims, key, position=_number(key))
        return stacked.assign_coords(statistic=list(STATISTICS))


class Vectors(_ByPosition):
    """Vectors: ``vectors["object_pointer"]`` or ``vectors["4"]``, each a DataArray (object, frame, channel)."""

    _what = "vector"

    def keys(self) -> list[str]:
        """Return the keys of the vector positions that the run holds."""
        return list(self._run._opened.vector_keys)

    def __getitem__(self, name: object) -> xr.DataArray:
        key = self._key(name)
        return self._run._small(self._run._opened.vectors(key), key, position=_number(key))


def _number(key: str) -> str:
    from napari_sam2_probe.probe.positions import BY_KEY

    return BY_KEY[key].number if key in BY_KEY else ""
