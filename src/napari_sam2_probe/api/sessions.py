"""The interactive session, handing out `Run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.api.prompts import as_prompts, combined, join
from napari_sam2_probe.api.run import Run
from napari_sam2_probe.api.tracking import run_options
from napari_sam2_probe.api.videos import open_video
from napari_sam2_probe.common.values import as_path
from napari_sam2_probe.live.session import Session as LiveSession

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.live.frame_step import FrameStep
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.video import Video


class Session(LiveSession):
    """SAM 2 on one video, step by step, everything recorded; see `session`.

    Attributes
    ----------
    video
        The video.
    """

    def __init__(self, video: Video, **settings: Any) -> None:
        self.video = video
        super().__init__(video, **settings)

    def prompt(self, prompt: Prompt | Sequence[Prompt]) -> FrameStep:
        """Give a prompt, or several in turn; returns the last one's frame.

        Points add up with what was said of the object on that frame; a box replaces a box, a mask all.
        """
        for one in combined(as_prompts(prompt)):
            before = self.prompts(one.obj_id).get(one.frame_idx)
            step = super().prompt(one if before is None else join(before, one))
        return step

    @property
    def run(self) -> Run:  # type: ignore[override]
        """The run as it is now; it stays when the session ends, unless it has no folder of its own.

        Raises
        ------
        InputError
            If nothing was recorded yet.
        """
        return Run(super().run, video=self.video, temporary=self)


def session(
    video: Any, *, model: Model | str | Path = "auto", out: Path | str | None = None, **options: Any
) -> Session:
    """Begin an interactive session, or go on with the one that `out` holds.

    Parameters
    ----------
    video
        A `Video`, or whatever `open_video` takes.
    model
        A loaded model or a name, as for `load_model`.
    out
        The run's folder; if it holds a run of the same video and model, that one goes on. Without one the run lies in
        a temporary folder that goes with the session.
    **options
        How SAM 2 is observed, as in `track`: ``unblanked``, ``denominator``, ``epsilon``, ``prompted_references`` …

    Returns
    -------
    Session
        A context manager. ``prompt``, ``undo``, ``redo``, ``candidates`` and ``choose`` act at once; ``propagate`` is
        iterated over and can be broken off and gone on with at any frame. Each step has ``.frame``,
        ``.masks[object_id]``, ``.scores[object_id]`` and, while it lives, ``.tensors["memory_attention"]``.

    Raises
    ------
    InputError
        If video, model or an option can't be used, or the folder holds something else.

    Examples
    --------
    >>> with sp.session(sp.sample_video("cat"), model="sample") as session:  # doctest: +SKIP
    ...     session.prompt(sp.points((120, 110)))
    ...     for step in session.propagate():
    ...         print(step.frame, step.masks[1].sum())
    """
    opened = open_video(video)
    place = None if out is None else as_path(out, "out")
    return Session(opened, model=model, out=place, options=run_options(**options), truth=opened.truth)
