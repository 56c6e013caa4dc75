"""Frames of arrays that others compute when they are asked for: dask, zarr, or any object of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError, ProbeError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_frame(array: Any, frame_idx: int, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """Return one frame of an array, if it is what the array promised; the others can still be read if it isn't.

    Parameters
    ----------
    array
        Anything that is indexed by frame.
    frame_idx
        Which frame.
    shape, dtype
        What the array says of all its frames.
    name
        What the array is called in messages.

    Raises
    ------
    InputError
        If the array raises anything, or gives another shape or type.
    """
    try:
        frame = np.asarray(array[frame_idx])
    except ProbeError:
        raise
    except MemoryError as error:
        raise InputError(f"{name}: frame {frame_idx} doesn't fit into memory: give a smaller array.") from error
    # Whatever computes it may raise anything.
    except Exception as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise InputError(f"{name}: frame {frame_idx} can't be read ({reason}): fix or leave out that frame.") from error
    if frame.shape != shape or frame.dtype != dtype:
        raise InputError(
            f"{name}: frame {frame_idx} came as {frame.dtype} of the shape {frame.shape}, where the array promises "
            f"{dtype} of {shape}: fix what computes it."
        )
    return frame
