"""Batches on a Dask cluster: worker processes on this machine, one a GPU, or the workers of any scheduler.

The model is loaded once in each worker process. A worker writes the results of its batches itself, so only names
travel. One that dies costs the batches it was at: Dask gives them to another, or to the same after a restart.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import uuid
from typing import TYPE_CHECKING, Any

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.experiments.batch_worker import BatchWorker
from napari_sam2_probe.experiments.folder import ExperimentFolder

try:
    import distributed
except ImportError as error:
    raise InputError(
        'Dask\'s distributed is not installed: pip install "napari-sam2-probe[distributed]", or leave out --workers '
        "and --scheduler."
    ) from error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.plan import Batch

_BATCHES_A_WORKER = 2
"""In flight: one is tracked while another is read or written."""

_SECONDS_TO_CONNECT = 30

_GONE = "The Dask scheduler is gone: start it, then run the command again to go on."


class ProbePlugin(distributed.WorkerPlugin):  # type: ignore[misc]
    """Keeps the model of an experiment in a worker process as long as the experiment runs.

    Parameters
    ----------
    name
        Tells experiments on one cluster apart.
    path, config
        The experiment.
    """

    def __init__(self, name: str, path: Path, config: ExperimentConfig) -> None:
        self.name = name
        self._path = path
        self._config = config
        self.worker: BatchWorker | None = None

    def setup(self, worker: distributed.Worker) -> None:
        """Get ready in a worker process; the model is loaded with its first batch."""
        self.worker = BatchWorker(ExperimentFolder(self._path), self._config)

    def teardown(self, worker: distributed.Worker) -> None:
        """Let the model go."""
        self.worker = None


class ClusterExecutor:
    """Gives batches to the workers of a Dask cluster.

    Parameters
    ----------
    folder, config
        The experiment.
    workers
        How many processes to start here; without a meaning where `scheduler` is given.
    scheduler
        The address of a scheduler.

    Raises
    ------
    InputError
        If the scheduler can't be reached, or has no workers that can do it.
    """

    def __init__(
        self, folder: ExperimentFolder, config: ExperimentConfig, *, workers: int | None, scheduler: str | None
    ) -> None:
        self._folder = ExperimentFolder(folder.path.absolute())
        self._config = config
        self._cluster: Any = None
        self._client: Any = None
        self._model: dict[str, Any] | None = None
        self._plugin = f"sam2-probe-{uuid.uuid4().hex}"
        self.name = f"Dask at {scheduler}" if scheduler else f"{workers} Dask worker(s) on this machine"
        self._threads = None if scheduler else max(1, len(_processors()) // (workers or 1))
        try:
            if scheduler is None:
                self._cluster = _local_cluster(workers or 1)
            self._client = _connect(scheduler or self._cluster)
            self._check_workers()
            plugin = ProbePlugin(self._plugin, self._folder.path, config)
            self._client.register_plugin(plugin, name=self._plugin)
        except BaseException:
            self.close()
            raise

    def describe_model(self) -> dict[str, Any] | None:
        """Let one worker load the model and say all about it; None where nothing is tracked."""
        self._model = self._ask("describe_model")
        return self._model

    def suggest_batch_size(self) -> int:
        """Return what one worker suggests."""
        return int(self._ask("suggest_batch_size"))

    def threads(self) -> int:
        """Return the processor threads of one worker."""
        return self._threads or int(self._submit(_threads).result())

    def run(self, batches: Iterator[Batch | None], threads: int) -> Generator[int, None, None]:
        """Do batches, giving the number of frames tracked since the last step.

        Closing the generator drops the batches that are under way; what is complete is kept.

        Raises
        ------
        InputError, ResourceError
            What a worker met, or if workers die again and again, or the scheduler is gone.
        """
        self._check_folder()
        news: queue.SimpleQueue[tuple[str, int | distributed.Future]] = queue.SimpleQueue()
        self._client.subscribe_topic(self._plugin, lambda event: news.put(event[1]))
        running: dict[str, distributed.Future] = {}
        sizes: dict[str, int] = {}
        frames: dict[str, int] = {}
        told = 0
        are_left = True
        try:
            while are_left or running:
                while are_left and len(running) < _BATCHES_A_WORKER * max(1, len(self._client.nthreads())):
                    try:
                        batch = next(batches)
                    except StopIteration:
                        are_left = False
                        break
                    if batch is None:
                        break
                    sizes[batch.name], frames[batch.name] = len(batch.clips) * self._config.num_frames, 0
                    running[batch.name] = self._start(batch, threads, news)
                for name, what in _all(news, self._client):
                    if isinstance(what, int):
                        frames[name] = min(what, sizes[name])
                    else:
                        _check_done(name, what)
                        del running[name]
                        frames[name] = sizes[name]
                # A batch that is done again counts once.
                done = max(told, sum(frames.values()))
                yield done - told
                told = done
        except distributed.comm.CommClosedError as error:
            raise ResourceError(_GONE) from error
        finally:
            with contextlib.suppress(Exception):
                self._client.cancel(list(running.values()))
                self._client.unsubscribe_topic(self._plugin)

    def close(self) -> None:
        """Let the workers forget the model, end those started here, and disconnect."""
        with contextlib.suppress(Exception):
            if self._client is not None and self._cluster is None:
                self._client.unregister_worker_plugin(self._plugin)
        for thing in (self._client, self._cluster):
            if thing is not None:
                with contextlib.suppress(Exception):
                    thing.close()
        self._client = self._cluster = None

    def _start(self, batch: Batch, threads: int, news: queue.SimpleQueue[Any]) -> distributed.Future:
        future = self._submit(_do, self._plugin, batch, threads, self._model)
        future.add_done_callback(lambda done: news.put((batch.name, done)))
        return future

    def _submit(self, function: Any, *arguments: Any) -> distributed.Future:
        return self._client.submit(function, *arguments, pure=False)

    def _ask(self, method: str) -> Any:
        return self._submit(_call, self._plugin, method).result()

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except TimeoutError:
            raise ResourceError(f"{self.name}: there is no worker; start some, then run the command again.") from None
        try:
            versions = set(self._client.run(_version).values())
        except ImportError:
            versions = {"none"}
        if versions != {__version__}:
            raise InputError(
                f"{self.name}: the workers have napari-sam2-probe {', '.join(sorted(versions))} where this process has "
                f"{__version__}; install the same everywhere."
            )

    def _check_folder(self) -> None:
        seen = self._client.run(os.path.isfile, str(self._folder.plan))
        blind = [address for address, sees in seen.items() if not sees]
        if blind:
            raise InputError(
                f"The worker {blind[0]} does not see {self._folder.path}: choose a folder that all machines share."
            )


def _do(plugin: str, batch: Batch, threads: int, model: dict[str, Any] | None) -> None:
    """Do a batch; runs in a worker process."""
    dask_worker = distributed.get_worker()
    worker: BatchWorker = dask_worker.plugins[plugin].worker
    tracked = 0

    def progress(count: int) -> None:
        nonlocal tracked
        tracked += count
        dask_worker.log_event(plugin, (batch.name, tracked))

    worker.check_model(model)
    worker.do(batch, threads, progress)


def _call(plugin: str, method: str) -> Any:
    return getattr(distributed.get_worker().plugins[plugin].worker, method)()


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _version() -> str:
    return __version__


def _processors() -> range:
    from napari_sam2_probe.transforms.workers import default_workers

    return range(default_workers())


def _all(news: queue.SimpleQueue[Any], client: Any) -> list[tuple[str, Any]]:
    """Return the news there are, waiting a little if there are none."""
    try:
        items = [news.get(timeout=1)]
    except queue.Empty:
        if client.status not in ("running", "connecting"):
            raise ResourceError(_GONE) from None
        return []
    while not news.empty():
        items.append(news.get())
    return items


def _check_done(name: str, future: distributed.Future) -> None:
    """Raise what stopped a batch, in words."""
    if future.status == "finished":
        return
    if future.status != "error":
        raise ResourceError(
            f"The batch {name} was dropped by the Dask scheduler: run the command again to go on with it."
        )
    error = future.exception()
    if isinstance(error, distributed.KilledWorker):
        raise ResourceError(
            f"The batch {name} made its worker process die again and again, most likely for lack of memory: begin with "
            "a smaller --batch-size, or use fewer workers."
        ) from error
    raise error


def _connect(where: Any) -> Any:
    try:
        return distributed.Client(where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"There is no Dask scheduler at {where}: give the address that it printed when it started, such as "
            "tcp://host:8786."
        ) from error


def _local_cluster(workers: int) -> Any:
    """Start processes on this machine; with GPUs each sees one of them."""
    import torch

    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    devices = [gpu for gpu in gpus.split(",") if gpu] if torch.cuda.device_count() else []
    options: dict[str, Any] = {"nthreads": _BATCHES_A_WORKER, "memory_limit": 0, "dashboard": False}
    spec = {}
    for index in range(workers):
        env = {"CUDA_VISIBLE_DEVICES": devices[index % len(devices)]} if devices else {}
        spec[index] = {"cls": distributed.Nanny, "options": options | {"env": env, "silence_logs": logging.ERROR}}
    addresses = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": distributed.Scheduler, "options": addresses | {"dashboard": False}}
    return distributed.SpecCluster(workers=spec, scheduler=scheduler, silence_logs=logging.ERROR)
