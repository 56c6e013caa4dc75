"""Run lengths of masks as COCO keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the alternating runs of a mask (H, W), read column by column, background first."""
    pixels = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()
    return [0, *lengths] if pixels[0] else lengths


def compressed(lengths: list[int]) -> str:
    """Return run lengths as COCO's string.

    From the fourth on, a length is replaced by its difference to the one two before. Each number is cut into groups
    of 5 bits, lowest first, in two's complement; a sixth bit says that more follow; 48 is added to make a character.
    """
    characters = []
    for index, length in enumerate(lengths):
        rest = length - lengths[index - 2] if index > 2 else length
        more = True
        while more:
            group, rest = rest & 0x1F, rest >> 5
            # Done when what is left is nothing but the sign that the group's top bit says already.
            more = rest != (-1 if group & 0x10 else 0)
            characters.append(chr((group | 0x20 if more else group) + 48))
    return "".join(characters)
