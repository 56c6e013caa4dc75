"""Checkpoints: the eight official ones, the sample model, and any file of the user's.

Nothing here downloads (see :mod:`napari_sam2_probe.models.download`) or reads weights
(see :mod:`napari_sam2_probe.families.loading`); importing it is cheap.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import platformdirs

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import expanded, is_dir, is_file
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.common.words import did_you_mean
from napari_sam2_probe.models.config import SMALL_CONFIG

FOLDER_VARIABLE = "SAM2_PROBE_CHECKPOINTS"
"""Environment variable that names another folder for downloaded checkpoints."""

SAMPLE = "sample"
"""Name of the small model that comes with the package."""

SAMPLE_SIZE_VARIABLE = "SAM2_PROBE_SAMPLE_SIZE"
"""Environment variable that names another input size for the sample model, one of `SAMPLE_CONFIGS`."""

SAMPLE_CONFIGS = {"256": "model.yaml", "512": "model_512.yaml"}
"""Configurations of the sample model by the side of its input in pixels, the default first; the weights are the same.

At 512 pixels maps have four times as many tokens and a frame takes about four times as long, but the model, which was
trained at 256, hardly notices there that an object is gone (see its card).
"""

SAMPLE_SHA256 = (
    "63629bf05da23ec7a5c9514dbfd2f8cabee9d91262fe64dba343545446aa49a4",
    "9774be93a8aff21abf8ad10a6d56a4a2b2d0973ecaf0e066fd4841ddd7971ca1",
    "ff77f5d39fdada249a20bc4a3e29af07ed5d891d60bae6c6859cf69745ded6e2",
)
"""SHA-256 of all weights that the sample model ever had, the present ones first."""

_BASE_URL = "https://dl.fbaipublicfiles.com/segment_anything_2"
_HASH_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class OfficialCheckpoint:
    """What is known of a checkpoint that Meta published.

    Attributes
    ----------
    name
        The file name without its suffix.
    url
        Where Meta serves it.
    num_bytes
        Size of the file; None where it is not known.
    sha256
        SHA-256 of the file, 64 hexadecimal digits.
    config
        The official configuration it belongs to.
    params_millions
        Number of parameters, in millions.
    """

    name: str
    url: str
    num_bytes: int | None
    sha256: str
    config: str
    params_millions: float

    @property
    def filename(self) -> str:
        """The name of the file, as Meta calls it."""
        return f"{self.name}.pt"


def _official(
    release: str, size: str, config: str, num_bytes: int | None, sha256: str, params_millions: float
) -> OfficialCheckpoint:
    family = {"072824": "sam2", "092824": "sam2.1"}[release]
    name = f"{family}_hiera_{size}"
    return OfficialCheckpoint(
        name=name,
        url=f"{_BASE_URL}/{release}/{name}.pt",
        num_bytes=num_bytes,
        sha256=sha256,
        config=f"configs/{family}/{family}_hiera_{config}.yaml",
        params_millions=params_millions,
    )


# Addresses, configurations and parameter counts: the README of facebookresearch/sam2. Meta publishes no hashes;
# these SHA-256 are the ones under which the files are known publicly (micro-sam's model registry has the same
# eight). The size of sam2_hiera_base_plus is not stated there, so a download of it is judged by its hash alone.
OFFICIAL: tuple[OfficialCheckpoint, ...] = (
    _official(
        "092824", "tiny", "t", 156008466, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69", 38.9
    ),
    _official(
        "092824", "small", "s", 184416285, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38", 46.0
    ),
    _official(
        "092824", "base_plus", "b+", 323606802, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5", 80.8
    ),
    _official(
        "092824", "large", "l", 898083611, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318", 224.4
    ),
    _official(
        "072824", "tiny", "t", 155906050, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125", 38.9
    ),
    _official(
        "072824", "small", "s", 184309650, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3", 46.0
    ),
    _official(
        "072824", "base_plus", "b+", None, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071", 80.8
    ),
    _official(
        "072824", "large", "l", 897952466, "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b", 224.4
    ),
)
"""The eight official checkpoints, SAM 2.1 before SAM 2, each from the smallest to the largest."""

PORT_CONFIG, PORT_WEIGHTS = "config.json", "model.safetensors"
"""The files of a model's folder of ``transformers``."""

PREPROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
"""Where such a folder says how frames are prepared, the first that is there."""

DEFAULT_ORDER: tuple[str, ...] = tuple(
    checkpoint.name for checkpoint in sorted(OFFICIAL, key=lambda c: (c.name.startswith("sam2_"), -c.params_millions))
)
"""Which downloaded checkpoint is taken when none is named: SAM 2.1 before SAM 2, the largest first."""


@dataclass(frozen=True)
class CheckpointFile:
    """Weights to track with.

    Attributes
    ----------
    name
        What a person calls it: an official name, ``"sample"``, or the file's name without suffix.
    path
        The file of weights; None for the untrained stand-in of the sample model.
    config
        The configuration it belongs to; None if only the weights themselves can tell.
    hub
        ``owner/name@commit``, where it came from the Hugging Face hub.
    """

    name: str
    path: Path | None
    config: str | Path | None
    hub: str | None = None

    @property
    def trained(self) -> bool:
        """Whether there are weights; without, masks and maps mean nothing and must be labelled so."""
        return self.path is not None

    @cached_property
    def sha256(self) -> str | None:
        """SHA-256 of the file of weights, computed when first asked for; None for the untrained stand-in."""
        return None if self.path is None else file_sha256(self.path)


def checkpoint_folder() -> Path:
    """Return the folder of downloaded checkpoints; it need not exist yet."""
    named = os.environ.get(FOLDER_VARIABLE)
    return expanded(named) if named else platformdirs.user_cache_path("napari-sam2-probe") / "checkpoints"


def official(name: str) -> OfficialCheckpoint:
    """Return the official checkpoint called `name`.

    Raises
    ------
    InputError
        If there is none.
    """
    for checkpoint in OFFICIAL:
        if name in (checkpoint.name, checkpoint.filename):
            return checkpoint
    names = ", ".join(checkpoint.name for checkpoint in OFFICIAL)
    raise InputError(f"There is no official checkpoint {name!r}; the names are {names}.")


def installed() -> list[OfficialCheckpoint]:
    """Return the official checkpoints whose file is in the folder with the right size, in default order.

    Only names and sizes are compared; :func:`identify` reads a file and is sure.
    """
    by_name = {checkpoint.name: checkpoint for checkpoint in OFFICIAL}
    return [by_name[name] for name in DEFAULT_ORDER if _is_whole(by_name[name])]


def _is_whole(checkpoint: OfficialCheckpoint) -> bool:
    path = checkpoint_folder() / checkpoint.filename
    return is_file(path) and checkpoint.num_bytes in (None, path.stat().st_size)


def sample_checkpoint() -> CheckpointFile:
    """Return the small model that comes with the package; untrained as long as the package holds no weights.

    Its input is of the size that the environment variable `SAMPLE_SIZE_VARIABLE` names, where that is set.

    Raises
    ------
    InputError
        If it names a size for which there is no configuration.
    """
    size = os.environ.get(SAMPLE_SIZE_VARIABLE) or next(iter(SAMPLE_CONFIGS))
    if size not in SAMPLE_CONFIGS:
        sizes = " or ".join(SAMPLE_CONFIGS)
        raise InputError(f"{SAMPLE_SIZE_VARIABLE}={size}: the sample model takes frames of {sizes} pixels.")
    folder = sample_data_folder() / "sample_model"
    weights, config = folder / "model.safetensors", folder / SAMPLE_CONFIGS[size]
    if weights.is_file() and config.is_file():
        return CheckpointFile(SAMPLE, weights, config)
    return CheckpointFile(SAMPLE, None, SMALL_CONFIG)


def is_sample_weights(sha256: str | None) -> bool:
    """Tell whether these are weights of the sample model, whatever their file is called.

    Parameters
    ----------
    sha256
        Of the file of weights, as runs record it; None for a model without weights.
    """
    return sha256 in SAMPLE_SHA256


