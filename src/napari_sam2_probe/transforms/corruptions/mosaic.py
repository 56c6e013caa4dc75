"""A 2 x 2 mosaic of the same video in which the object in one tile is meant: hard, because all tiles look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import NoOptions

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


class Mosaic(Corruption[NoOptions]):
    """A 2 x 2 mosaic of the same video in which the object in one tile is meant: hard, because all tiles look alike."""

    name = "mosaic"
    title = "Mosaic"
    description = "a 2 x 2 mosaic of the same video, the object in one tile"

    def apply(self, clip: Clip, options: NoOptions, rng: np.random.Generator) -> Clip:
        """Return the mosaic, of the clip's size; the object of interest is that of one random tile."""
        height, width = clip.frames.shape[1:3]
        # Tiles of an odd-sized frame differ by a pixel.
        rows, columns = (0, height // 2, height), (0, width // 2, width)
        tiles = [(slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])) for i in range(2) for j in range(2)]
        own = tiles[int(rng.integers(len(tiles)))]
        frames, masks = np.empty_like(clip.frames), np.zeros_like(clip.masks)
        for t in range(clip.num_frames):
            frame, mask = Image.fromarray(clip.frames[t]), Image.fromarray(clip.masks[t])
            for tile in tiles:
                size = (tile[1].stop - tile[1].start, tile[0].stop - tile[0].start)
                frames[t][tile] = np.asarray(frame.resize(size, Image.Resampling.BICUBIC))
                if tile is own:
                    masks[t][tile] = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
        return clip.with_frames(frames, masks)
