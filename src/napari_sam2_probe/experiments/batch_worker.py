"""Does batches in the process that it is in: the model is loaded once, tables say last that a batch is complete."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.experiments.batch_clips import BatchClip, ClipReader, close_clips
from napari_sam2_probe.experiments.predictions import read_predictions
from napari_sam2_probe.experiments.rows import batch_features, batch_frames, batch_gap_features
from napari_sam2_probe.experiments.store import write_clip_arrays
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, write_table
from napari_sam2_probe.experiments.track_batch import ClipOutput, track_batch
from napari_sam2_probe.families.loaded import Model, load_model
from napari_sam2_probe.probe.batch_size import CPU_CLIPS, choose_batch_size
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.transforms.registry import KINDS, kept_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.folder import ExperimentFolder
    from napari_sam2_probe.experiments.plan import Batch


@dataclass(frozen=True)
class Computed:
    """A batch that was tracked and is not written yet."""

    batch: Batch
    clips: list[BatchClip]
    outputs: list[ClipOutput]


class BatchWorker:
    """Computes and writes batches of one experiment.

    Several threads may share it: one tracks while another writes.

    Parameters
    ----------
    folder, config
        The experiment.
    """

    def __init__(self, folder: ExperimentFolder, config: ExperimentConfig) -> None:
        self._folder = folder
        self._config = config
        tracked = config.predictions is None
        self._reader = ClipReader(folder, config.davis if tracked else None, config.split)
        self._loaded: Model | None = None
        self._is_checked = False
        self._tracking = threading.Lock()

    def describe_model(self) -> dict[str, Any] | None:
        """Load the model if it is not, and say all about it; None for another system's masks.

        Raises
        ------
        InputError, ResourceError
            If the model can't be used.
        """
        if self._config.predictions is not None:
            return None
        with self._tracking:
            return self._model().describe()

    def suggest_batch_size(self) -> int:
        """Return how many clips go through the model together by default, by the memory that is free."""
        if self._config.predictions is not None:
            return min(CPU_CLIPS, self._config.samples)
        with self._tracking:
            loaded = self._model()
            try:
                fitting = choose_batch_size(
                    loaded.model, SessionOptions.for_model(loaded), keep_maps=self._config.keep_maps
                )
            except ResourceError:
                # Not even what it tries out fits. One clip may; if not, tracking it raises the error.
                fitting = 1
        return evenly(self._config.samples, fitting)

    def check_model(self, expected: dict[str, Any] | None) -> None:
        """Make sure that this process has the model that the others have.

        Raises
        ------
        InputError
            If it differs in what moves results.
        """
        if expected is not None and not self._is_checked:
            check_same_model(expected, self.describe_model(), str(self._folder.path))
            self._is_checked = True

    def do(self, batch: Batch, threads: int, progress: Callable[[int], None]) -> None:
        """Compute and write a batch, telling how many frames were tracked since the last call."""
        with self._tracking, processor_threads(threads), closing(self.compute(batch)) as steps:
            while True:
                try:
                    progress(next(steps))
                except StopIteration as end:
                    computed: Computed = end.value
                    break
        self.write(computed)

    def compute(self, batch: Batch) -> Generator[int, None, Computed]:
        """Track the clips of a batch, giving the number of frames tracked since the last step.

        Raises
        ------
        InputError, ResourceError
            If a file can't be read, or memory doesn't suffice.
        """
        config = self._config
        clips = self._reader.read(batch)
        try:
            if config.predictions is not None:
                outputs = yield from read_predictions(config.predictions.folder, clips)
            else:
                outputs = yield from track_batch(
                    self._model(),
                    clips,
                    feature_options(config),
                    keep_maps=config.keep_maps,
                    absent=frames_to_leave_out(config, batch.kind),
                    keep_embeddings=config.keep_embeddings,
                )
        finally:
            close_clips(clips)
        return Computed(batch, clips, outputs)

    def write(self, computed: Computed) -> None:
        """Write arrays, features and frames, in this order: the table of frames says that the batch is complete.

        Raises
        ------
        ResourceError
            If something can't be written.
        """
        folder, batch = self._folder, computed.batch
        for clip, output in zip(computed.clips, computed.outputs, strict=True):
            write_clip_arrays(folder, clip.kind, clip.name, {"masks": output.masks, **output.arrays})
        prompted_references = self._config.features.prompted_references
        features = batch_features(computed.clips, computed.outputs, prompted_references=prompted_references)
        gap_features = batch_gap_features(
            computed.clips,
            computed.outputs,
            prompted_references=prompted_references,
            absent=frames_to_leave_out(self._config, batch.kind),
        )
        frames = batch_frames(computed.clips, computed.outputs, self._config.lengths)
        with os_errors_as_sentences(folder.path, "experiment"):
            write_table(folder.features_part(batch.name), FEATURE_COLUMNS, features)
            if gap_features is not None:
                write_table(folder.gap_features_part(batch.name), FEATURE_COLUMNS, gap_features)
            write_table(folder.frames_part(batch.name), FRAME_COLUMNS, frames)

    def _model(self) -> Model:
        if self._loaded is None:
            self._loaded = load_model(self._config.model.choice())
        return self._loaded


def evenly(samples: int, most: int) -> int:
    """Return the size of the fewest batches of at most so many clips: of 65 clips not 64 and 1, but 33 and 32."""
    batches = -(-samples // most)
    return -(-samples // batches)


def feature_options(config: ExperimentConfig) -> FeatureOptions:
    """Return how the experiment computes features."""
    features = config.features
    return FeatureOptions(features.denominator, features.epsilon, features.prompted_references)


def frames_to_leave_out(config: ExperimentConfig, kind: str) -> range:
    """Return on which frames clips of a kind are compared as if the object was not there; none where nothing needs it.

    Kinds that lose the object are so by themselves. Others are that change something else there, or show what such
    clips are without their change.
    """
    prefix, middle, _ = config.lengths
    shown_without = {kept_kind(other) for other in config.kinds}
    loses_it = not KINDS.find(kind).present_frames(config.lengths).all()
    wanted = not loses_it and (bool(kept_kind(kind)) or kind in shown_without)
    return range(prefix, prefix + middle) if wanted else range(0)


def check_same_model(before: dict[str, Any] | None, now: dict[str, Any] | None, where: str) -> None:
    """Make sure that results of two models, devices or number formats are not mixed.

    Parameters
    ----------
    before, now
        What `Model.describe` said.
    where
        Where the first was, for the message.

    Raises
    ------
    InputError
        If they differ in what moves results.
    """
    if before is None or now is None:
        return
    names = {
        "sha256": "the checkpoint's SHA-256",
        "config": "the model's configuration",
        "image_size": "the side of its input in pixels",
        "dtype": "the number format",
    }
    for key, name in names.items():
        # What was begun before inputs' sizes were recorded doesn't tell.
        if key == "image_size" and key not in before:
            continue
        if before.get(key) != now.get(key):
            raise InputError(
                f"{where} was computed with another model: {name} was {before.get(key)} and is {now.get(key)} now; "
                "go on with the same, or choose a new folder."
            )
    devices = [str(model.get("device", "")).partition(":")[0] for model in (before, now)]
    if devices[0] != devices[1]:
        raise InputError(
            f"{where} was begun on the device {devices[0]}, whose numbers are not those of {devices[1]}: go on with "
            f"--device {devices[0]}, or choose a new folder."
        )
