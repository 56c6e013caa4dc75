"""Look inside SAM 2 while it tracks an object through a video.

    import napari_sam2_probe as sp

    video = sp.sample_video("cat")
    run = sp.track(video, sp.points((120, 110)), model="sample")
    run.maps["memory_attention"]        # lazy xarray: statistic, object, frame, y, x
    run.plot.features()

The names below are what a notebook needs; each is imported when it is first used, so that importing the package is
cheap. All else may change. Inside, imports go down only (``docs/developing.md``):

``common``
    Errors, files, progress, resumable stores.
``video``, ``analysis``, ``models``
    What comes in (frames and masks); numbers from tables; which SAM 2, from where, on what device.
``transforms``
    A recipe becomes a transformed clip.
``tracking``, ``families``
    Sessions and batches: prompts, memory banks, interventions, policies; the models that they drive.
``probe``, ``decoder``
    What is observed: positions, channel statistics, features over time; from a pointer to a box.
``runs``, ``figures``
    A probe run on disk; Matplotlib functions that draw on an Axes.
``live``, ``evaluation``, ``causes``
    The interactive recorded session; scores against true masks and the protocols of the field; what caused a mask.
``experiments``, ``export``
    Whole data sets of clips; files for other tools.
``reports``
    Pages of figures and tables, the demo among them.
``cli``, ``gui`` and ``api``
    The three faces: commands, the window, and this one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "api.comparison",
    "Corruption": "transforms.kind",
    "InputError": "common.errors",
    "Model": "families.loaded",
    "Position": "probe.positions",
    "ProbeError": "common.errors",
    "ResourceError": "common.errors",
    "Run": "api.run",
    "Session": "api.sessions",
    "Tap": "tracking.observer",
    "Transform": "transforms.kind",
    "Video": "video.video",
    "base_clip": "transforms.overlay",
    "box": "api.prompts",
    "cka": "api.jobs",
    "compare": "api.comparison",
    "evaluate": "api.jobs",
    "experiment": "api.jobs",
    "fit_decoder": "api.decoders",
    "fit_warning": "api.loss",
    "load_model": "api.models",
    "make_clip": "transforms.pair",
    "mask": "api.prompts",
    "masks": "api.prompts",
    "open_dataset": "api.videos",
    "open_run": "api.tracking",
    "open_video": "api.videos",
    "points": "api.prompts",
    "register_corruption": "transforms.registry",
    "register_model_family": "families.registry",
    "register_policy": "tracking.policies",
    "register_position": "probe.positions",
    "register_transform": "transforms.registry",
    "repeat": "api.tracking",
    "report": "api.jobs",
    "sample_video": "api.videos",
    "session": "api.sessions",
    "track": "api.tracking",
}
"""Where each public name lives; it is imported from there when it is first used (PEP 562)."""

if TYPE_CHECKING:
    from napari_sam2_probe.api.comparison import Comparison as Comparison
    from napari_sam2_probe.api.comparison import compare as compare
    from napari_sam2_probe.api.decoders import fit_decoder as fit_decoder
    from napari_sam2_probe.api.jobs import cka as cka
    from napari_sam2_probe.api.jobs import evaluate as evaluate
    from napari_sam2_probe.api.jobs import experiment as experiment
    from napari_sam2_probe.api.jobs import report as report
    from napari_sam2_probe.api.loss import fit_warning as fit_warning
    from napari_sam2_probe.api.models import load_model as load_model
    from napari_sam2_probe.api.prompts import box as box
    from napari_sam2_probe.api.prompts import mask as mask
    from napari_sam2_probe.api.prompts import masks as masks
    from napari_sam2_probe.api.prompts import points as points
    from napari_sam2_probe.api.run import Run as Run
    from napari_sam2_probe.api.sessions import Session as Session
    from napari_sam2_probe.api.sessions import session as session
    from napari_sam2_probe.api.tracking import open_run as open_run
    from napari_sam2_probe.api.tracking import repeat as repeat
    from napari_sam2_probe.api.tracking import track as track
    from napari_sam2_probe.api.videos import open_dataset as open_dataset
    from napari_sam2_probe.api.videos import open_video as open_video
    from napari_sam2_probe.api.videos import sample_video as sample_video
    from napari_sam2_probe.common.errors import InputError as InputError
    from napari_sam2_probe.common.errors import ProbeError as ProbeError
    from napari_sam2_probe.common.errors import ResourceError as ResourceError
    from napari_sam2_probe.families.loaded import Model as Model
    from napari_sam2_probe.families.registry import register_model_family as register_model_family
    from napari_sam2_probe.probe.positions import Position as Position
    from napari_sam2_probe.probe.positions import register_position as register_position
    from napari_sam2_probe.tracking.observer import Tap as Tap
    from napari_sam2_probe.tracking.policies import register_policy as register_policy
    from napari_sam2_probe.transforms.kind import Corruption as Corruption
    from napari_sam2_probe.transforms.kind import Transform as Transform
    from napari_sam2_probe.transforms.overlay import base_clip as base_clip
    from napari_sam2_probe.transforms.pair import make_clip as make_clip
    from napari_sam2_probe.transforms.registry import register_corruption as register_corruption
    from napari_sam2_probe.transforms.registry import register_transform as register_transform
    from napari_sam2_probe.video.video import Video as Video

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
