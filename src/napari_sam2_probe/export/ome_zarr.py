"""Images over time as OME-Zarr 0.5, which napari, Fiji, ome-zarr and others open without this package.

A store holds one image a map: an array of axes t, c, y, x with a channel for each object. Scale and translation say
where its pixels lie among those of the video, so that who honours both shows a map over the video. Time counts frames.

Source: https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_VERSION = "0.5"
_AXES = ("t", "c", "y", "x")
_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_SHOWN_PERCENTILES = (0.5, 99.5)


@dataclass
class _Window:
    """What a channel's values span: their extremes, and between which limits most of each picture lies."""

    pictures: list[tuple[float, float, float, float]] = field(default_factory=list)

    def add(self, picture: NDArray[np.float32]) -> None:
        finite = picture[np.isfinite(picture)]
        if finite.size:
            low, high = np.percentile(finite, _SHOWN_PERCENTILES)
            self.pictures.append((float(finite.min()), float(low), float(high), float(finite.max())))

    def as_json(self) -> dict[str, float]:
        least, lows, highs, most = (
            zip(*self.pictures, strict=True) if self.pictures else ((0.0,), (0.0,), (1.0,), (1.0,))
        )
        start, end = float(np.median(lows)), float(np.median(highs))
        if not start < end:
            start, end = min(least), max(most)
        # Readers refuse limits that are equal.
        return {"min": min(least), "max": max(most), "start": start, "end": end if start < end else start + 1}


class OmeZarrImage:
    """One image of a store that is being written.

    Parameters
    ----------
    group
        The zarr group that becomes the image.
    name
        What readers call it.
    shape
        (T, C, h, w).
    channels
        What readers call each channel.
    video_size
        The height and width of the video that the image lies over.
    visible
        Whether readers show it at first.
    """

    def __init__(
        self,
        group: Any,
        name: str,
        shape: tuple[int, int, int, int],
        channels: Sequence[str],
        video_size: tuple[int, int],
        *,
        visible: bool,
    ) -> None:
        self._group, self._name, self._channels, self._visible = group, name, list(channels), visible
        self._windows = [_Window() for _ in channels]
        self._transforms = _over_video(shape[2:], video_size)
        self._array = group.create_array(
            "0",
            shape=shape,
            dtype=np.float32,
            chunks=(1, 1, *shape[2:]),
            fill_value=np.nan,
            dimension_names=_AXES,
        )

    def write(self, frame_idx: int, pictures: NDArray[np.float32]) -> None:
        """Write the pictures (C, h, w) of one frame; NaN where there is nothing."""
        self._array[frame_idx] = pictures
        for window, picture in zip(self._windows, pictures, strict=True):
            window.add(picture)

    def conclude(self) -> None:
        """Write what readers need to know; without it the group is no image."""
        types = {"t": "time", "c": "channel"}
        self._group.attrs["ome"] = {
            "version": _VERSION,
            "multiscales": [
                {
                    "name": self._name,
                    "axes": [{"name": axis, "type": types.get(axis, "space")} for axis in _AXES],
                    "datasets": [{"path": "0", "coordinateTransformations": self._transforms}],
                }
            ],
            "omero": {
                "channels": [
                    {"label": label, "color": "FFFFFF", "active": self._visible, "window": window.as_json()}
                    for label, window in zip(self._channels, self._windows, strict=True)
                ]
            },
        }


def _over_video(size: tuple[int, int], video_size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return where the centres of an image's pixels lie, counted from the centre of the video's first pixel."""
    steps = [whole / part for whole, part in zip(video_size, size, strict=True)]
    return [
        {"type": "scale", "scale": [1.0, 1.0, *steps]},
        {"type": "translation", "translation": [0.0, 0.0, *((step - 1) / 2 for step in steps)]},
    ]


def write_collection(store: Any, folder: Path, images: dict[str, tuple[str, tuple[int, int, int, int]]]) -> None:
    """Tell readers which images a store holds, so that opening the store opens them all.

    Parameters
    ----------
    store
        The zarr group that holds the images.
    folder
        Where it lies.
    images
        The name and shape (T, C, h, w) of each image, by its path in the store.
    """
    store.attrs["ome"] = {"version": _VERSION, "bioformats2raw.layout": 3}
    series = store.create_group("OME")
    series.attrs["ome"] = {"version": _VERSION, "series": list(images)}
    root = Element(f"{{{_OME}}}OME")
    for number, (path, (name, shape)) in enumerate(images.items()):
        # Readers that know of no series find an image by its id here.
        image = SubElement(root, f"{{{_OME}}}Image", ID=f"Image:{path}", Name=name)
        sizes = dict(zip(("SizeT", "SizeC", "SizeY", "SizeX"), map(str, shape), strict=True))
        about = {"ID": f"Pixels:{number}", "Type": "float", "DimensionOrder": "XYZCT", "SizeZ": "1"} | sizes
        pixels = SubElement(image, f"{{{_OME}}}Pixels", about)
        for channel in range(shape[1]):
            SubElement(pixels, f"{{{_OME}}}Channel", ID=f"Channel:{number}:{channel}", SamplesPerPixel="1")
        SubElement(pixels, f"{{{_OME}}}MetadataOnly")
    (folder / "OME" / "METADATA.ome.xml").write_bytes(tostring(root, encoding="utf-8", xml_declaration=True))
