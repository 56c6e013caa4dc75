"""What was done in a run, step by step: as it was noted, or as the command that made it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.info import INFO
from napari_sam2_probe.runs.options import plan_passes
from napari_sam2_probe.runs.prompts_file import prompts_from_json
from napari_sam2_probe.runs.steps_file import steps_from_json
from napari_sam2_probe.tracking.repeating import planned_steps
from napari_sam2_probe.tracking.steps import SweepStep

if TYPE_CHECKING:
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.steps import Step
    from napari_sam2_probe.video.source import FrameSource


def recorded_steps(run: ProbeRun) -> list[Step]:
    """Return what was done in a run, in order.

    Raises
    ------
    InputError
        If the run was made in the window by a version that did not note it.
    """
    if "steps" not in run.info:
        raise InputError(
            f"{run.path}: the version that made this run in the window did not note what was tracked: make it again."
        )
    return steps_from_json(run.info["steps"], run.path / INFO)


def steps_of_run(run: ProbeRun, source: FrameSource, options: RunOptions) -> list[Step]:
    """Return what was done in a run, or, where nothing was noted, what was asked for.

    Parameters
    ----------
    run
        The run.
    source, options
        The video and the options that it was made with.

    Raises
    ------
    InputError
        If the run doesn't say, or holds no prompt.
    """
    if "steps" in run.info or "live" in run.info:
        return recorded_steps(run)
    # A run of the command by an earlier version, or one that was killed: what was asked for says what is done.
    prompts = prompts_from_json(run.info.get("prompts", []), run.path / INFO, enclosed=True)
    if not prompts:
        raise InputError(f"{run.path} holds no prompt: there is nothing to make again.")
    passes = plan_passes(prompts, source, options)
    swept = [SweepStep(complete=True)] if any(direction == "backward" for direction, _ in passes) else []
    return [*planned_steps(prompts, passes), *swept]
