"""The photographs everything is made from, with their origin and licence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture file in the scikit-image wheel and what scikit-image's documentation says of its rights."""

    file: str
    shows: str
    credit: str
    licence: str


PHOTOGRAPHS = {
    "astronaut": Photograph(
        "astronaut.png",
        "the astronaut Eileen Collins, a helmet and a model of the Space Shuttle",
        "NASA, Great Images database (https://flic.kr/p/r9qvLn)",
        "public domain, no known copyright restrictions",
    ),
    "brick": Photograph("brick.png", "a brick floor", "CC0Textures, Bricks25 (https://cc0textures.com)", "CC0"),
    "camera": Photograph("camera.png", "a man with a video camera", "Lav Varshney", "CC0"),
    "cell": Photograph(
        "cell.png",
        "a cell in saline (quantitative phase image)",
        "Paul Müller et al., Optics Express 26(8), 10729 (2018), doi:10.1364/OE.26.010729",
        "CC0",
    ),
    "chelsea": Photograph("chelsea.png", "Chelsea the cat", "Stéfan van der Walt", "CC0"),
    "coffee": Photograph(
        "coffee.png", "a cup of coffee on a wooden table", "Rachel Michetti, Pikolo Espresso Bar", "CC0"
    ),
    "coins": Photograph(
        "coins.png",
        "Greek coins from Pompeii",
        "Brooklyn Museum Collection (https://www.brooklynmuseum.org/opencollection/archives/image/51611)",
        "no known copyright restrictions",
    ),
    "grass": Photograph(
        "grass.png",
        "grass",
        "linolafett (https://www.deviantart.com/linolafett/art/Grass-01-434853879)",
        "CC0",
    ),
    "gravel": Photograph("gravel.png", "gravel", "CC0Textures, Gravel04 (https://cc0textures.com)", "CC0"),
    "horse": Photograph(
        "horse.png",
        "the silhouette of a horse",
        "Andreas Preuss (marauder) (https://openclipart.org/detail/158377/horse-by-marauder)",
        "CC0",
    ),
    "hubble": Photograph(
        "hubble_deep_field.jpg",
        "the Hubble eXtreme Deep Field",
        "NASA, HubbleSite (http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/)",
        "public domain",
    ),
    "rocket": Photograph(
        "rocket.jpg",
        "a Falcon 9 before the launch of DSCOVR",
        "SpaceX (https://www.flickr.com/photos/spacexphotos/16511594820/)",
        "public domain",
    ),
}


def load(name: str) -> NDArray[np.float32]:
    """Read a photograph from the installed scikit-image, without network.

    Returns
    -------
    (H, W, 3) float32 RGB in [0, 1].
    """
    import skimage.data

    path = Path(skimage.data.__file__).parent / PHOTOGRAPHS[name].file
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)
