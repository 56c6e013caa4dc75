"""What a user has set in napari's Preferences for this plugin: the fields of ``configurations`` in ``napari.yaml``."""

from __future__ import annotations

from dataclasses import dataclass

PLUGIN = "napari-sam2-probe"


@dataclass(frozen=True)
class Preferences:
    """How tracking begins; what is chosen in the Track panel afterwards is not kept here.

    Attributes
    ----------
    checkpoint
        The name or file of a model; empty for the best one that is here.
    device, dtype
        As `models.device` names them.
    runs_folder
        Where runs are kept while one works; empty for the usual folder.
    """

    checkpoint: str = ""
    device: str = "auto"
    dtype: str = "auto"
    runs_folder: str = ""


def preferences() -> Preferences:
    """Return what is set now; the usual values where napari knows no settings of plugins."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return Preferences()
    try:
        tracking = get_plugin_settings(PLUGIN).tracking
    except (AttributeError, KeyError):
        # The plugin was installed while napari ran.
        return Preferences()
    return Preferences(
        checkpoint=str(tracking.checkpoint).strip(),
        device=_name(tracking.device),
        dtype=_name(tracking.dtype),
        runs_folder=str(tracking.runs_folder).strip(),
    )


def _name(choice: object) -> str:
    # napari makes an enumeration of a list of words.
    return str(getattr(choice, "value", choice))
