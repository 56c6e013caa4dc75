"""An experiment: clips made, tracked, scored and written; it may be killed at any moment and goes on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.experiments.batch_worker import check_same_model
from napari_sam2_probe.experiments.cause_tables import CausesFolder
from napari_sam2_probe.experiments.causes import iterate_causes
from napari_sam2_probe.experiments.config import write_config
from napari_sam2_probe.experiments.folder import ExperimentFolder, locked
from napari_sam2_probe.experiments.making import MakingAhead
from napari_sam2_probe.experiments.place import check_place, clean_up, resolve_config
from napari_sam2_probe.experiments.plan import Plan, make_plan, read_plan, write_plan
from napari_sam2_probe.experiments.predictions import check_predictions
from napari_sam2_probe.experiments.provenance import Provenance
from napari_sam2_probe.experiments.results import ExperimentResults, open_experiment, read_provenance
from napari_sam2_probe.experiments.serial import SerialExecutor
from napari_sam2_probe.experiments.store import begin_store
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, DamagedTableError, join_tables
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.transforms.dataset import iterate_dataset, iterate_measure
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.plan import ClipSpec, plan_recipe
from napari_sam2_probe.transforms.workers import default_workers
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.plan import Batch
    from napari_sam2_probe.transforms.catalogue import Catalogue


_WORTH_PROCESSES = 16
"""Clips, or sequences, from which on processes are started to make or measure them."""


class Executor(Protocol):
    """Who does the batches of an experiment."""

    name: str

    def describe_model(self) -> dict[str, Any] | None:
        """Say all about the model, which may be loaded for that; None where nothing is tracked."""
        ...

    def suggest_batch_size(self) -> int:
        """Return how many clips go through the model together by default."""
        ...

    def threads(self) -> int:
        """Return how many processor threads a new experiment is tracked with."""
        ...

    def run(self, batches: Iterator[Batch | None], threads: int) -> Generator[int, None, None]:
        """Do batches, giving the number of frames tracked since the last step.

        Where there is None in place of a batch, there is none to begin just now: the step is given, and the next one
        asked for.
        """
        ...

    def close(self) -> None:
        """Give back processes and connections."""
        ...


def run_experiment(
    config: ExperimentConfig,
    out: Path | str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    command: str = "",
    progress: ProgressCallback = ignore_progress,
) -> ExperimentResults:
    """Make, track and score all clips of an experiment, or go on where it was stopped.

    Parameters
    ----------
    config
        What to do.
    out
        The experiment's folder: new, empty, or begun with the same configuration.
    workers
        How many worker processes track on this machine, one a GPU where there are some; None tracks in this process.
    scheduler
        The address of a Dask scheduler whose workers track; they must see `out` and `config.davis` under the same
        paths.
    command
        How the experiment was asked for, for its provenance.
    progress
        Called with every step.

    Returns
    -------
    ExperimentResults
        The finished experiment.

    Raises
    ------
    InputError, ResourceError
        If something can't be used, or the machine doesn't suffice. What is complete is kept: call again to go on.
    """
    events = iterate_experiment(config, out, workers=workers, scheduler=scheduler, command=command)
    with closing(events):
        for event in events:
            progress(event)
    return open_experiment(out)


def iterate_experiment(
    config: ExperimentConfig,
    out: Path | str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    command: str = "",
) -> Generator[Progress, None, None]:
    """Do what `run_experiment` does step by step; closing the generator stops and keeps what is complete."""
    folder = ExperimentFolder(Path(out))
    config = resolve_config(config)
    stored = check_place(folder, config)
    if stored is not None:
        # Causes that were asked for once are gone on with.
        config = config.model_copy(update={"causes": config.causes or stored.causes})
        if _is_done(folder) and not (config.causes and not CausesFolder(folder).complete):
            return
    dataset = DavisDataset(config.davis, config.split)
    if config.predictions is not None:
        batches = make_plan(config.kinds, config.samples, 1, 1).batches
        check_predictions(config.predictions.folder, batches, config.num_frames)
    catalogue = yield from iterate_measure(dataset, _processes(len(dataset.names)))
    _check_data(folder, config, dataset, catalogue)
    with closing(_executor(folder, config, workers, scheduler)) as executor:
        model = executor.describe_model()
        check_same_model(read_provenance(folder).get("model"), model, str(folder.path))
        with os_errors_as_sentences(folder.path, "experiment"):
            folder.path.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            with os_errors_as_sentences(folder.path, "experiment"):
                plan = _begin(folder, config, executor)
                provenance = Provenance(
                    folder,
                    config,
                    model=model,
                    fingerprint=catalogue.fingerprint(),
                    command=command,
                    executor=executor.name,
                )

            def make(kind: str) -> Generator[Progress, None, None]:
                return iterate_dataset(
                    dataset,
                    folder.clips(kind),
                    _order(config, kind),
                    config.samples,
                    lossless=config.lossless,
                    workers=_processes(config.samples),
                    catalogue=catalogue,
                )

            at_first, later = _divide(config)
            for kind in at_first:
                yield from make(kind)
            with MakingAhead(make, later, config.samples) as making:
                yield from _do_batches(folder, config, plan, executor, provenance, making)
            if config.causes:
                yield from iterate_causes(folder, config, plan.threads)
            names = [batch.name for batch in plan.batches]
            with os_errors_as_sentences(folder.path, "experiment"):
                join_tables(folder.features, FEATURE_COLUMNS, [folder.features_part(name) for name in names])
                # Not all batches have some.
                gap_parts = [part for name in names if (part := folder.gap_features_part(name)).is_file()]
                join_tables(folder.gap_features, FEATURE_COLUMNS, gap_parts)
                provenance.end(finished=True)
                # Last, since it says that everything is there.
                join_tables(folder.frames, FRAME_COLUMNS, [folder.frames_part(name) for name in names])


def _is_done(folder: ExperimentFolder) -> bool:
    """Tell whether all is there and sound. A table that isn't is removed: it is put together from its parts again.

    Raises
    ------
    InputError
        If the experiment is damaged otherwise.
    """
    try:
        results = open_experiment(folder.path)
        return results.complete and results.features is not None
    except DamagedTableError as error:
        if error.path not in (folder.frames, folder.features):
            raise
        with os_errors_as_sentences(folder.path, "experiment"):
            folder.frames.unlink(missing_ok=True)
        return False


def _processes(items: int) -> int:
    """Return how many processes to divide things among: few are done sooner than processes are started."""
    return default_workers() if items >= _WORTH_PROCESSES else 1


def _divide(config: ExperimentConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the kinds whose clips are made before anything is tracked, and those made beside the tracking."""
    # What this process itself would make takes from the tracking as long as it takes.
    at_first = 1 if _processes(config.samples) > 1 else len(config.kinds)
    return config.kinds[:at_first], config.kinds[at_first:]


