"""What lies over what: the layers of a video from the bottom up, and the one way in which layers join them.

Users may rename, move and delete layers. So nothing is found by name or place: what a layer is and which video it
belongs to is written in its metadata.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_sam2_probe.gui.layers import (
    DECODED_BOXES,
    DIFFERENCE,
    MAP,
    MASKS,
    METADATA_KEY,
    OTHER_OUTCOME,
    PREDICTED_MASKS,
    PROMPTS,
    READERS,
    TRUE_BOXES,
    TRUE_MASKS,
    VIDEO,
)

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


class Rank(IntEnum):
    """The order of the layers of one video, lowest first."""

    VIDEO = 0
    MAP = 1
    GROUND_TRUTH = 2
    PREDICTION = 3
    OTHER_OUTCOME = 4
    BOXES = 5
    PAINTED_MASKS = 6
    DRAWN_BOXES = 7
    CLICKS = 8


_RANKS = {
    VIDEO: Rank.VIDEO,
    MAP: Rank.MAP,
    DIFFERENCE: Rank.MAP,
    READERS: Rank.MAP,
    TRUE_MASKS: Rank.GROUND_TRUTH,
    MASKS: Rank.PREDICTION,
    PREDICTED_MASKS: Rank.PREDICTION,
    OTHER_OUTCOME: Rank.OTHER_OUTCOME,
    TRUE_BOXES: Rank.BOXES,
    DECODED_BOXES: Rank.BOXES,
}
_PROMPT_RANKS = {"Labels": Rank.PAINTED_MASKS, "Shapes": Rank.DRAWN_BOXES, "Points": Rank.CLICKS}
"""By the class of the layer: napari itself is imported with the first layer, not here."""


def rank_of(layer: Layer) -> Rank | None:
    """Return where a layer stands in the order; None for one that the plugin did not make."""
    content = _about(layer).get("content")
    if content == PROMPTS:
        return _PROMPT_RANKS.get(layer.__class__.__name__)
    return _RANKS.get(content) if isinstance(content, str) else None


def video_of(viewer: napari.Viewer, layer: Layer) -> Layer | None:
    """Return the layer of the video that a layer belongs to; a video belongs to itself.

    None for what the plugin did not make, and where the video is not in the viewer.
    """
    about, rank = _about(layer), rank_of(layer)
    if rank is Rank.VIDEO:
        return layer
    if rank is None:
        return None
    owner = about["of"]() if "of" in about else _made_with(viewer, about)
    return owner if owner in viewer.layers else None


def layers_of(viewer: napari.Viewer, video: Layer) -> list[Layer]:
    """Return a video's layer and all that belongs to it, bottom first."""
    return [layer for layer in viewer.layers if layer is video or video_of(viewer, layer) is video]


def belongs_to(layer: Layer, video: Layer) -> bool:
    """Whether a layer was made for a video, which need not be in the viewer any more; not whether it is of one run."""
    about = _about(layer)
    if layer is video or rank_of(layer) is Rank.VIDEO:
        return False
    frames = about.get("frames")
    return ("of" in about and about["of"]() is video) or (frames is not None and frames is _about(video).get("video"))


def insert_in_order(viewer: napari.Viewer, layer: Layer, video: Layer | None = None) -> None:
    """Add a layer where it belongs; what is active stays active.

    It comes directly below the lowest layer of its video that is to lie over it, else directly above the highest of
    them. Prompts have nothing over them but prompts. What belongs to no video comes on top.

    Parameters
    ----------
    viewer
        Where to.
    layer
        One that the plugin made, not yet in a viewer.
    video
        The layer that it belongs to: a video, or another layer of that video. None: what its metadata says.
    """
    if video is not None:
        # A layer of the user's own may be worked on as a video.
        owner = video_of(viewer, video) or video
        layer.metadata.setdefault(METADATA_KEY, {}).setdefault("of", ref(owner))
    layers = viewer.layers
    active = layers.selection.active
    layers.insert(_place(viewer, layer), layer)
    if active is not None:
        layers.selection.active = active


def _place(viewer: napari.Viewer, layer: Layer) -> int:
    top, rank = len(viewer.layers), rank_of(layer)
    if rank is None or rank is Rank.VIDEO:
        return top
    about = _about(layer)
    owner = about["of"]() if "of" in about else _made_with(viewer, about)
    if owner is not None and owner in viewer.layers:
        mine = layers_of(viewer, owner)
        floor = viewer.layers.index(owner)
    else:
        # A run whose video is not there.
        mine, floor = [other for other in viewer.layers if _is_of_run(other, about.get("run"))], -1
    places = [(viewer.layers.index(other), rank_of(other)) for other in mine]
    over = [at for at, other in places if other is not None and other > rank and at > floor]
    if over:
        return min(over)
    if rank >= Rank.PAINTED_MASKS:
        return top
    return max((at + 1 for at, _ in places), default=top)


def _made_with(viewer: napari.Viewer, about: dict[str, Any]) -> Layer | None:
    """Return the video that came with a layer: with the same frames, or from the same run."""
    for other in viewer.layers:
        theirs = _about(other)
        if theirs.get("content") != VIDEO:
            continue
        same_frames = about.get("frames") is not None and about["frames"] is theirs.get("video")
        if same_frames or _is_of_run(other, about.get("run")):
            return other
    return None


def _is_of_run(layer: Layer, run: str | None) -> bool:
    return run is not None and _about(layer).get("run") == run


def _about(layer: Layer) -> dict[str, Any]:
    about = layer.metadata.get(METADATA_KEY)
    return about if isinstance(about, dict) else {}
