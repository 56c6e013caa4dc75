"""Devices, number formats, and running out of memory."""

from __future__ import annotations

import pytest
import torch

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.models.device import (
    choose_device,
    choose_dtype,
    computing,
    describe_device,
    free_memory,
    is_out_of_memory,
    oom_as_sentence,
)

CPU = torch.device("cpu")
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_cpu_is_always_there():
    assert choose_device("cpu") == CPU


@no_gpu
def test_auto_without_a_gpu():
    assert choose_device("auto").type == ("mps" if torch.backends.mps.is_available() else "cpu")


@gpu
def test_auto_with_a_gpu():
    device = choose_device("auto")
    assert device.type == "cuda"
    assert choose_dtype("auto", device) is torch.float32
    assert 0 < free_memory(device) <= torch.cuda.get_device_properties(device).total_memory
    with pytest.raises(ResourceError, match="not there"):
        choose_device("cuda:99")
    with pytest.raises(ResourceError, match="choose a smaller checkpoint"), computing(device, torch.float32):
        torch.empty(1 << 50, device=device)


@no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there(name):
    with pytest.raises(ResourceError, match=rf"{name} is not there.*choose the CPU"):
        choose_device(name)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")
def test_an_apple_gpu_that_is_not_there():
    with pytest.raises(ResourceError, match="choose the CPU"):
        choose_device("mps")


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cpu:0", "xpu", "cuda:1\n"])
def test_words_that_are_no_device(name):
    with pytest.raises(InputError, match="auto, cuda, mps, cpu"):
        choose_device(name)


def test_number_formats():
    assert choose_dtype("auto", CPU) is torch.float32
    assert choose_dtype("float32", CPU) is torch.float32
    assert choose_dtype("bfloat16", CPU) is torch.bfloat16
    assert choose_dtype("float16", CPU) is torch.float16
    with pytest.raises(InputError, match="'double'"):
        choose_dtype("double", CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_computing_is_in_the_format_asked_for_and_leaves_nothing_behind(dtype):
    weight = torch.ones(2, 2, requires_grad=True)
    with computing(CPU, dtype):
        result = weight @ weight
        assert torch.is_inference_mode_enabled()
    assert result.dtype is dtype
    assert not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")
    assert (weight @ weight).dtype is torch.float32


def test_float32_holds_inside_somebody_elses_autocast():
    matrix = torch.full((2, 2), 1 / 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with computing(CPU, torch.float32):
            ours = matrix @ matrix
        assert (matrix @ matrix).dtype is torch.bfloat16
    assert ours.dtype is torch.float32
    assert torch.equal(ours, matrix @ matrix)


def test_real_lack_of_memory_is_one_sentence():
    says = r"memory of this machine doesn't suffice.*smaller checkpoint"
    with pytest.raises(ResourceError, match=says) as caught, computing(CPU, torch.float32):
        torch.empty(1 << 55)
    assert "\n" not in str(caught.value)
    assert not torch.is_inference_mode_enabled()


def test_python_lack_of_memory_too():
    with pytest.raises(ResourceError), oom_as_sentence(CPU):
        bytearray(1 << 60)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), computing(CPU, torch.float32):
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory (MPS allocated: 8.00 GB)",
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_forms_in_which_memory_runs_out(message):
    assert is_out_of_memory(RuntimeError(message))
    assert is_out_of_memory(torch.OutOfMemoryError(message))
    assert not is_out_of_memory(ValueError(message))


def test_facts_about_the_cpu():
    assert free_memory(CPU) > 0
    assert f"{torch.get_num_threads()} threads" in describe_device(CPU)
