"""How prompts look: colour and symbol say the sign, size the chosen object, and what is hidden is not drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import EXCLUDED_COLOUR, INCLUDED_COLOUR, PROMPT_RIM, object_colour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Labels, Points, Shapes
    from napari.utils.colormaps import DirectLabelColormap

    from napari_sam2_probe.gui.prompt_snapshot import Click, Rectangle

_ALL_IDS = range(1, 255)
_OTHERS = 0.6


@dataclass
class PromptLooks:
    """The looks of objects, and of what is said next.

    Attributes
    ----------
    point_size
        Of the clicks of the chosen object, in pixels of the video; those of others are smaller.
    obj_id, positive
        The chosen object, which the next prompt is for, and the sign of that.
    colours, hidden
        Of the objects; those without a colour of their own have that of the figures.
    """

    point_size: float
    obj_id: int = 1
    positive: bool = True
    colours: Mapping[int, str] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def for_next_point(self, layer: Points) -> None:
        """Let what is added to a layer be for the object."""
        # The defaults would otherwise be given to what is selected.
        layer.selected_data = set()
        layer.feature_defaults = {"obj_id": self.obj_id, "positive": self.positive}
        layer.current_face_color = INCLUDED_COLOUR if self.positive else EXCLUDED_COLOUR
        layer.current_border_color = PROMPT_RIM
        layer.current_size = self.point_size
        layer.current_symbol = "disc" if self.positive else "x"

    def for_next_box(self, layer: Shapes) -> None:
        """Let what is drawn in a layer be for the object."""
        layer.selected_data = set()
        layer.feature_defaults = {"obj_id": self.obj_id}
        layer.current_edge_color = self._colour(self.obj_id)

    def for_next_stroke(self, layer: Labels) -> None:
        """Let what is painted in a layer be the object."""
        layer.selected_label = self.obj_id

    def style_points(self, layer: Points, clicks: Sequence[Click]) -> None:
        """Let colour and symbol of a layer's points say what they are."""
        if len(layer.data):
            layer.face_color = [INCLUDED_COLOUR if click.positive else EXCLUDED_COLOUR for click in clicks]
            layer.border_color = [PROMPT_RIM] * len(clicks)
            layer.size = [self.point_size * (1 if click.obj_id == self.obj_id else _OTHERS) for click in clicks]
            layer.symbol = ["disc" if click.positive else "x" for click in clicks]
            layer.shown = np.array([click.obj_id not in self.hidden for click in clicks])

    def style_boxes(self, layer: Shapes, rectangles: Sequence[Rectangle]) -> None:
        """Let the colours of a layer's rectangles say whose they are."""
        if len(layer.data):
            layer.edge_color = [
                "transparent" if rectangle.obj_id in self.hidden else self._colour(rectangle.obj_id)
                for rectangle in rectangles
            ]

    def colormap(self) -> DirectLabelColormap:
        """Return the colours of painted masks."""
        from napari.utils.colormaps import DirectLabelColormap

        shown: dict[int | None, str] = {i: self._colour(i) for i in _ALL_IDS if i not in self.hidden}
        return DirectLabelColormap(color_dict={None: "transparent", **shown})

    def _colour(self, obj_id: int) -> str:
        return self.colours.get(obj_id) or object_colour(obj_id)
