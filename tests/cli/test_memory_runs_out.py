"""A limit on memory ends a command in one sentence, wherever it strikes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.common.memory import memory_error

resource = pytest.importorskip("resource")


@pytest.mark.parametrize("mebibytes", [300, 1500])
def test_a_limit_while_libraries_load(video, tmp_path, mebibytes):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    words = ["run", str(video), "--point", "35,42", "--out", str(tmp_path / "run"), "--checkpoint", "sample"]
    child = subprocess.run(
        [sys.executable, "-m", "napari_sam2_probe.cli", *words], capture_output=True, text=True, preexec_fn=limit
    )
    assert child.returncode == 2
    assert child.stderr.startswith("sam2-probe: Memory ran out: close other programs")
    assert child.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_libraries_say(error):
    assert isinstance(memory_error(error), ResourceError)
    wrapper = ValueError("damaged")
    wrapper.__cause__ = error
    assert isinstance(memory_error(wrapper), ResourceError)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), ImportError("No module named 'torch'"), OSError(2, "no")]
)
def test_what_has_other_causes(error):
    assert memory_error(error) is None
