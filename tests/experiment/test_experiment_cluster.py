"""Experiments on real Dask workers, processes of their own: the same bytes, also if one of them is killed."""

from __future__ import annotations

import os
import signal

import pytest

from helpers.small_experiments import table_bytes
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.experiments import execute
from napari_sam2_probe.experiments.batch_worker import BatchWorker
from napari_sam2_probe.experiments.config import make_config, read_config
from napari_sam2_probe.experiments.execute import run_experiment
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.experiments.results import open_experiment

distributed = pytest.importorskip("distributed")

from napari_sam2_probe.experiments import cluster as cluster_module  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine; each starts again when it dies."""
    with cluster_module._local_cluster(2) as made:
        yield made


def worker_pids(cluster) -> list[int]:
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        return list(client.run(os.getpid).values())


def test_a_worker_that_dies_costs_nothing_but_its_batch(cluster, tiny_experiment, settings, tmp_path, monkeypatch):
    # Clips of the second kind are made beside, as if they were many.
    monkeypatch.setattr(execute, "_processes", lambda _: 2)
    out = tmp_path / "out"
    pids = worker_pids(cluster)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    killed = []

    def kill_one(event) -> None:
        if event.what == "tracking clips" and event.done > 0 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    results = run_experiment(
        make_config(**settings), out, scheduler=cluster.scheduler_address, command="here", progress=kill_one
    )
    assert killed
    assert results.complete
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert results.provenance["sessions"][0]["executor"] == f"Dask at {cluster.scheduler_address}"
    for kind in results.kinds:
        for clip in results.clips(kind):
            assert (results.masks(kind, clip) == open_experiment(tiny_experiment).masks(kind, clip)).all()
    # The workers live on, without the model.
    after = worker_pids(cluster)
    assert pids[0] not in after
    assert pids[1] in after
    with distributed.Client(cluster, set_as_default=False) as client:
        plugins = client.run(lambda dask_worker: [name for name in dask_worker.plugins if "sam2-probe" in str(name)])
    assert set(map(tuple, plugins.values())) == {()}


def test_what_a_worker_meets_is_told_in_words(cluster, settings, tmp_path):
    out = tmp_path / "out"
    config = make_config(**settings | {"kinds": ["clean"], "samples": 1})

    def spoil(event) -> None:
        if event.what == "tracking clips":
            (out / "clips/clean/Annotations/480p/clean-00000/00003.png").write_bytes(b"no image")

    with pytest.raises(InputError, match=r"00003\.png can't be read as an image"):
        run_experiment(config, out, scheduler=cluster.scheduler_address, progress=spoil)
    assert open_experiment(out).done == 0


def test_a_scheduler_that_is_not_there(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "_SECONDS_TO_CONNECT", 0.3)
    with pytest.raises(InputError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:9: give the address"):
        run_experiment(make_config(**settings), tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    assert not (tmp_path / "out").exists()


def test_a_scheduler_without_workers(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "_SECONDS_TO_CONNECT", 1)
    with (
        cluster_module._local_cluster(0) as empty,
        pytest.raises(ResourceError, match="there is no worker; start some"),
    ):
        run_experiment(make_config(**settings), tmp_path / "out", scheduler=empty.scheduler_address)


def test_workers_of_this_machine_by_the_command(tiny_experiment, small_root, tmp_path, capsys, monkeypatch):
    from napari_sam2_probe.cli import main

    monkeypatch.setattr(cluster_module.ClusterExecutor, "threads", lambda _: 1)
    out = tmp_path / "out"
    clips = ["--kinds", "clean", "--samples", "1", "--lengths", "3,2,3", "--batch-size", "1"]
    model = ["--checkpoint", "sample", "--device", "cpu", "--workers", "1"]
    assert main(["experiment", "--davis", str(small_root), "--out", str(out), *clips, *model]) == 0
    assert "1 clip(s) of 1 kind(s)" in capsys.readouterr().out
    assert open_experiment(out).provenance["sessions"][0]["executor"] == "1 Dask worker(s) on this machine"
    for name in ("clean-0000.frames.parquet", "clean-0000.features.parquet"):
        assert (out / "parts" / name).read_bytes() == (tiny_experiment / "parts" / name).read_bytes()


def test_a_worker_with_another_model_is_refused(tiny_experiment):
    worker = BatchWorker(ExperimentFolder(tiny_experiment), read_config(tiny_experiment / "experiment.toml"))
    model = open_experiment(tiny_experiment).provenance["model"]
    with pytest.raises(InputError, match=r"another model: the checkpoint's SHA-256 was 1+ and is [0-9a-f]{64} now"):
        worker.check_model(model | {"sha256": "1" * 64})
    with pytest.raises(InputError, match="begun on the device cuda, whose numbers are not those of cpu"):
        worker.check_model(model | {"device": "cuda:1"})
    worker.check_model(model)
