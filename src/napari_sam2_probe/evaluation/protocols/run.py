"""Run protocols over a data set: planned, resumable, one table at the end."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.evaluation.protocols.jobs import (
    IMAGE,
    INTERACTIVE,
    PROMPTS,
    SEMI_SUPERVISED,
    InteractionOptions,
    Job,
    JobResult,
)
from napari_sam2_probe.evaluation.protocols.predictions import Prediction, check_prediction, score_prediction
from napari_sam2_probe.evaluation.protocols.store import ABOUT, FIGURES, TABLE, ResultStore
from napari_sam2_probe.evaluation.protocols.table import TableRow, make_table, write_table
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored, read_objects
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.runs.describe import now, software_versions
from napari_sam2_probe.runs.place import os_errors_as_sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.video.davis import DavisDataset

_READING = "reading masks"


@dataclass(frozen=True)
class ProtocolOptions:
    """What to evaluate.

    Attributes
    ----------
    prompts
        Semi-supervised: some of `jobs.PROMPTS`.
    interactive
        Interactive: some of `jobs.INTERACTIVE`.
    interaction
        How the simulated user works.
    sequences
        The names of the sequences; all that have masks if None.
    predictions
        Masks of other systems.
    keep_masks
        Whether semi-supervised masks are kept as PNGs.
    images
        Single images: some of `jobs.IMAGE_PROMPTS`.
    num_images
        Images of each object at most.
    """

    prompts: tuple[str, ...] = PROMPTS
    interactive: tuple[str, ...] = tuple(INTERACTIVE)
    interaction: InteractionOptions = field(default_factory=InteractionOptions)
    sequences: tuple[str, ...] | None = None
    predictions: tuple[Prediction, ...] = ()
    keep_masks: bool = False
    images: tuple[str, ...] = ()
    num_images: int = 10


def run_protocols(
    dataset: DavisDataset,
    out: Path | str,
    options: ProtocolOptions,
    load: Callable[[], Model],
    *,
    command: str = "",
    progress: ProgressCallback = ignore_progress,
) -> list[TableRow]:
    """Evaluate, write ``protocols.csv``, ``protocols.json`` and figures, and return the table.

    What was finished in `out` before is not computed again, so a stopped evaluation goes on, and further prompts,
    protocols and sequences are added to what is there.

    Parameters
    ----------
    dataset
        The sequences with their masks.
    out
        The folder.
    options
        What to evaluate.
    load
        Gives the model; not called if only masks of other systems are scored.
    command
        How the evaluation was asked for, for ``protocols.json``.
    progress
        Called with every step.

    Raises
    ------
    InputError
        If the data set, the model, `out` or the predictions can't be used, or another process is at work in `out`.
    """
    from napari_sam2_probe.evaluation.protocols.figures import draw_table

    started = now()
    store = ResultStore(Path(out))
    sequences = _read_sequences(dataset, options, progress)
    for prediction in options.predictions:
        for objects in sequences.values():
            check_prediction(prediction, objects)
    loaded = load() if options.prompts or options.interactive or options.images else None
    work = _Work(store, options, loaded, sequences, progress)
    with os_errors_as_sentences(store.folder, "evaluation"):
        store.folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(store.folder, "the evaluation in"):
        results = [(job, work.do(job)) for job in work.jobs]
        rows = make_table(results)
        write_table(rows, store.folder / TABLE)
        about = _about(dataset, sequences, options, loaded, results)
        about |= {"command": command, "times": {"started": started, "finished": now()}}
        atomic_write_text(store.folder / ABOUT, json.dumps(about, indent=1) + "\n")
        draw_table(rows, store.folder / FIGURES, banner({"the model": about["model"]}))
        store.clean_up()
    return rows


def _about(
    dataset: DavisDataset,
    sequences: dict[str, tuple[ObjectTruth, ...]],
    options: ProtocolOptions,
    loaded: Model | None,
    results: list[tuple[Job, JobResult]],
) -> dict[str, Any]:
    return {
        "software": software_versions(),
        "model": None if loaded is None else loaded.describe(),
        "data": {"name": dataset.root.resolve().name, "sequences": list(sequences)},
        "options": {
            "prompts": options.prompts,
            "interactive": options.interactive,
            "interaction": asdict(options.interaction),
            "images": options.images,
            "num_images": options.num_images,
            "predictions": {p.name: str(p.folder) for p in options.predictions},
        },
        "left_out": {job.sequence: result.left_out for job, result in results if result.left_out},
    }


class _Work:
    """The jobs of an evaluation, and what all of them need."""

    def __init__(
        self,
        store: ResultStore,
        options: ProtocolOptions,
        loaded: Model | None,
        sequences: dict[str, tuple[ObjectTruth, ...]],
        progress: ProgressCallback,
    ) -> None:
        self._store = store
        self._options = options
        self._loaded = loaded
        self._sequences = sequences
        self._progress = progress
        self._predictions = {(p.name, p.prompt): p for p in options.predictions}
        model = "" if loaded is None else loaded.checkpoint.name
        if any(p.name == model for p in options.predictions):
            raise InputError(f"--predictions {model} is the name of the model itself: choose another name.")
        kinds = [(model, SEMI_SUPERVISED, prompt) for prompt in options.prompts]
        clicks = f"{options.interaction.num_clicks}-click"
        kinds += [(model, INTERACTIVE[name], clicks) for name in options.interactive]
        kinds += [(model, IMAGE, prompt) for prompt in options.images]
        kinds += [(p.name, SEMI_SUPERVISED, p.prompt) for p in options.predictions]
        self.jobs = [Job(*kind, sequence) for kind in kinds for sequence in sequences]
        self._total = sum(self._size(job) for job in self.jobs)
        self._done = 0

    def do(self, job: Job) -> JobResult:
        """Return the result of a job, computed now or before."""
        made_with, fingerprint = self._made_with(job), self._fingerprint(job)
        result = self._store.read(job, made_with, fingerprint)
        before = self._done
        if result is None or (self._keeps_masks(job) and not self._store.masks_folder(job).is_dir()):
            result = self._compute(job)
            self._store.write(job, made_with, fingerprint, result)
        self._done = before + self._size(job)
        self._tell()
        return result

    def _compute(self, job: Job) -> JobResult:
        objects = self._sequences[job.sequence]
        prediction = self._prediction(job)
        if prediction is not None:
            return score_prediction(prediction, objects, step=self._step)
        assert self._loaded is not None
        if job.protocol == SEMI_SUPERVISED:
            from napari_sam2_probe.evaluation.protocols.masks import mask_writer
            from napari_sam2_probe.evaluation.protocols.semi_supervised import run_semi_supervised

            folder = self._store.masks_folder(job)
            with mask_writer(folder, objects) if self._keeps_masks(job) else nullcontext() as save:
                return run_semi_supervised(self._loaded, objects, job.prompt, save=save, step=self._step)
        if job.protocol == IMAGE:
            from napari_sam2_probe.evaluation.protocols.images import run_images

            return run_images(self._loaded, objects, job.prompt, self._options.num_images, step=self._step)
        from napari_sam2_probe.evaluation.protocols.interactive import run_interactive

        interaction = self._options.interaction
        return run_interactive(self._loaded, objects, job.protocol, interaction, step=self._step)

    def _prediction(self, job: Job) -> Prediction | None:
        return self._predictions.get((job.model, job.prompt)) if job.protocol == SEMI_SUPERVISED else None

    def _keeps_masks(self, job: Job) -> bool:
        return self._options.keep_masks and job.protocol == SEMI_SUPERVISED and self._prediction(job) is None

    def _made_with(self, job: Job) -> dict[str, Any]:
        """Return the settings that a result depends on; device and threads, which move last bits, are no settings."""
        if self._prediction(job) is not None:
            return {}
        assert self._loaded is not None
        model = self._loaded.describe()
        made_with = {name: model[name] for name in ("sha256", "config", "dtype", "flags")}
        if job.protocol == IMAGE:
            made_with["num_images"] = self._options.num_images
        elif job.protocol != SEMI_SUPERVISED:
            made_with["interaction"] = asdict(self._options.interaction)
        return made_with

    def _fingerprint(self, job: Job) -> str:
        fingerprint = self._sequences[job.sequence][0].sequence.fingerprint_with_masks()
        prediction = self._prediction(job)
        return fingerprint if prediction is None else f"{fingerprint} {prediction.masks(job.sequence).fingerprint()}"

    def _size(self, job: Job) -> int:
        """Return how many frames a job passes at most."""
        objects = self._sequences[job.sequence]
        num_frames = objects[0].sequence.num_frames
        if self._prediction(job) is not None:
            return sum(len(truth.scored) for truth in objects)
        if job.protocol == SEMI_SUPERVISED:
            return num_frames - min(truth.first for truth in objects)
        if job.protocol == IMAGE:
            return sum(min(self._options.num_images, len(t.annotated)) for t in objects if can_be_scored(t))
        passes = self._options.interaction.num_frames
        return sum(passes * (num_frames - truth.first) for truth in objects if can_be_scored(truth))

    def _step(self) -> None:
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        self._progress(Progress(self._done, self._total, "evaluating", "frame"))


def _read_sequences(
    dataset: DavisDataset, options: ProtocolOptions, progress: ProgressCallback
) -> dict[str, tuple[ObjectTruth, ...]]:
    """Find the objects of every sequence that is asked for; where none is, of every one that can be scored."""
    names = dataset.names if options.sequences is None else options.sequences
    sequences: dict[str, tuple[ObjectTruth, ...]] = {}
    for done, name in enumerate(names):
        progress(Progress(done, len(names), _READING, "sequence"))
        objects = read_objects(dataset.sequence(name))
        if any(map(can_be_scored, objects)) or (objects and options.keep_masks):
            sequences[name] = objects
        elif options.sequences is not None:
            raise InputError(
                f"No object of {name} has 3 masks or more, and the first and the last are not scored: choose other "
                "--sequences, or keep its masks with --masks for a server that knows the truth."
            )
    progress(Progress(len(names), len(names), _READING, "sequence"))
    if not sequences:
        raise InputError(
            f"No sequence of {dataset.root} has an object with 3 masks or more, and the first and the last are not "
            "scored: choose a split with ground truth, or write masks with --masks for a server that has it."
        )
    return sequences
