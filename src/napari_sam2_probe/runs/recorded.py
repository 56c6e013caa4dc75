"""What a run says about how it was made: enough to make it again, or a sentence on what is missing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.models.checkpoints import OFFICIAL, SAMPLE, resolve
from napari_sam2_probe.models.config import ModelFlags, with_current_flag_names
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.source import FrameSource

if TYPE_CHECKING:
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun


def recorded_options(parameters: dict[str, Any]) -> RunOptions:
    """Return the options that ``run.json`` tells of; what an older version did not know is as by default."""
    known = {item.name: parameters[item.name] for item in fields(RunOptions) if item.name in parameters}
    known["direction"] = known.get("direction") or "forward"
    known["features"] = FeatureOptions(**parameters["features"])
    known["intervene"] = tuple(parameters.get("intervene", ()))
    return RunOptions(**known)


def recorded_source(run: ProbeRun, video: Any = None) -> FrameSource:
    """Open the video that a run was made of.

    Parameters
    ----------
    run
        The run.
    video
        The video (a path, an array, a `FrameSource`) if it isn't where it was, or never lay anywhere.

    Raises
    ------
    InputError
        If it isn't there, or the run was made of an array and none is given.
    """
    if isinstance(video, FrameSource):
        return video
    about = run.info["video"]
    if video is None and about["path"] is None:
        raise InputError(
            f"{run.path} was made of an array that was never saved: give the same array or clip again as its video."
        )
    if video is None or isinstance(video, str | Path):
        return open_video(about["path"] if video is None else video, name=about["name"])
    scaling = about["scaling"] or {}
    limits = (scaling["low"], scaling["high"]) if scaling.get("origin") == "contrast limits" else None
    return ArraySource(video, name=about["name"], contrast_limits=limits)


def check_video(run: ProbeRun, source: FrameSource) -> None:
    """Make sure that a video is the one that a run was made of.

    Raises
    ------
    InputError
        If its hash differs.
    """
    about = run.info["video"]
    if source.fingerprint() not in (about["sha256"], about.get("kept_sha256")):
        where = source.path or source.name
        raise InputError(f"{where} is not the video that {run.path} was made of (its hash differs): name that one.")


def check_model(run: ProbeRun, loaded: Model) -> None:
    """Make sure that a model is the one that a run was made with.

    Raises
    ------
    InputError
        If weights, configuration, flags, number format or family differ.
    """
    _check_weights(run, loaded.checkpoint.sha256, loaded.checkpoint.path or loaded.checkpoint.name)
    here, there = loaded.describe(), run.info["model"]
    differing = [name for name in ("config", "dtype") if here[name] != there[name]]
    if here["family"] != there.get("family", here["family"]):
        raise InputError(f"{run.path} was made through {there['family']}: load its model by the family of that name.")
    if _flags(there) != loaded.flags or differing:
        raise InputError(
            f"{run.path} was made with another configuration, flags or number format than the model has: load it so."
        )


def load_recorded_model(run: ProbeRun, checkpoint: str | Path | None = None) -> Model:
    """Load the model that a run was made with.

    Parameters
    ----------
    run
        The run.
    checkpoint
        The file or name of the weights if they aren't where they were.

    Raises
    ------
    InputError, ResourceError
        If they can't be found or are others, or the device is not there.
    """
    model = run.info["model"]
    name = model["checkpoint"]
    if checkpoint is None:
        has_name = name == SAMPLE or name in {official.name for official in OFFICIAL}
        checkpoint = name if has_name else model.get("file")
        if model.get("hub"):
            checkpoint = f"hf:{model['hub']}"
    if checkpoint is None:
        raise InputError(f"{run.path} does not say where its weights {name} lie: name their file.")
    found = resolve(checkpoint)
    _check_weights(run, found.sha256, found.path or found.name)
    own = None if found.config is None else Path(found.config).name
    config = None if model["config"] == "unknown" or Path(model["config"]).name == own else model["config"]
    flags, family = _flags(model), model.get("family")
    return load_model(ModelChoice(str(checkpoint), config, model["device"], model["dtype"], flags, family))


def _check_weights(run: ProbeRun, sha256: str | None, where: Path | str) -> None:
    if sha256 != run.info["model"]["sha256"]:
        raise InputError(f"{where} holds other weights than {run.path} was made with (the hash differs): name those.")


def _flags(model: dict[str, Any]) -> ModelFlags:
    recorded = with_current_flag_names(model["flags"])
    return ModelFlags(**{field.name: recorded[field.name] for field in fields(ModelFlags) if field.name in recorded})
