"""The maps of a clip less those of its twin, on frames that show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.figures.composite import MapPair

if TYPE_CHECKING:
    from collections.abc import Sequence


def subtract_maps(clip: Sequence[MapPair], twin: Sequence[MapPair]) -> tuple[MapPair, ...]:
    """Subtract the maps of a twin from those of a clip, position by position.

    Parameters
    ----------
    clip, twin
        Of one frame each. Positions that only one of them has are left out.

    Returns
    -------
    tuple of MapPair
        In the clip's order. The status is the clip's, else the twin's.
    """
    others = {pair.position: pair for pair in twin}
    found = []
    for pair in clip:
        other = others.get(pair.position)
        if other is not None and other.mean.shape == pair.mean.shape:
            status = pair.status or (f"twin: {other.status}" if other.status else "")
            found.append(MapPair(pair.position, pair.mean - other.mean, pair.variance - other.variance, status))
    return tuple(found)
