"""The map layers of runs in a viewer: found by what their metadata says, so users may rename and move them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import MAP, MASKS, VIDEO, map_contrast, map_layer, recorded_maps
from napari_sam2_probe.gui.run_layers import layers_of_run, run_content
from napari_sam2_probe.gui.time_series import axes_to_world
from napari_sam2_probe.probe.positions import BY_KEY, STATISTICS, Statistic, base_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import napari
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.gui.state import RunEntry

Sharing = Literal["own", "position", "statistic"]
Limits = tuple[float, float]


@dataclass(frozen=True)
class MapOf:
    """Which map of a run a layer holds: of which position (its key) and statistic, for which object."""

    key: str
    statistic: Statistic
    obj_id: int

    @property
    def family(self) -> str:
        """The number of the position, the same for one that is gated and one that is not."""
        return base_number(BY_KEY[self.key].number)


@dataclass(frozen=True)
class Recorded:
    """What maps a run has: its objects and the keys of its positions, in the order of panels."""

    object_ids: tuple[int, ...]
    keys: tuple[str, ...]


def load_recorded(entry: RunEntry) -> Recorded:
    """Read what maps a run has by now."""
    run = entry.open()
    return Recorded(tuple(run.object_ids.tolist()), tuple(position.key for position in recorded_maps(run)))


def load_map(entry: RunEntry, wanted: MapOf) -> LayerData | None:
    """Read what napari needs for a map's layer; None as long as the run doesn't hold it."""
    run = entry.open()
    try:
        return map_layer(run, wanted.obj_id, BY_KEY[wanted.key], wanted.statistic)
    except (KeyError, ValueError):
        return None


def load_contrast(maps: Sequence[tuple[RunEntry, MapOf]], sharing: Sharing) -> list[Limits]:
    """Read contrast limits for maps of several runs, each its own or shared as `share_limits` says."""
    runs = {entry: entry.open() for entry, _ in maps}
    own = [map_contrast(runs[entry], of.obj_id, BY_KEY[of.key], of.statistic) for entry, of in maps]
    return share_limits([of for _, of in maps], own, sharing)


def share_limits(maps: Sequence[MapOf], own: Sequence[Limits], sharing: Sharing) -> list[Limits]:
    """Let maps share contrast limits.

    Parameters
    ----------
    maps
        The maps.
    own
        The limits of each.
    sharing
        ``"own"``: none does. ``"position"``: those of one position and statistic do, gated or not, so that objects
        and runs can be compared. ``"statistic"``: all means do, and all variances.

    Returns
    -------
    list of (float, float)
        For each map the lowest and highest limit of those it shares with.
    """
    if sharing == "own":
        return list(own)
    groups = [(of.statistic, of.family if sharing == "position" else "") for of in maps]
    low = {group: min(limits[0] for limits, g in zip(own, groups, strict=True) if g == group) for group in groups}
    high = {group: max(limits[1] for limits, g in zip(own, groups, strict=True) if g == group) for group in groups}
    return [(low[group], high[group]) for group in groups]


def map_of(layer: Layer) -> MapOf | None:
    """Return which map a layer holds; None for any other layer."""
    content = run_content(layer)
    if content is None or content.get("content") != MAP:
        return None
    return MapOf(content["key"], content["statistic"], content["obj_id"])


def map_layers(viewer: napari.Viewer, path: Path) -> dict[MapOf, Image]:
    """Return the map layers of a run; of copies of one layer the lowest."""
    found: dict[MapOf, Any] = {}
    for layer in layers_of_run(viewer, path, MAP):
        of = map_of(layer)
        if of is not None:
            found.setdefault(of, layer)
    return found


def add_map_layer(viewer: napari.Viewer, data: LayerData, video: Layer | None) -> Image:
    """Add a map over its video and below everything that lies over maps (`layer_order`); it does not become active.

    Parameters
    ----------
    viewer
        The viewer.
    data
        What `load_map` gave.
    video
        The layer of the run's video, or of its masks, where there is one.
    """
    from napari.layers import Layer

    array, keywords, kind = data
    if video is not None:
        keywords = keywords | {"affine": video_to_world(video), "units": video.units[-3:]}
    layer = Layer.create(array, keywords, kind)
    insert_in_order(viewer, layer, video)
    return layer


def video_to_world(video: Layer) -> NDArray[np.float64]:
    """Return the (4, 4) matrix that takes (time, y, x) of a video layer to the world."""
    return axes_to_world(video, range(video.ndim - 3, video.ndim))


def grid_arrangement(shown: Sequence[MapOf | str | None]) -> tuple[list[int], tuple[int, int]]:
    """Order layers for napari's grid as the paper orders its composites: means in a row, variances below.

    Parameters
    ----------
    shown
        What each visible layer holds, in any order: a map, `VIDEO`, `MASKS`, or None for anything else.

    Returns
    -------
    order
        Indices in the order of the cells, row by row.
    shape
        Rows and columns. The video stands before the means and the masks before the variances; where means and
        variances are not of the same maps, the grid is about as wide as high.
    """
    indices = {(of.statistic, _place(of)): k for k, of in enumerate(shown) if isinstance(of, MapOf)}
    means, variances = ([indices[key] for key in sorted(indices) if key[0] == statistic] for statistic in STATISTICS)
    first = [k for k, of in enumerate(shown) if of == VIDEO]
    second = [k for k, of in enumerate(shown) if of == MASKS]
    paired = [place for s, place in indices if s == "mean"], [place for s, place in indices if s == "variance"]
    rest = [k for k in range(len(shown)) if k not in {*means, *variances, *first, *second}]
    if means and sorted(paired[0]) == sorted(paired[1]):
        if len(first) == len(second):
            order = [*first, *means, *second, *variances, *rest]
            columns = len(means) + len(first)
        else:
            order = [*means, *variances, *first, *second, *rest]
            columns = len(means)
    else:
        order = [*first, *means, *variances, *second, *rest]
        columns = max(int(np.ceil(np.sqrt(len(order)))), 1)
    return order, (max(-(-len(order) // columns), 1), columns)


def _place(of: MapOf) -> tuple[int, int]:
    return of.obj_id, list(BY_KEY).index(of.key)
