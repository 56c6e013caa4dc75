"""A box decoder as a file: arrays in safetensors, everything else as JSON in its header; nothing in it can run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, stored_fields
from napari_sam2_probe.common.errors import InputError, ProbeError, ResourceError
from napari_sam2_probe.common.files import atomic_path, disk_error
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import parse_json
from napari_sam2_probe.common.seal import check_seal, sealed
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderOptions, DecoderReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "napari-sam2-probe box decoder"
"""What the header calls itself."""

FORMAT_VERSION = 1

# One entry, as the order of several in the file is not fixed, and the same decoder shall give the same bytes.
_HEADER = "decoder"


def save_decoder(decoder: BoxDecoder, path: Path | str) -> None:
    """Write a decoder; the file is complete or not there.

    Raises
    ------
    ResourceError
        If the system refuses to write (disk full, no permission).
    """
    from safetensors.numpy import save_file

    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "checkpoint": decoder.checkpoint,
        "sha256": decoder.sha256,
        "options": asdict(decoder.options),
        "report": None if decoder.report is None else asdict(decoder.report, dict_factory=stored_fields),
    }
    try:
        with atomic_path(path) as temporary:
            arrays = _arrays(decoder)
            about["arrays"] = _checksum(arrays)
            save_file(arrays, temporary, {_HEADER: json.dumps(sealed(about), sort_keys=True)})
    except OSError as error:
        said = disk_error(error, path)
        if isinstance(said, ProbeError):
            raise said from error
        raise ResourceError(
            f"{path} can't be written ({error.strerror or error}): choose a place where you may write."
        ) from error


def load_decoder(path: Path | str) -> BoxDecoder:
    """Read a decoder.

    Raises
    ------
    InputError
        If there is no such file, or it is no decoder, of a later version, or damaged.
    """
    path = Path(path)
    if not is_file(path):
        raise InputError(f"There is no decoder at {path}: make one with 'sam2-probe decoder fit'.")
    arrays, about = _read(path)
    try:
        return _decoder(arrays, about)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The decoder {path} is damaged ({error}): fit it again.") from error


def _arrays(decoder: BoxDecoder) -> dict[str, NDArray[np.float64]]:
    arrays = {
        "input_mean": decoder.input_mean,
        "input_scale": decoder.input_scale,
        "output_mean": decoder.output_mean,
        "output_scale": decoder.output_scale,
    }
    for index, (weights, biases) in enumerate(zip(decoder.weights, decoder.biases, strict=True)):
        arrays |= {f"weights_{index}": weights, f"biases_{index}": biases}
    return {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()}


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    no_decoder = f"{path} is no decoder: give a file that 'sam2-probe decoder fit' made."
    try:
        with safe_open(path, framework="numpy") as file:
            about = parse_json((file.metadata() or {}).get(_HEADER, "null"))
            if not isinstance(about, dict) or about.get("format") != FORMAT:
                raise InputError(no_decoder)
            if about.get("version") != FORMAT_VERSION:
                raise InputError(
                    f"The decoder {path} has the format version {about.get('version')}, which this version of "
                    "napari-sam2-probe doesn't know: update it, or fit the decoder again."
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, MemoryError) as error:
        raise InputError(no_decoder) from error
    except OSError as error:
        raise InputError(f"The decoder {path} can't be read ({error.strerror or error}).") from error
    try:
        check_seal(about)
        if about.get("arrays") not in (None, _checksum(arrays)):
            raise ValueError("the checksum of its arrays is wrong")
    except ValueError as error:
        raise InputError(f"The decoder {path} is damaged ({error}): fit it again.") from error
    return arrays, about


def _checksum(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name], "<f8").tobytes())
    return digest.hexdigest()


def _decoder(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> BoxDecoder:
    num_layers = sum(name.startswith("weights_") for name in arrays)
    layers = [(arrays[f"weights_{index}"], arrays[f"biases_{index}"]) for index in range(num_layers)]
    expected = {"input_mean", "input_scale", "output_mean", "output_scale"}
    expected |= {f"{what}_{index}" for what in ("weights", "biases") for index in range(num_layers)}
    if set(arrays) != expected or not layers:
        raise ValueError("its arrays are not those of a decoder")
    if not all(array.dtype == np.float64 and np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("some of its numbers are not finite")
    if (arrays["input_scale"] <= 0).any() or (arrays["output_scale"] <= 0).any():
        raise ValueError("a scale is not positive")
    sizes = [arrays["input_mean"].size, *(biases.size for _, biases in layers)]
    shapes = {name: array.shape for name, array in arrays.items()}
    wanted: dict[str, tuple[int, ...]]
    wanted = {"input_mean": (sizes[0],), "input_scale": (sizes[0],), "output_mean": (4,), "output_scale": (4,)}
    for index in range(num_layers):
        wanted |= {f"weights_{index}": (sizes[index], sizes[index + 1]), f"biases_{index}": (sizes[index + 1],)}
    if shapes != wanted or sizes[-1] != 4:
        raise ValueError("the shapes of its arrays don't fit together")
    checkpoint, sha256 = about["checkpoint"], about["sha256"]
    if not isinstance(checkpoint, str) or not (sha256 is None or isinstance(sha256, str)):
        raise ValueError("it doesn't say for which checkpoint it was fitted")
    options = about["options"]
    return BoxDecoder(
        checkpoint=checkpoint,
        sha256=sha256,
        input_mean=arrays["input_mean"],
        input_scale=arrays["input_scale"],
        weights=tuple(weights for weights, _ in layers),
        biases=tuple(biases for _, biases in layers),
        output_mean=arrays["output_mean"],
        output_scale=arrays["output_scale"],
        report=None if about["report"] is None else _report(about["report"]),
        options=DecoderOptions(**{**options, "hidden": tuple(options["hidden"])}),
    )


def _report(stored: dict[str, Any]) -> DecoderReport:
    estimates = {name: Estimate(**stored[name]) for name in ("iou", "baseline_iou", "gain")}
    lists = ("side_error", "baseline_side_error", "fitted_sequences", "held_out_sequences")
    return DecoderReport(**{**stored, **estimates, **{name: tuple(stored[name]) for name in lists}})
