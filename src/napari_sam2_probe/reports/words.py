"""What a reader sees for the kinds of clips."""

from __future__ import annotations

from napari_sam2_probe.figures.style import kind_label as kind_label

CONDITIONS = {
    "clean": "in clean clips",
    "interjection": "with an interjection",
    "object-removal": "with the object removed",
    "context-removal": "with the context removed",
    "obscuration": "with an obscuring object",
    "three-object": "with three more objects",
}
"""What is the case in clips of each kind."""
