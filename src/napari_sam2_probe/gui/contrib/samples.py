"""What napari's File → Open Sample offers: the sample videos, one function each, and a finished probe run."""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING

import platformdirs

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.contrib.readers import read_runs
from napari_sam2_probe.runs.info import INFO

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.gui.layers import LayerData


def sample_layers(name: str) -> list[LayerData]:
    """Return a sample video and its true masks, read frame by frame as they are looked at.

    Raises
    ------
    InputError
        If there is no sample of this name.
    """
    from napari import current_viewer

    from napari_sam2_probe.gui.outlines import outline_truth
    from napari_sam2_probe.gui.videos import video_layers
    from napari_sam2_probe.video import DavisDataset

    sequence = DavisDataset(sample_data_folder()).sequence(name)
    viewer = current_viewer()
    if viewer is not None:
        outline_truth(viewer)
    return video_layers(sequence)


def astronaut() -> list[LayerData]:
    """Open a portrait before the deep field; a model shuttle passes behind her."""
    return sample_layers("astronaut")


def cameraman() -> list[LayerData]:
    """Open a film of a man who films his way along a brick wall."""
    return sample_layers("cameraman")


def cat() -> list[LayerData]:
    """Open the film of a cat that leans out of the picture and comes back."""
    return sample_layers("cat")


def cells() -> list[LayerData]:
    """Open the film of two cells, one creeping over the other."""
    return sample_layers("cells")


def coffee() -> list[LayerData]:
    """Open the film of a cup pushed across a terrace."""
    return sample_layers("coffee")


def coins() -> list[LayerData]:
    """Open the film of three coins that slide, spin and cross."""
    return sample_layers("coins")


def horse() -> list[LayerData]:
    """Open the film of a wooden horse that canters over gravel."""
    return sample_layers("horse")


def rocket() -> list[LayerData]:
    """Open the film of a rocket that leaves its pad."""
    return sample_layers("rocket")


def probe_run() -> list[LayerData]:
    """Open a finished run of the sample model on the film of the cat."""
    return read_runs(str(unpack_sample_run(platformdirs.user_cache_path("napari-sam2-probe"))))


def unpack_sample_run(cache: Path) -> Path:
    """Unpack the sample run, which is shipped as one file, into a folder in `cache`, and return that.

    Raises
    ------
    InputError
        If it can't be unpacked there.
    """
    try:
        with zipfile.ZipFile(sample_data_folder() / "sample_run.zip") as packed:
            # Another version of the package may have another run.
            version = zlib.crc32(b"".join(entry.CRC.to_bytes(4, "big") for entry in packed.infolist()))
            folder = cache / f"sample run {version:08x}" / "sample run"
            for entry in packed.infolist():
                file = folder / entry.filename
                if not (file.is_file() and file.stat().st_size == entry.file_size):
                    packed.extract(entry, folder)
            info = json.loads(packed.read(INFO))
        info["video"]["path"] = str(sample_data_folder() / "JPEGImages" / "480p" / info["video"]["path"])
        atomic_write_text(folder / INFO, json.dumps(info, indent=2) + "\n")
    except OSError as error:
        raise InputError(
            f"The sample run can't be unpacked into {cache} ({error.strerror}): make room there, or let it be written."
        ) from error
    return folder