def _order(config: ExperimentConfig, kind: str) -> ClipSpec:
    return ClipSpec(kind, config.seed, config.lengths, config.options[kind], config.corruptions)


def _check_data(
    folder: ExperimentFolder, config: ExperimentConfig, dataset: DavisDataset, catalogue: Catalogue
) -> None:
    """Find out before anything is written whether the data are the same as before, and give all kinds of clips."""
    before = (read_provenance(folder).get("data") or {}).get("fingerprint")
    if before not in (None, catalogue.fingerprint(), catalogue.fingerprint_of_areas()):
        raise InputError(
            f"{folder.path} was begun with other sequences than {config.davis} holds now: give the same data set, or "
            "choose a new folder."
        )
    footage = Footage(dataset, catalogue)
    for kind in config.kinds:
        plan_recipe(catalogue, footage, _order(config, kind), 0)


def _executor(
    folder: ExperimentFolder, config: ExperimentConfig, workers: int | None, scheduler: str | None
) -> Executor:
    if workers is None and scheduler is None:
        return SerialExecutor(folder, config)
    from napari_sam2_probe.experiments.cluster import ClusterExecutor

    return ClusterExecutor(folder, config, workers=workers, scheduler=scheduler)


def _begin(folder: ExperimentFolder, config: ExperimentConfig, executor: Executor) -> Plan:
    """Write what is fixed from the start, unless it is there."""
    folder.check_links(config.kinds)
    stored = check_place(folder, config)
    if stored is None or stored.causes != config.causes:
        write_config(folder.config, config)
    if not folder.plan.is_file():
        size = config.batch_size or executor.suggest_batch_size()
        write_plan(folder.plan, make_plan(config.kinds, config.samples, size, executor.threads()))
    plan = read_plan(folder.plan)
    if plan != make_plan(config.kinds, config.samples, plan.batch_size, plan.threads):
        raise InputError(f"{folder.plan}: the plan is that of another experiment; start a new experiment.")
    clean_up(folder)
    begin_store(folder, config.kinds)
    return plan


def _do_batches(
    folder: ExperimentFolder,
    config: ExperimentConfig,
    plan: Plan,
    executor: Executor,
    provenance: Provenance,
    making: MakingAhead,
) -> Generator[Progress, None, None]:
    missing = [batch for batch in plan.in_turn() if not folder.is_complete(batch.name)]
    total = sum(len(batch.clips) for batch in plan.batches) * config.num_frames
    done = total - sum(len(batch.clips) for batch in missing) * config.num_frames
    what = "tracking clips" if config.predictions is None else "scoring masks"
    yield Progress(done, total, what, "frame", _beside(config, making))
    try:
        with closing(executor.run(making.trackable(missing), plan.threads)) as steps:
            for count in steps:
                done += count
                provenance.frames += count
                yield Progress(done, total, what, "frame", _beside(config, making))
    except BaseException:
        provenance.end(finished=False)
        raise


def _beside(config: ExperimentConfig, making: MakingAhead) -> str:
    total = config.samples * len(config.kinds)
    return f"{total - making.missing} of {total} clips made" if making.missing else ""
