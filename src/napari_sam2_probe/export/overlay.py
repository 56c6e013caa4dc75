"""The video with the predicted masks drawn over it, as an mp4 that any player shows."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.output import os_errors_as_sentences
from napari_sam2_probe.common.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.video import Video

    Colour = tuple[int, int, int]

DEFAULT_FPS = 24.0
"""That of DAVIS, for videos that state none."""

_GIVE_IT = "Name where it lies now with --video, or in Python with run.video = open_video(...)."

_TICK = Fraction(1, 90000)
OPACITY = 0.45
_QUALITY = "18"


def export_overlay(run: ProbeRun, out: Path, colour_of: Callable[[int], Colour]) -> Iterator[Progress]:
    """Write an H.264 video of all frames, masks filled and outlined, each shown when the video shows it.

    Frames that were not tracked are dimmed, so that none is taken for one in which nothing was found.

    Parameters
    ----------
    run
        The run; its video must still be where it was.
    out
        The mp4.
    colour_of
        The RGB colour of an object by its id.

    Raises
    ------
    InputError
        If the video is not there any more or is another.
    """
    import av

    recorded = run.info.get("video", {})
    with (
        closing(open_run_video(run)) as source,
        os_errors_as_sentences(out),
        atomic_path(out) as temporary,
        av.open(temporary, "w", format="mp4") as container,
    ):
        # Images that were kept of a video tell nothing of time.
        fps = source.fps or recorded.get("fps")
        stream = container.add_stream("libx264", rate=Fraction(fps or DEFAULT_FPS).limit_denominator(1001))
        stream.pix_fmt = "yuv420p"
        # Chroma is halved, so both edges must be even.
        stream.width, stream.height = source.width + source.width % 2, source.height + source.height % 2
        stream.options = {"crf": _QUALITY}
        times = source.frame_times if source.has_variable_rate else recorded.get("frame_times")
        if times is not None:
            stream.codec_context.time_base = _TICK
        colours = {obj_id: np.array(colour_of(obj_id), float) for obj_id in run.object_ids.tolist()}
        tracked: NDArray[np.bool_] = np.asarray(run.tracked.any(0))
        for frame_idx in range(run.num_frames):
            yield Progress(frame_idx, run.num_frames, "exporting the video", "frame")
            picture = draw_masks(source.read(frame_idx), np.asarray(run.masks[frame_idx]), colours)
            if not tracked[frame_idx]:
                picture = dim(picture)
            even = np.pad(picture, ((0, source.height % 2), (0, source.width % 2), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[frame_idx] / _TICK), _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def dim(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as it is shown where nothing was tracked: at a third of its brightness."""
    return (picture // 3).astype(np.uint8)


def draw_masks(
    frame: NDArray[np.uint8], labels: NDArray[np.integer], colours: dict[int, NDArray[np.float64]]
) -> NDArray[np.uint8]:
    """Return the frame (H, W, 3) with each object of the label image (H, W) tinted, its border in full colour."""
    from skimage.segmentation import find_boundaries

    drawn = frame.astype(np.float64)
    for obj_id, colour in colours.items():
        mask = labels == obj_id
        drawn[mask] += OPACITY * (colour - drawn[mask])
        # Padded, so that an object is bordered at the edge of the frame too.
        border = find_boundaries(np.pad(mask, 1), mode="inner")  # type: ignore[no-untyped-call]
        drawn[border[1:-1, 1:-1]] = colour
    return np.rint(drawn).astype(np.uint8)


def open_run_video(run: ProbeRun) -> Video:
    """Open the video that a run was made on.

    Raises
    ------
    InputError
        If it was no file, is gone, or has another size or length now.
    """
    from napari_sam2_probe.video.open import open_video

    path = run.info.get("video", {}).get("path")
    if path is None:
        raise InputError(
            f"The run {run.path} was made on a video that is in no file: its frames can't be shown. {_GIVE_IT}"
        )
    try:
        source = open_video(path)
    except ProbeError as error:
        raise InputError(f"The video of the run {run.path} can't be opened: {error} {_GIVE_IT}") from error
    if (source.num_frames, source.height, source.width) != run.masks.shape:
        source.close()
        raise InputError(f"The video {path} is another than the run {run.path} was made on: put the old one back.")
    return source
