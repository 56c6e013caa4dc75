"""Videos by path, name or array; data sets of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.api.names import unknown
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.common.values import as_path
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.open import open_video as open_video

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.video.video import Video


def sample_video(name: str = "cat") -> Video:
    """Open one of the short videos that come with the package, with its true masks.

    Parameters
    ----------
    name
        One of ``astronaut``, ``cameraman``, ``cat``, ``cells``, ``coffee``, ``coins``, ``horse`` and ``rocket``.

    Raises
    ------
    InputError
        If there is no such video.
    """
    samples = DavisDataset(sample_data_folder())
    if name not in samples:
        raise unknown("sample video", name, samples)
    return samples[name]


def open_dataset(root: Path | str, split: str | None = None) -> DavisDataset:
    """Open a data set: a mapping from names to `Video`.

    Parameters
    ----------
    root
        A folder in the layout of DAVIS, MOSE, YouTube-VOS, LVOS or SA-V.
    split
        A split's name, such as ``"val"``; all sequences if None.

    Raises
    ------
    InputError
        If there is no such data set or split, or a sequence of the split is missing.
    """
    return DavisDataset(as_path(root, "root"), split)
