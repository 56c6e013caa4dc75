"""The observation positions: one table for everybody (SPEC 4; the paper, section 3.2 and figure 1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """One place inside SAM 2 where something is observed.

    Attributes
    ----------
    number
        As the paper counts, with our additions: ``"1"`` to ``"5"``, ``"4r"``, ``"5r"``, ``"5u"``.
    key
        The name used for arrays on disk and in code.
    title
        The name a reader sees in figures and panels.
    is_map
        Whether the tensor has two spatial axes, so that channel mean and variance maps exist.
    stride
        Input pixels per map pixel along each axis, counted in the square model input; None for pointers.
    """

    number: str
    key: str
    title: str
    is_map: bool
    stride: int | None


IMAGE_EMBEDDING = Position("1", "image_embedding", "Image embedding", True, 4)
MEMORY_ATTENTION = Position("2", "memory_attention", "Memory attention", True, 16)
PROMPT_ATTENTION = Position("3", "prompt_attention", "Prompt attention", True, 16)
OBJECT_POINTER = Position("4", "object_pointer", "Object pointer", False, None)
MEMORY_FEATURES = Position("5", "memory_features", "Memory features", True, 16)
OBJECT_POINTER_RAW = Position("4r", "object_pointer_raw", "Object pointer, ungated", False, None)
MEMORY_FEATURES_RAW = Position("5r", "memory_features_raw", "Memory features, ungated", True, 16)
MEMORY_FEATURES_UNBLANKED = Position("5u", "memory_features_unblanked", "Memory features, unblanked mask", True, 16)

POSITIONS: tuple[Position, ...] = (
    IMAGE_EMBEDDING,
    MEMORY_ATTENTION,
    PROMPT_ATTENTION,
    OBJECT_POINTER,
    OBJECT_POINTER_RAW,
    MEMORY_FEATURES,
    MEMORY_FEATURES_RAW,
)
"""The positions every run records, in the order of tables and panels."""

OPTIONAL_POSITIONS: tuple[Position, ...] = (MEMORY_FEATURES_UNBLANKED,)
"""Recorded only where asked for."""

BY_KEY: dict[str, Position] = {p.key: p for p in POSITIONS + OPTIONAL_POSITIONS}
BY_NUMBER: dict[str, Position] = {p.number: p for p in POSITIONS + OPTIONAL_POSITIONS}
MAP_POSITIONS: tuple[Position, ...] = tuple(p for p in POSITIONS if p.is_map)
