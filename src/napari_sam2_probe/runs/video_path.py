"""Where the video of a run lies: said so in ``run.json`` that a run and its video can travel together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.paths import exists

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = 2
"""A video is near if it lies in the folder that holds the run (``cat.mp4`` beside ``cat-run``), or in the one above
(``videos/cat.mp4`` and ``runs/cat``)."""


def stated_paths(path: str | None, run: Path) -> dict[str, str | None]:
    """Return what ``run.json`` says of where the video lies.

    Parameters
    ----------
    path
        Where it lies; None for one that lies nowhere.
    run
        The run's folder.

    Returns
    -------
    dict
        ``path``, relative to the run's folder and with ``/`` where the video lies near it, and ``absolute_path``, by
        which it is found if the run alone moves.
    """
    if path is None:
        return {"path": None, "absolute_path": None}
    folder, video = run.resolve(), Path(path).resolve()
    # The root holds everything, and can't be moved.
    around = [above for above in folder.parents[:_LEVELS] if above != Path(above.anchor)]
    if not any(video.is_relative_to(above) for above in around):
        return {"path": path, "absolute_path": path}
    return {"path": Path(os.path.relpath(video, folder)).as_posix(), "absolute_path": path}


def found_path(about: Mapping[str, Any], run: Path) -> str | None:
    """Return where the video of a run lies now; None for one that never lay anywhere.

    Parameters
    ----------
    about
        The part ``video`` of ``run.json``.
    run
        The run's folder.
    """
    stated: str | None = about.get("path")
    if stated is None or Path(stated).is_absolute():
        return stated
    near = os.path.normpath(run.resolve() / stated)
    before: str | None = about.get("absolute_path")
    if before is None or not exists(before) or (exists(near) and not Path(near).samefile(before)):
        return near
    # As it was named when the run was made: through a link, say.
    return before


def info_elsewhere(info: Mapping[str, Any], run: Path, after: Path) -> dict[str, Any]:
    """Return the contents of ``run.json`` for a copy of a run, whose video stays where it is unless it is inside.

    Parameters
    ----------
    info
        ``run.json`` as it is.
    run, after
        The run's folder, and that of the copy.
    """
    about = info.get("video")
    if not isinstance(about, dict) or not isinstance(about.get("path"), str) or is_kept(about):
        return dict(info)
    return {**info, "video": about | stated_paths(found_path(about, run), after)}


def is_kept(about: Mapping[str, Any]) -> bool:
    """Return whether the video lies in the run itself."""
    return about.get("kept_sha256") is not None
