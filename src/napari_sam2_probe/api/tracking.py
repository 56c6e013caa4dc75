"""Track a video, open a run, make one again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_sam2_probe.api.names import unknown
from napari_sam2_probe.api.prompts import as_prompts, combined
from napari_sam2_probe.api.run import Run
from napari_sam2_probe.api.videos import open_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import ProgressCallback, ignore_progress
from napari_sam2_probe.common.temporary import TemporaryFolder
from napari_sam2_probe.common.values import as_path, whole
from napari_sam2_probe.families.loaded import as_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.options import RunDirection, RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.video import Video

OUT_FOLDER = "run"


def track(
    video: Any,
    prompts: Prompt | Sequence[Prompt] | None = None,
    *,
    model: Model | str | Path = "auto",
    out: Path | str | None = None,
    direction: RunDirection = "forward",
    start: int | None = None,
    end: int | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | Literal["bar"] | None = None,
    **options: Any,
) -> Run:
    """Track objects through a video and record what SAM 2 sees on the way.

    Parameters
    ----------
    video
        A `Video`, or whatever `open_video` takes: a path, a folder, ``ROOT/sequence``, an array, a napari layer.
    prompts
        One prompt or several, made with `points`, `box` or `mask`; points for one object on one frame add up. If None,
        the video's own true masks of the first frame that has any, one prompt for each object.
    model
        A loaded model or a name, as for `load_model`.
    out
        The run's folder. If None, a temporary one that goes with the `Run`; ``run.save(path)`` keeps it.
    direction
        ``"forward"``, ``"backward"`` or ``"both"``: forward from the earliest prompt, then backward from it.
    start, end
        The first and the last frame to track; by default all in the direction.
    overwrite
        Whether a run that lies at `out` is replaced, once the new one is complete.
    progress
        ``"bar"`` shows one; or a function that is called with every frame.
    **options
        ``unblanked`` (record position 5u), ``policy`` (a memory policy), ``intervene`` (edits of what is read),
        ``attention`` (``"none"``, ``"sampled"``, ``"exact"``), and how features over time are computed: ``denominator``
        (``"variance"`` or ``"standard deviation"``), ``epsilon``, ``prompted_references``.

    Returns
    -------
    Run
        The run, finished.

    Raises
    ------
    InputError
        If something can't be used; then nothing is written.
    ResourceError
        If memory or disk don't suffice. What was finished is kept, in a run that says that it is not.
    """
    from napari_sam2_probe.runs.record import check_job, record_run

    opened = open_video(video)
    given = first_masks(opened) if prompts is None else combined(as_prompts(prompts))
    settings = run_options(direction=direction, start=start, end=end, **options)
    with _place(out, overwrite=overwrite) as place, _progress(progress) as shown:
        check_job(opened, given, place.new, settings)
        record_run(opened, given, place.new, as_model(model), settings, progress=shown)
    return open_run(place.path, video=opened, temporary=place.temporary)


def open_run(path: Path | str, *, clip: str | None = None, video: Video | None = None, temporary: object = None) -> Run:
    """Open a run, finished or not; or a clip of an experiment, which is read as a run.

    Parameters
    ----------
    path
        The run's folder, or the experiment's.
    clip
        The clip's name, where `path` is an experiment.
    video
        The video it was made on; looked for where the run says it was if None.
    temporary
        What the run's folder goes with, if it is a temporary one; kept as long as the run is.

    Raises
    ------
    InputError
        If the folder is not a run, was made by a later version, or is damaged; or the experiment has no such clip.
    """
    from napari_sam2_probe.experiments.folder import is_experiment
    from napari_sam2_probe.runs.reader import open_run as open_folder

    place = as_path(path, "path")
    opened = _open_clip(place, clip) if clip is not None or is_experiment(place) else open_folder(place)
    run = Run(opened, temporary=temporary)
    if video is not None:
        run.video = video
    return run


def _open_clip(experiment: Path, clip: str | None) -> ProbeRun:
    from napari_sam2_probe.experiments.results import open_experiment

    results = open_experiment(experiment)
    kinds = {name: kind for kind in results.kinds for name in results.clips(kind)}
    if clip is None:
        some = ", ".join(list(kinds)[:3]) or "none is finished"
        raise InputError(f"{experiment} is an experiment: name one of its clips with clip=... ({some} ...).")
    if clip not in kinds:
        raise unknown("clip", clip, kinds)
    return results.run(kinds[clip], clip)


def repeat(
    run: Run | Path | str,
    *,
    out: Path | str | None = None,
    video: Any = None,
    model: Model | str | Path | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | Literal["bar"] | None = None,
) -> Run:
    """Make a run again from what its own ``run.json`` says; on the same machine equal to the last bit.

    Parameters
    ----------
    run
        A run or its folder, made by `track`, by a session, by the command or in the window.
    out, overwrite, progress
        As in `track`.
    video
        The video, if it is not any more where the run says, or was an array.
    model
        The run's model, if it is loaded already or its weights have moved.

    Raises
    ------
    InputError
        If the video or the weights are not those of the run.
    """
    from napari_sam2_probe.live.repeat import repeat_run

    old = run if isinstance(run, Run) else open_run(run)
    source = old._video if video is None else open_video(video)
    with _place(out, overwrite=overwrite) as place, _progress(progress) as shown:
        repeat_run(old._opened, place.new, source, model=None if model is None else as_model(model), progress=shown)
    return open_run(place.path, video=source, temporary=place.temporary)


def first_masks(video: Video) -> list[Prompt]:
    """Return the video's own true masks of the first frame that has any, one prompt for each object.

    Raises
    ------
    InputError
        If it has none.
    """
    from napari_sam2_probe.tracking.prompts import prompts_from_labels
    from napari_sam2_probe.video.masks import is_void

    for frame in video.annotated_frames():
        labels = video.mask(frame)
        if labels is not None and ((labels != 0) & ~is_void(labels)).any():
            return prompts_from_labels(frame, labels)
    raise InputError(f"{video.name} has no true masks to begin with: give points(...), box(...) or mask(...).")


def run_options(**given: Any) -> RunOptions:
    """Return what to track and how to observe it, from names and values.

    Raises
    ------
    InputError
        If there is no such option.
    """
    from napari_sam2_probe.probe.distance import FeatureOptions
    from napari_sam2_probe.runs.options import RunDirection, RunOptions
    from napari_sam2_probe.tracking.attention import AttentionDetail

    of_features = {field.name for field in fields(FeatureOptions)}
    of_run = {field.name for field in fields(RunOptions)} - {"features"}
    for name in given:
        if name not in of_run | of_features:
            raise unknown("option", name, sorted(of_run | of_features))
    if given.get("direction", "forward") not in get_args(RunDirection):
        raise unknown("direction", given["direction"], get_args(RunDirection))
    features = FeatureOptions(**{name: value for name, value in given.items() if name in of_features})
    if features.denominator not in ("variance", "standard deviation"):
        raise unknown("denominator", features.denominator, ("variance", "standard deviation"))
    for name in ("unblanked", "prompted_references"):
        if not isinstance(given.get(name, False), bool):
            raise InputError(f"{name}={given[name]!r:.60} can't be used: give True or False.")
    if isinstance(features.epsilon, bool) or not isinstance(features.epsilon, int | float):
        raise InputError(f"epsilon={features.epsilon!r:.60} can't be used: give a small number such as 1e-6.")
    if given.get("attention", "none") not in get_args(AttentionDetail):
        raise unknown("detail of attention", given["attention"], get_args(AttentionDetail))
    for name in ("start", "end"):
        if given.get(name) is not None:
            given[name] = whole(given[name], name)
    if not isinstance(given.get("policy", ""), str | None):
        raise InputError(f"policy={given['policy']!r:.60} can't be used: give a text such as 'stride:r=5'.")
    chosen = {name: value for name, value in given.items() if name in of_run}
    chosen["intervene"] = _edits(chosen.get("intervene", ()))
    return RunOptions(features=features, **chosen)


def _edits(given: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    # One edit alone is a mistake that everybody makes.
    edits: Any = [given] if isinstance(given, Mapping) else given
    if isinstance(edits, str) or not all(isinstance(edit, Mapping) for edit in edits):
        raise InputError(
            f"intervene={given!r:.60} can't be used: give edits, such as {{'edit': 'drop', 'target': 'memory'}}."
        )
    return tuple(dict(edit) for edit in edits)


class _Place:
    """Where a run is written, and where it lies afterwards."""

    def __init__(self, path: Path, new: Path, temporary: object = None) -> None:
        self.path = path
        self.new = new
        self.temporary = temporary


@contextmanager
def _place(out: Path | str | None, *, overwrite: bool) -> Iterator[_Place]:
    from napari_sam2_probe.common.output import atomic_folder
    from napari_sam2_probe.runs.library import restate_video
    from napari_sam2_probe.runs.place import check_replaceable

    if out is None:
        folder = TemporaryFolder()
        path = folder.path / OUT_FOLDER
        yield _Place(path, path, folder)
        return
    path = as_path(out, "out")
    if not (overwrite and path.exists()):
        yield _Place(path, path)
        return
    check_replaceable(path)
    with atomic_folder(path) as new:
        new.rmdir()
        yield _Place(path, new)
        restate_video(new, new, path)


@contextmanager
def _progress(progress: ProgressCallback | Literal["bar"] | None) -> Iterator[ProgressCallback]:
    if progress == "bar":
        from napari_sam2_probe.cli.progress import progress_bars

        with progress_bars() as bars:
            yield bars
    elif progress is None:
        yield ignore_progress
    elif callable(progress):
        yield progress
    else:
        raise InputError(f"progress={progress!r} can't be used: give 'bar' or a function.")
