"""Where a frame of a run looked, as labelled arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from napari_sam2_probe.tracking.looking import FrameAttention


class Look:
    """Where one frame and object looked: in its memories from a pixel, from a memory's region, and in the image.

    Made by `Run.look`. Everything is a mean over heads; layers are apart, and ``.mean("layer")`` joins them. ``y`` and
    ``x`` count pixels of the video, and the centre of the first pixel is at 0.

    Parameters
    ----------
    seen
        The queries and keys of the frame.
    video_size
        (H, W) of the video.

    Examples
    --------
    >>> look = run.look(9)  # doctest: +SKIP
    >>> look.from_pixel(120, 80).mean("layer").sel(memory=8).plot()  # doctest: +SKIP
    >>> look.of_memory(0, run.masks.sel(object=1, frame=0)).mean("layer")  # doctest: +SKIP
    >>> look.tokens().sel(layer="final", token="mask 0")  # doctest: +SKIP
    """

    def __init__(self, seen: FrameAttention, video_size: tuple[int, int]) -> None:
        self._seen = seen
        self._video_size = video_size

    @property
    def frame(self) -> int:
        """The frame."""
        return self._seen.frame_idx

    @property
    def memories(self) -> list[int]:
        """The frames whose memories were read."""
        return self._seen.memory_frames

    def from_pixel(self, x: float, y: float) -> xr.DataArray:
        """Return where a pixel of the frame looks: (layer, memory, y, x), ``memory`` by its frame.

        With the shares of the pointers, which `pointers_from_pixel` gives, a layer sums to 1.

        Raises
        ------
        InputError
            If the pixel is not in the frame, or the frame read no memory.
        """
        found = self._from_pixel(x, y)
        maps = [part for entry, part in zip(self._seen.entries, found, strict=True) if entry.kind == "memory"]
        return self._maps(np.stack(maps, axis=1), ("layer", "memory"), {"memory": self.memories}, "attention")

    def pointers_from_pixel(self, x: float, y: float) -> xr.DataArray:
        """Return how much a pixel of the frame looks at each object pointer: (layer, pointer)."""
        import xarray as xr

        found = zip(self._seen.entries, self._from_pixel(x, y), strict=True)
        shares = {entry.frame: part for entry, part in found if entry.kind == "pointer"}
        values = np.stack([*shares.values()], axis=1) if shares else np.zeros((len(self._seen.memory_layers), 0))
        coords = {"layer": self._layers(), "pointer": [*shares]}
        return xr.DataArray(values, coords, ("layer", "pointer"), "attention")

    def of_memory(self, frame: int, region: ArrayLike | None = None) -> xr.DataArray:
        """Return which pixels of the frame read a memory, or a region of it: (layer, y, x).

        Parameters
        ----------
        frame
            The frame whose memory it is.
        region
            A mask (H, W) of the video; all of the memory by default.

        Raises
        ------
        InputError
            If the frame read no such memory, or the region is empty or has another size.
        """
        tokens = None
        if region is not None:
            mask = np.asarray(region).astype(np.bool_)
            if mask.shape != self._video_size:
                height, width = self._video_size
                raise InputError(f"The region has the shape {mask.shape}: give a mask of ({height}, {width}).")
            tokens = self._seen.tokens_in(mask, self._seen.memory_side)
        return self._maps(self._seen.readers(int(frame), tokens), ("layer",), {}, "attention")

    def tokens(self) -> xr.DataArray:
        """Return where the decoder's tokens look in the image: (layer, token, y, x), each map summing to 1.

        Layers are those of the two-way transformer and ``"final"``; tokens are the object score, the IoU, the masks,
        and those of the frame's prompts; ``padding`` stands for no prompt.
        """
        coords = {"layer": list(self._seen.decoder_names), "token": list(self._seen.tokens)}
        return self._maps(self._seen.decoder_maps(), ("layer", "token"), coords, "attention")

    def __repr__(self) -> str:
        read = f"read memories of frames {', '.join(map(str, self.memories))}" if self.memories else "read no memory"
        return f"<Look of frame {self.frame}, object {self._seen.obj_id}: {read}>"

    def _from_pixel(self, x: float, y: float) -> list[NDArray[np.float32]]:
        return list(self._seen.from_token(self._seen.token_at(float(x), float(y), self._video_size)))

    def _layers(self) -> list[int]:
        return list(range(1, len(self._seen.memory_layers) + 1))

    def _maps(
        self, values: NDArray[np.float32], dims: tuple[str, ...], coords: dict[str, list[Any]], name: str
    ) -> xr.DataArray:
        import xarray as xr

        from napari_sam2_probe.api.lazy import pixel_centres

        height, width = self._video_size
        grid = {"y": pixel_centres(values.shape[-2], height), "x": pixel_centres(values.shape[-1], width)}
        return xr.DataArray(values, {"layer": self._layers(), **coords, **grid}, (*dims, "y", "x"), name)