def resolve(name_or_path: str | Path | None = None) -> CheckpointFile:
    """Find the weights that a person named.

    Parameters
    ----------
    name_or_path
        An official name, ``"sample"``, the path of a ``.pt`` or ``.safetensors`` file, a model's folder of
        ``transformers``, or ``hf:owner/name`` for one from the hub that was downloaded before. None takes the first
        installed one in :data:`DEFAULT_ORDER`, else the sample model.

    Raises
    ------
    InputError
        If the name is unknown, the checkpoint is not downloaded, or there is no such file.
    """
    if name_or_path is None:
        found = installed()
        return resolve(found[0].name) if found else sample_checkpoint()
    if name_or_path == SAMPLE:
        return sample_checkpoint()
    by_name = {checkpoint.name: checkpoint for checkpoint in OFFICIAL}
    if name_or_path in by_name:
        return _resolve_official(by_name[str(name_or_path)])
    if isinstance(name_or_path, str) and name_or_path.startswith("hf:"):
        from napari_sam2_probe.models.hub import cached_model, parse_hub_name

        return cached_model(parse_hub_name(name_or_path))
    path = Path(name_or_path)
    if is_dir(path) and (path / PORT_CONFIG).is_file():
        if not is_file(path / PORT_WEIGHTS):
            if is_file(path / f"{PORT_WEIGHTS}.index.json"):
                raise InputError(f"{path}: the weights are in several files; save them as one, {PORT_WEIGHTS}.")
            raise InputError(f"{path}: the folder has a {PORT_CONFIG} but no {PORT_WEIGHTS}; get all of the model.")
        path = path / PORT_WEIGHTS
    if is_file(path):
        return _resolve_file(path, by_name.get(path.stem))
    if is_dir(path):
        raise InputError(f"{path}: this is a folder; name the checkpoint file in it.")
    names = [SAMPLE, *by_name]
    raise InputError(
        f"{name_or_path}: neither a file nor a checkpoint's name; the names are {', '.join(names)}."
        f"{did_you_mean(name_or_path, names)}"
    )


def _resolve_file(path: Path, known: OfficialCheckpoint | None) -> CheckpointFile:
    if known:
        return CheckpointFile(path.stem, path, known.config)
    own, port = path.with_name("model.yaml"), path.with_name(PORT_CONFIG)
    if own.is_file():
        return CheckpointFile(path.stem, path, own)
    if path.name == PORT_WEIGHTS and port.is_file():
        return CheckpointFile(path.absolute().parent.name, path, port)
    return CheckpointFile(path.stem, path, None)


def _resolve_official(checkpoint: OfficialCheckpoint) -> CheckpointFile:
    path = checkpoint_folder() / checkpoint.filename
    command = f"sam2-probe checkpoints download {checkpoint.name}"
    if not is_file(path):
        raise InputError(f"The checkpoint {checkpoint.name} is not downloaded: run '{command}'.")
    if not _is_whole(checkpoint):
        raise InputError(
            f"{path}: the file has {path.stat().st_size} bytes where the official one has {checkpoint.num_bytes}; "
            f"delete it and run '{command}'."
        )
    return CheckpointFile(checkpoint.name, path, checkpoint.config)


def identify(path: Path | str, progress: ProgressCallback = ignore_progress) -> OfficialCheckpoint | None:
    """Return which official checkpoint a file is by its SHA-256, whatever it is called; None if it is none.

    Raises
    ------
    InputError
        If there is no such file or it can't be read.
    """
    digest = file_sha256(path, progress)
    return next((checkpoint for checkpoint in OFFICIAL if checkpoint.sha256 == digest), None)


def file_sha256(path: Path | str, progress: ProgressCallback = ignore_progress) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it in blocks.

    Raises
    ------
    InputError
        If there is no such file or it can't be read.
    """
    path = Path(path)
    digest = hashlib.sha256()
    try:
        total, done = path.stat().st_size, 0
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
                done += len(block)
                progress(Progress(done, total, f"checking {path.name}", "byte"))
    except (OSError, ValueError) as error:
        # A ValueError where no file can be called so.
        raise InputError(f"{path}: the file can't be read ({getattr(error, 'strerror', None) or error}).") from error
    return digest.hexdigest()
