"""Two functions from a run to a layer, for notebooks, and the small forms that napari's menus open for them.

>>> from napari_sam2_probe.gui.contrib.functions import position_map
>>> array, arguments, kind = position_map("runs/coffee", position="2", frame=8)  # doctest: +SKIP
>>> viewer.add_image(array, **arguments)  # doctest: +SKIP
"""

from __future__ import annotations

import pathlib  # noqa: TC003 (magicgui finds types by what a module's name leads to)
from typing import TYPE_CHECKING, Any, Literal

import napari.types  # noqa: TC002
import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.clip_view import ClipView
from napari_sam2_probe.figures.maps import COLOUR_MAPS
from napari_sam2_probe.gui.layers import AXIS_LABELS, METADATA_KEY, contrast_limits, map_transform, maps_of
from napari_sam2_probe.gui.run_views import UNREAD
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.time_axis import shown_frame
from napari_sam2_probe.probe.positions import BY_NUMBER, POSITIONS
from napari_sam2_probe.runs import open_run

if TYPE_CHECKING:
    from magicgui.widgets import FunctionGui

    from napari_sam2_probe.runs import ProbeRun

FRAME_MAP = "map of a frame"
POINTER_DISTANCE = "pointer distance"


def position_map(
    run: pathlib.Path,
    position: str = "2",
    statistic: Literal["mean", "variance"] = "mean",
    object_id: int = 1,
    frame: int = 0,
) -> napari.types.LayerDataTuple:
    """Return the map of one position on one frame as an image layer exactly over the video.

    Unlike the layers of the Look panel it stands still, so that several frames can be compared.

    Parameters
    ----------
    run
        The run's folder.
    position
        The number of the position, such as ``"2"`` for memory attention.
    statistic
        Over its channels.
    object_id
        The object.
    frame
        The frame.

    Returns
    -------
    array, arguments, "image"
        The map (h, w) and the arguments of the layer, for ``viewer.add_image``.

    Raises
    ------
    InputError
        If the run can't be read, or holds no such map.
    """
    opened = open_run(run)
    _index(opened, object_id)
    found = BY_NUMBER.get(position)
    if found is None or found.key not in opened.map_keys:
        known = ", ".join(p.number for p in POSITIONS if p.key in opened.map_keys) or "none"
        raise InputError(f"The run {opened.path.name} has no maps of position {position}: it has those of {known}.")
    if not 0 <= frame < opened.num_frames:
        raise InputError(
            f"The run {opened.path.name} has no frame {frame}: choose one from 0 to {opened.num_frames - 1}."
        )
    maps = maps_of(opened, object_id, found, statistic)
    values = maps.read(frame)
    where = map_transform((maps.shape[1], maps.shape[2]), opened.masks.shape[1:])
    arguments = {
        "name": f"{position} {statistic} of {found.title.lower()} · frame {frame} · object {object_id}",
        "colormap": COLOUR_MAPS[statistic],
        "interpolation2d": "nearest",
        "contrast_limits": contrast_limits(values[None], np.array([0])),
        **{name: numbers[1:] for name, numbers in where.items()},
        "axis_labels": AXIS_LABELS[1:],
        "metadata": {METADATA_KEY: {"content": FRAME_MAP, "frame": frame, "position": position}},
    }
    return values, arguments, "image"


