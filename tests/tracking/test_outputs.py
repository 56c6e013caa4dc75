"""Outputs come back from disk with the bits they left with, and temporary files go."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.tracking.bank import Bank, BankEntry
from napari_sam2_probe.tracking.memory_view import MemoryProvenance
from napari_sam2_probe.tracking.observer import PassKind
from napari_sam2_probe.tracking.outputs import FrameOutput, OutputStore
from napari_sam2_probe.tracking.spill import SpillFile, SpillFolder


def random_tensor(rng, shape, dtype):
    """Any bits at all, NaN payloads and infinities included."""
    width = torch.empty((), dtype=dtype).element_size()
    raw = rng.integers(0, 256, (*shape[:-1], shape[-1] * width), dtype=np.uint8)
    return torch.from_numpy(raw).view(dtype)


def make_output(serial: int, score_dtype=torch.float32, side=3):
    rng = np.random.default_rng(serial)
    bank = Bank(serial, (BankEntry("memory", 0, "conditioning", 0, serial),))
    return FrameOutput(
        serial=serial,
        kind=PassKind.TRACKED,
        reverse=bool(serial % 2),
        maskmem_features=random_tensor(rng, (1, 4, side, side), torch.bfloat16),
        pred_masks=random_tensor(rng, (1, 1, 4 * side, 4 * side), torch.float32),
        obj_ptr=random_tensor(rng, (1, 8), torch.float32),
        object_score_logits=random_tensor(rng, (1, 1), score_dtype),
        predicted_iou=serial / 7,
        provenance=MemoryProvenance(bank, bank, {0: 1, serial: serial}),
    )


def bits(output: FrameOutput) -> list:
    tensors = [(t.dtype, tuple(t.shape), t.contiguous().view(torch.uint8).numpy().tobytes()) for t in output.tensors]
    return [output.serial, output.kind, output.reverse, output.predicted_iou, output.provenance, *tensors]


NUM_BYTES = make_output(0).num_bytes

actions = st.tuples(st.sampled_from(["set", "get", "get", "pop", "del", "discard", "serial"]), st.integers(0, 7))
# Under autocast some scores are bfloat16, so records differ in length by a little.
kinds = st.sampled_from([(torch.float32, 3), (torch.bfloat16, 3), (torch.float32, 4)])


@settings(deadline=None, max_examples=150)
@given(
    steps=st.lists(st.tuples(actions, kinds), max_size=50),
    budget=st.sampled_from([0, 1, NUM_BYTES, 3 * NUM_BYTES, 10**9]),
)
def test_behaves_like_a_dict(steps, budget):
    folder = SpillFolder()
    store, model = OutputStore(budget, folder), {}
    for serial, ((what, t), (dtype, side)) in enumerate(steps):
        if what == "set":
            store[t] = model[t] = make_output(serial, dtype, side)
        elif what == "discard":
            store.discard(t)
            model.pop(t, None)
        elif what == "pop":
            taken, expected = store.pop(t, None), model.pop(t, None)
            assert (taken is None) == (expected is None)
            assert taken is None or bits(taken) == bits(expected)
        elif t in model:
            if what == "get":
                assert bits(store[t]) == bits(model[t])
            elif what == "serial":
                assert store.serial(t) == model[t].serial
            else:
                del store[t], model[t]
        else:
            assert t not in store
            assert store.get(t) is None
            with pytest.raises(KeyError):
                store[t]
            with pytest.raises(KeyError):
                del store[t]
        assert list(store) == sorted(model)
        assert len(store) == len(model)
        assert store.bytes_in_memory <= max(budget, max((o.num_bytes for o in model.values()), default=0))
    for t in model:
        assert bits(store[t]) == bits(model[t])
    store.close()
    assert len(store) == 0
    folder.close()


def test_memory_is_bounded_and_the_rest_is_in_the_file():
    folder = SpillFolder()
    store = OutputStore(2 * NUM_BYTES, folder)
    for t in range(20):
        store[t] = make_output(t)
    assert store.bytes_in_memory == 2 * NUM_BYTES
    assert store._file is not None
    assert os.fstat(store._file._file.fileno()).st_size == 18 * NUM_BYTES
    store.close()


def test_reading_and_replacing_do_not_make_the_file_grow():
    store = OutputStore(NUM_BYTES, SpillFolder())
    for t in range(6):
        store[t] = make_output(t)
    descriptor = store._file._file.fileno()
    before = os.fstat(descriptor).st_size
    for round_ in range(1, 5):
        for t in range(6):
            assert store[t].serial % 6 == t
        for t in range(6):
            store[t] = make_output(6 * round_ + t)
    # One more than before: what stood in memory only has been written too.
    assert os.fstat(descriptor).st_size <= before + NUM_BYTES
    store.close()


def test_the_folder_goes_with_close():
    folder = SpillFolder()
    store = OutputStore(0, folder)
    store[0], store[1] = make_output(0), make_output(1)
    assert folder.path.is_dir()
    store.close()
    folder.close()
    folder.close()
    assert not folder.path.exists()


def test_folder_and_file_go_with_their_owner():
    folder = SpillFolder()
    store = OutputStore(0, folder)
    store[0], store[1] = make_output(0), make_output(1)
    path, descriptor = folder.path, store._file._file.fileno()
    del store, folder
    gc.collect()
    assert not path.exists()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_folder_lies_where_it_is_wanted(tmp_path):
    folder = SpillFolder(tmp_path)
    assert folder.path.parent == tmp_path
    folder.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device that is always full")
def test_a_full_disk_is_said_and_loses_nothing():
    store = OutputStore(NUM_BYTES, SpillFolder())
    store[0], store[1] = make_output(0), make_output(1)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, store._file._file.fileno())
    os.close(full)
    with pytest.raises(ResourceError, match=r"The disk is full while writing the folder for temporary files .*: free"):
        store[2] = make_output(2)
    assert bits(store[1]) == bits(make_output(1))
    assert bits(store[2]) == bits(make_output(2))
    store.close()


def test_a_file_cut_short_is_said():
    folder = SpillFolder()
    file = SpillFile(folder)
    offset = file.write(b"0123456789")
    assert file.read(offset, 10) == b"0123456789"
    os.ftruncate(file._file.fileno(), 5)
    with pytest.raises(ResourceError, match="cut short"):
        file.read(offset, 10)
    file.close()


def test_released_room_is_used_by_records_of_its_size_only():
    file = SpillFile(SpillFolder())
    short, _ = file.write(b"ab"), file.write(b"next")
    file.release(short, 2)
    long = file.write(b"longer")
    assert long == 6
    assert file.read(2, 4) == b"next"
    assert file.write(b"cd") == short
    file.close()


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    script = """
import os, pathlib, signal, sys
from napari_sam2_probe.tracking.spill import SpillFolder
folder = SpillFolder(pathlib.Path(sys.argv[1]))
(folder.path / "1-0-0-key.npy").write_bytes(b"x" * 1000)
print(folder.path, flush=True)
if len(sys.argv) > 2:
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = Path(killed.stdout.strip())
    mine = tmp_path / "sam2-probe-spill-of-mine"
    mine.mkdir()
    with subprocess.Popen([*command, "waits"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as working:
        alive = Path(working.stdout.readline().strip())
        for path in (left, mine, alive):
            os.utime(path, (0, 0))
        folder = SpillFolder(tmp_path)
        assert not left.exists()
        assert sorted(tmp_path.iterdir()) == sorted([mine, alive, folder.path])
        assert (alive / "1-0-0-key.npy").is_file()
        working.kill()
    folder.close()
    assert sorted(tmp_path.iterdir()) == sorted([mine, alive])
