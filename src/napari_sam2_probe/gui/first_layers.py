"""What napari imports and computes for its first layers, done beforehand and beside the window.

It takes half a second: pandas, for tables of features; scikit-image's colours, for a palette of labels that is then
replaced; the patterns of dashed lines, of which a polygon that nobody draws has a solid one.
"""

from __future__ import annotations

import logging
from functools import cache

logger = logging.getLogger(__name__)


@cache
def prepare_layers() -> None:
    """Let napari keep what its layers need; touches no widget and no layer: for a worker."""
    # No layer is made here: units are read for the first, which must not be in two threads at once.
    try:
        import pandas  # noqa: F401
        from napari.utils.colormaps import label_colormap
        from vispy.visuals.line.dash_atlas import DashAtlas

        label_colormap()
        DashAtlas()
    except Exception:
        # Parts of others may change. Without them the first layers take longer, and nothing else.
        logger.info("could not prepare layers", exc_info=True)
