"""One sentence for a name that isn't there: what was asked for, what there is, and what was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable


def unknown(what: str, name: object, there: Iterable[object]) -> InputError:
    """Return the error for a `what` called `name` where only those in `there` exist."""
    names = [str(one) for one in there]
    one_of = "one of " if len(names) > 1 else ""
    choice = f"choose {one_of}{', '.join(names)}." if names else "there is none."
    return InputError(f"There is no {what} {name!r}: {choice}{did_you_mean(name, names)}")
