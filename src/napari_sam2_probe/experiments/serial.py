"""Batches one after the other in this process, each written while the next one is tracked."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.experiments.batch_worker import BatchWorker, Computed
from napari_sam2_probe.tracking.sharing import processor_threads

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.folder import ExperimentFolder
    from napari_sam2_probe.experiments.plan import Batch


class SerialExecutor:
    """Does all batches here.

    Parameters
    ----------
    folder, config
        The experiment.
    """

    name = "this process"

    def __init__(self, folder: ExperimentFolder, config: ExperimentConfig) -> None:
        self._worker = BatchWorker(folder, config)

    def describe_model(self) -> dict[str, Any] | None:
        """Load the model and say all about it; None where nothing is tracked."""
        return self._worker.describe_model()

    def suggest_batch_size(self) -> int:
        """Return how many clips go through the model together by default."""
        return self._worker.suggest_batch_size()

    def threads(self) -> int:
        """Return how many processor threads a new experiment is tracked with."""
        import torch

        return torch.get_num_threads()

    def run(self, batches: Iterator[Batch | None], threads: int) -> Generator[int, None, None]:
        """Do batches, giving the number of frames tracked since the last step.

        Closing the generator, an exception and Ctrl-C let the batch that is being written come to its end.
        """
        with processor_threads(threads), ThreadPoolExecutor(1, "sam2-probe-writing") as writer:
            # One at a time, so that no more than two batches are in memory.
            pending: Future[None] | None = None
            for batch in batches:
                if batch is None:
                    yield 0
                    continue
                with closing(self._worker.compute(batch)) as steps:
                    computed: Computed = yield from steps
                if pending is not None:
                    pending.result()
                pending = writer.submit(self._worker.write, computed)
            if pending is not None:
                pending.result()

    def close(self) -> None:
        """Do nothing: the model goes with this object."""
