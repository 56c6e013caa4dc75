"""A clip and its twin from a video that is at hand, in memory: `make_clip`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.maker import ClipMaker, ClipRequest, unrelated
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS
from napari_sam2_probe.transforms.registry import KINDS, parse_corruption
from napari_sam2_probe.video.davis import DavisDataset, dataset_of
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.transforms.kind import Transform


def make_clip(
    video: Any,
    kind: str,
    *,
    object_id: int = 1,
    seed: int = 0,
    others: Any = None,
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS,
    then: Sequence[str] = (),
    **options: Any,
) -> tuple[Video, Video]:
    """Make a transformed clip of an object in a video, and its twin: the same frames without the change.

    Nothing is written; frames are drawn when they are read. The same arguments give the same pixels.

    Parameters
    ----------
    video
        A video with true masks, or whatever `napari_sam2_probe.video.open_video` takes.
    kind
        A kind of clip, such as ``"interjection"``.
    object_id
        The object of interest, by its id in the masks. In the clip its id is 1.
    seed
        Decides which frames are taken and all else that is drawn.
    others
        Where footage from elsewhere comes from, for kinds that need some: a video or several (in a list, or by name),
        or a data set or its folder. If None, the data set that the video lies in.
    lengths
        Frames of prefix, interjection and suffix.
    then
        Corruptions that clip and twin go through, such as ``["gaussian-noise:sigma=25"]``.
    **options
        Options of the kind, such as ``fill="blur"``.

    Returns
    -------
    clip, twin : Video
        Both with true masks and their `truth`. The twin of a clean clip is the clip itself. For ``"object-removal"``
        the twin shares the context alone: the object of interest belongs to the change.

    Raises
    ------
    InputError
        If the video has no masks, no such object or too few frames with it; the kind or an option is not known; or
        others are needed and missing, or none of them fits.
    """
    if not isinstance(kind, str):
        raise InputError(f"{kind!r} is not the name of a kind: give one of {', '.join(KINDS)}.")
    transform = KINDS.find(kind)
    read = transform.read_options(options)
    lengths, seed = _checked_lengths(lengths), _checked_seed(seed)
    corruptions = tuple(parse_corruption(text) for text in ([then] if isinstance(then, str) else then))
    base = _checked_base(open_video(video), sum(lengths), lengths)
    given = transform.count_others(transform.typed(read)) > 0
    videos, all_unrelated = _with_others(base, others, transform) if given else ({base.name: base}, True)
    maker = ClipMaker(videos, all_unrelated=all_unrelated)
    there = maker.object_ids(base.name)
    if object_id not in there:
        known = f"choose one of {', '.join(map(str, there))}" if there else "its masks hold no object"
        raise InputError(f"Object {object_id!r} is not in {base.name}: {known}.")
    made = maker.make(ClipRequest(base.name, object_id, kind, None, lengths, seed, read, corruptions))
    clip = made.video()
    return clip, clip if kind == "clean" else maker.twin(made).video()


class _Beside(Mapping[str, Video]):
    """A video and others by name; of two with one name, the video."""

    def __init__(self, video: Video, others: Mapping[str, Video]) -> None:
        self._video = video
        self._others = others

    def __getitem__(self, name: str) -> Video:
        return self._video if name == self._video.name else self._others[name]

    def __iter__(self) -> Iterator[str]:
        yield self._video.name
        yield from (name for name in self._others if name != self._video.name)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _checked_base(video: Video, needed: int, lengths: tuple[int, int, int]) -> Video:
    if not video.has_masks:
        raise InputError(
            f"{video.name} has no true masks, and a clip needs those of its object: open it by "
            "open_video(..., masks=...), or take a video of a data set with masks."
        )
    if video.num_frames < needed:
        raise InputError(
            f"{video.name} has {video.num_frames} frames and lengths={lengths} needs {needed}: give shorter lengths."
        )
    return video


def _checked_lengths(lengths: Any) -> tuple[int, int, int]:
    try:
        prefix, interjection, suffix = (_whole(length) for length in lengths)
    except (TypeError, ValueError):
        prefix, interjection, suffix = 0, 0, 0
    if prefix < 1 or interjection < 0 or suffix < 0:
        raise InputError(f"lengths={lengths!r} can't be used: give three numbers of frames, such as (12, 4, 12).")
    return prefix, interjection, suffix


def _checked_seed(seed: Any) -> int:
    try:
        if _whole(seed) >= 0:
            return _whole(seed)
    except TypeError:
        pass
    raise InputError(f"seed={seed!r} can't be used: give a whole number, 0 or larger.")


def _whole(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise TypeError
    return int(number)


def _with_others(base: Video, others: Any, kind: Transform[Any]) -> tuple[Mapping[str, Video], bool]:
    """Return the video and the others by name, and whether all of these may be used, whatever they are called."""
    what = "another video with true masks" if kind.masks_of_others else "another video"
    if others is None:
        try:
            dataset = dataset_of(base)
        except InputError:
            dataset = None
        if dataset is None or not unrelated(dataset, base.name):
            raise InputError(
                f"A clip of the kind {kind.name} takes footage from {what}: give others=..., a video or several."
            )
        return _Beside(base, dataset), False
    found = _open_others(others)
    if isinstance(found, DavisDataset):
        return _Beside(base, found), False
    if not found:
        raise InputError(f"others={others!r} holds no video: give {what}.")
    if kind.masks_of_others:
        found = {name: video for name, video in found.items() if video.has_masks}
        if not found:
            raise InputError(
                f"A clip of the kind {kind.name} cuts an object out of another video, and none of the others has true "
                "masks: give videos with masks."
            )
    return _Beside(base, _renamed(base.name, found)), True


def _open_others(others: Any) -> Mapping[str, Video]:
    if isinstance(others, DavisDataset):
        return others
    if isinstance(others, Mapping):
        return {str(name): open_video(video) for name, video in others.items()}
    if isinstance(others, list | tuple):
        return _by_name([open_video(video) for video in others])
    if isinstance(others, str | Path):
        try:
            return DavisDataset(others)
        except InputError:
            # No data set; perhaps a video. If not, what that says is what the user needs to know.
            pass
    return _by_name([open_video(others)])


def _by_name(videos: Sequence[Video]) -> dict[str, Video]:
    """Return videos by their names, of which equal ones get numbers."""
    named: dict[str, Video] = {}
    for video in videos:
        name, number = video.name, 2
        while name in named:
            name, number = f"{video.name} {number}", number + 1
        named[name] = video
    return named


def _renamed(taken: str, videos: Mapping[str, Video]) -> dict[str, Video]:
    """Return videos by name, none of which is `taken`."""
    return {f"other {name}" if name == taken else name: video for name, video in videos.items()}
