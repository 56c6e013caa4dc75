"""What a run says about itself: software, model, video, parameters."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth


def describe_run(source: FrameSource, loaded: Model, options: RunOptions, truth: ClipTruth | None) -> dict[str, Any]:
    """Return what ``run.json`` says of a run before it begins."""
    return {
        "software": software_versions(),
        "model": loaded.describe(),
        "video": {
            "path": source.path,
            "name": source.name,
            "num_frames": source.num_frames,
            "height": source.height,
            "width": source.width,
            "fps": source.fps,
            "sha256": source.fingerprint(),
            "scaling": None if source.scaling is None else asdict(source.scaling),
            "frame_names": frame_names(source),
            "frame_times": frame_times(source),
        },
        "parameters": asdict(options),
        "known": None if truth is None else truth.as_json(),
        "times": {"started": now()},
    }


def frame_names(source: FrameSource) -> list[str] | None:
    """Return the names of a folder's images, by which data sets match masks; None if they just count, ``%05d``."""
    video = source if isinstance(source, Video) else Video(source)
    names = list(video.frame_names)
    return None if names == [f"{t:05d}" for t in range(len(names))] else names


def frame_times(source: FrameSource) -> list[float] | None:
    """Return when the frames of a video of a variable rate are shown, in seconds; None where ``fps`` says it."""
    video = source if isinstance(source, Video) else Video(source)
    times = video.frame_times if video.has_variable_rate else None
    return None if times is None else [round(time, 6) for time in times]


def software_versions() -> dict[str, str]:
    """Return the versions of everything that can move a number."""
    versions = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in ("napari-sam2-probe", "sam2", "torch", "numpy", "pillow", "av", "scikit-image"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
