"""What napari imports and computes for its first labels layer, done beforehand and beside the window.

It takes two tenths of a second: scikit-image's colours, for a palette that is then replaced, and the patterns of
dashed lines, of which a polygon that nobody draws has a solid one.
"""

from __future__ import annotations

import logging
from functools import cache

logger = logging.getLogger(__name__)


@cache
def prepare_labels() -> None:
    """Let napari keep what its labels layers need; touches no widget and no layer: for a worker."""
    try:
        from napari.utils.colormaps import label_colormap
        from vispy.visuals.line.dash_atlas import DashAtlas

        label_colormap()
        DashAtlas()
    except Exception:
        # Parts of others may change. Without them the first labels layer takes longer, and nothing else.
        logger.info("could not prepare labels layers", exc_info=True)
