"""Maps of an example's frame: those that the experiment kept, else from probing that one clip again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.figures.composite import Composite, MapPair
from napari_sam2_probe.probe.positions import BY_KEY, BY_NUMBER

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.experiments.results import ExperimentResults
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.reports.examples import ClipFrames

When = Literal["auto", "always", "never"]
"""Whether a clip may be probed again: ``auto`` where by the experiment's pace that takes less than `PATIENCE`."""

PATIENCE = 120.0
"""Seconds."""


@dataclass
class MapMaker:
    """Gives composites of an experiment's clips.

    Parameters
    ----------
    results
        The experiment.
    when
        Whether clips may be probed again.
    progress
        Called while that is done.
    """

    results: ExperimentResults
    when: When
    progress: ProgressCallback
    _loaded: Model | None = None

    def composite(self, clip: ClipFrames, frame: int, label: str) -> Composite:
        """Return one frame with its maps.

        Raises
        ------
        InputError
            If no maps were kept and the clip can't be probed again; the message says why and what to do.
        """
        picture = self.results.sequence(clip.kind, clip.clip).frames.read(frame)
        mask = self.results.masks(clip.kind, clip.clip)[frame]
        if self.results.config.keep_maps:
            shown = [key for key in self.results.map_keys(clip.kind, clip.clip) if BY_KEY[key].is_main]
            pairs = tuple(self._kept(clip, frame, key) for key in shown)
        else:
            pairs = self._probed(clip, frame)
        return Composite(picture, pairs, label, mask, frame_idx=frame)

    def _kept(self, clip: ClipFrames, frame: int, key: str) -> MapPair:
        mean = self.results.maps(clip.kind, clip.clip, key, "mean")[frame]
        variance = self.results.maps(clip.kind, clip.clip, key, "variance")[frame]
        return MapPair(BY_KEY[key].number, mean, variance)

    def _probed(self, clip: ClipFrames, frame: int) -> tuple[MapPair, ...]:
        from napari_sam2_probe.experiments.clips import probe_clip
        from napari_sam2_probe.export.clip_view import composite_positions
        from napari_sam2_probe.runs.options import RunOptions

        loaded = self._model(frame)
        dataset = ExperimentFolder(self.results.path).clips(clip.kind)
        with tempfile.TemporaryDirectory() as folder:
            run = probe_clip(
                dataset, clip.clip, Path(folder) / "run", loaded, RunOptions(end=frame), progress=self.progress
            )
            return tuple(
                MapPair(
                    number,
                    run.maps(BY_NUMBER[number].key, "mean")[0, frame],
                    run.maps(BY_NUMBER[number].key, "variance")[0, frame],
                )
                for number in composite_positions(run)
            )

    def _model(self, frame: int) -> Model:
        """Load the experiment's own model, once; refuse any other."""
        if self._loaded is not None:
            return self._loaded
        again = "make the experiment with --keep-maps"
        described = self.results.provenance.get("model") or {}
        if self.when == "never" or not described:
            raise InputError(f"no maps were kept: {again}.")
        seconds = self._seconds_a_frame() * 4 * (frame + 1)
        if self.when == "auto" and seconds > PATIENCE:
            raise InputError(
                f"no maps were kept, and probing the examples again would take about {seconds / 60:.0f} min: ask for "
                f"it with --composites always, or {again}."
            )
        from napari_sam2_probe.families.loaded import load_model
        from napari_sam2_probe.models.checkpoints import resolve

        settings = self.results.config.model
        checkpoint = settings.checkpoint or str(described.get("checkpoint"))
        try:
            if resolve(checkpoint).sha256 != described.get("sha256"):
                raise InputError(
                    f"no maps were kept, and the checkpoint {checkpoint} is not the one of the experiment: {again}."
                )
            dtype = str(described.get("dtype"))
            choice = replace(settings.choice(), checkpoint=checkpoint, dtype=dtype)
            self._loaded = load_model(choice)
        except ProbeError as error:
            said = str(error)
            if said.startswith("no maps"):
                raise
            raise InputError(
                f"no maps were kept, and the model can't be loaded to make them ({said}): {again}."
            ) from error
        return self._loaded

    def _seconds_a_frame(self) -> float:
        """Return how long a frame took in the experiment; 0 where it is not known."""
        sessions = [s for s in self.results.provenance.get("sessions", ()) if s.get("seconds") and s.get("frames")]
        frames = sum(int(session["frames"]) for session in sessions)
        return sum(float(session["seconds"]) for session in sessions) / frames if frames else 0.0
