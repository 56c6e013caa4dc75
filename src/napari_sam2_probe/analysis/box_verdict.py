"""What a decoder of boxes is worth, in words: beside always guessing the mean box, on the same frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_sam2_probe.analysis.bootstrap import Estimate


WORTHWHILE = 0.1
"""Of IoU that decoded boxes must gain on the mean box, on held-out frames, before anybody should go by them."""


def is_worthwhile(gain: Estimate) -> bool:
    """Say whether decoded boxes are better than the mean box by as much as counts; no if it is not known."""
    return bool(gain.value >= WORTHWHILE)


def verdict(gain: Estimate) -> str:
    """Describe how decoded boxes stand beside the mean box; the end of a sentence that begins with what is judged.

    Parameters
    ----------
    gain
        Mean over frames of the IoU of the decoded box less that of the mean box.
    """
    if np.isnan(gain.value):
        return "there is nothing to judge them by"
    if np.isnan(gain.low):
        better = "better" if gain.value > 0 else "worse" if gain.value < 0 else "no better"
        return f"{better} than always guessing the mean box here, but there is too little for an interval"
    if gain.high < 0:
        return "worse than always guessing the mean box"
    if gain.low > 0:
        return "better than always guessing the mean box"
    return "no better than always guessing the mean box, as far as can be told"
