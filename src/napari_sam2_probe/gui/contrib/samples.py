"""The sample videos in napari's File menu: one function a video, named as its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.sample_data import sample_data_folder

if TYPE_CHECKING:
    from napari_sam2_probe.gui.layers import LayerData


def sample_layers(name: str) -> list[LayerData]:
    """Return a sample video and its true masks, read frame by frame as they are looked at.

    Raises
    ------
    InputError
        If there is no sample of this name.
    """
    from napari_sam2_probe.gui.videos import video_layers
    from napari_sam2_probe.video import DavisDataset

    sequence = DavisDataset(sample_data_folder()).sequence(name)
    return video_layers(sequence.frames, sequence)


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