def pointer_distance(
    run: pathlib.Path,
    twin: pathlib.Path,
    object_id: int = 1,
    ungated: bool = False,
) -> napari.types.LayerDataTuple:
    """Return how far an object's pointers are from those of another run, as points on the object over time.

    Frames are paired by what they show, as everywhere: those of a clip and its twin by their source, others by number.

    Parameters
    ----------
    run, twin
        The folders of the runs. Points lie where the first has its mask.
    object_id
        The object.
    ungated
        Compare the pointers before SAM 2 replaces those of absent objects (position 4r).

    Returns
    -------
    coordinates, arguments, "points"
        (N, 3) centres of the object's mask, and the arguments of the layer, for ``viewer.add_points``. Its features are
        ``frame`` and ``distance`` (L2). Frames without a mask or a distance have no point.

    Raises
    ------
    InputError
        If a run can't be read or lacks the object, or no frame is in both.
    """
    views = [ClipView(one, UNREAD, one.path.name, _index(one, object_id)) for one in map(open_run, (run, twin))]
    distances = views[0].distance_to(views[1], raw=ungated)
    points = []
    for frame_idx in np.flatnonzero(np.isfinite(distances)).tolist():
        rows, columns = np.nonzero(views[0].run.masks_per_object[views[0].obj_index, frame_idx])
        if rows.size:
            points.append((frame_idx, rows.mean(), columns.mean()))
    if not points:
        raise InputError(
            f"No frame with this object is in both {views[0].label} and {views[1].label}: choose its twin."
        )
    coordinates = np.array(points, float)
    frames = coordinates[:, 0].astype(int)
    size = max(4.0, max(views[0].run.masks.shape[1:]) / 40)
    arguments = {
        "name": f"pointer distance · object {object_id} · {views[0].label} − {views[1].label}",
        "features": {"frame": frames, "distance": distances[frames]},
        "face_color": "distance",
        "face_colormap": "viridis",
        "border_color": "white",
        "size": size,
        "text": {"string": "{distance:.1f}", "color": "white", "anchor": "upper_left", "translation": (0, 0, size)},
        "axis_labels": AXIS_LABELS,
        "metadata": {METADATA_KEY: {"content": POINTER_DISTANCE}},
    }
    return coordinates, arguments, "points"


def position_map_form() -> FunctionGui[..., napari.types.LayerDataTuple]:
    """Return the form of `position_map`: runs that the window knows, and the frame that it shows."""
    from magicgui import magicgui

    return _explained(
        magicgui(
            position_map,
            call_button="Add map",
            run={
                "label": "Run",
                "choices": _known_runs,
                "tooltip": "The run: open one in the Runs panel, or track an object",
            },
            position={"label": "Position", "choices": _map_positions(), "tooltip": "Where in SAM 2"},
            statistic={"label": "Statistic", "tooltip": "Over the channels"},
            object_id={"min": 1, "label": "Object", "tooltip": "The object's id"},
            frame={"bind": _frame},
        ),
        "Add the map of the shown frame as a layer that stays",
    )


def pointer_distance_form() -> FunctionGui[..., napari.types.LayerDataTuple]:
    """Return the form of `pointer_distance`, with the runs that the window knows."""
    from magicgui import magicgui

    runs = {"choices": _known_runs}
    return _explained(
        magicgui(
            pointer_distance,
            call_button="Add distances",
            run=runs | {"label": "Run", "tooltip": "The run, such as that on an obscured clip"},
            twin=runs | {"label": "Twin", "tooltip": "The run to compare with, such as that on the clean twin"},
            object_id={"min": 1, "label": "Object", "tooltip": "The object's id"},
            ungated={
                "label": "Ungated (4r)",
                "tooltip": "Pointers as the decoder made them, before SAM 2 replaces those of absent objects",
            },
        ),
        "Add a point with the distance on every frame that both runs have",
    )


def _explained(form: Any, tip: str) -> Any:
    form.call_button.tooltip = tip
    viewer = _viewer()
    if viewer is not None:
        # Held weakly, as all methods are.
        state_of(viewer).runs_changed.connect(form.reset_choices)
    return form


def _viewer() -> Any:
    import napari

    return napari.current_viewer()


def _known_runs(_: Any) -> list[tuple[str, pathlib.Path]]:
    viewer = _viewer()
    return [] if viewer is None else [(entry.title, entry.path) for entry in state_of(viewer).runs]


def _map_positions() -> list[tuple[str, str]]:
    return [(f"{p.number} {p.title}", p.number) for p in POSITIONS if p.is_map]


def _frame(_: Any) -> int:
    viewer = _viewer()
    return 0 if viewer is None else shown_frame(viewer)


def _index(run: ProbeRun, object_id: int) -> int:
    """Return which of a run's objects has an id."""
    ids = run.object_ids.tolist()
    if object_id not in ids:
        known = ", ".join(map(str, ids)) or "none"
        raise InputError(f"The run {run.path.name} has no object {object_id}: it has {known}.")
    return int(ids.index(object_id))
