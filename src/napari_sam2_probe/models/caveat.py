"""What a reader must know of a model before any number: that it is the sample model, a toy, or not trained at all.

It is read from the weights that a run recorded (their SHA-256, or that there were none), never from a name: a file may
be called whatever its owner likes, and the sample model's weights stay a toy under any name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.words import listing
from napari_sam2_probe.models.checkpoints import is_sample_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    Described = Mapping[str, Any] | None


def is_toy(model: Described) -> bool:
    """Tell whether a run's model is the sample model, by what the run recorded (`Model.describe`)."""
    return model is not None and is_sample_weights(model.get("sha256"))


def is_untrained(model: Described) -> bool:
    """Tell whether a run's model has random weights, by what the run recorded."""
    return model is not None and not model.get("trained", True)


def banner(models: Mapping[str, Described]) -> str:
    """Return what stands in large letters at the top of a page; empty where there is nothing to warn of.

    Parameters
    ----------
    models
        What each run or experiment on the page recorded of its model, by the name that the page gives it. None for
        masks of another system.
    """
    toys = [name for name, model in models.items() if is_toy(model)]
    untrained = [name for name, model in models.items() if is_untrained(model)]
    said = []
    if toys:
        said.append(
            f"THE MODEL{_of(toys, models)} IS THE SAMPLE MODEL, A TOY. THESE ARE NOT SAM 2'S WEIGHTS: it was trained "
            "for a few hours, to try this software with, and what it does says nothing about SAM 2. For results take "
            "an official checkpoint."
        )
    if untrained:
        said.append(
            f"THE MODEL{_of(untrained, models)} IS NOT TRAINED. Its weights are random numbers, so its masks, maps and "
            "numbers mean nothing."
        )
    return " ".join(said)


def remark(model: Described) -> str:
    """Return the same in a few words, for what is said of one model beside its name; empty for a real one."""
    if is_toy(model):
        return "the sample model, a toy: not SAM 2's weights"
    return "not trained: its output means nothing" if is_untrained(model) else ""


def _of(names: list[str], models: Mapping[str, Described]) -> str:
    return "" if len(models) == 1 else f" OF {listing(names)}"
