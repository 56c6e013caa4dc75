"""Models on the Hugging Face hub: ``hf:owner/name``, fetched when asked and found in the hub's own cache afterwards.

The package ``huggingface_hub``, which comes with ``transformers``, does the work: what arrives is kept if a transfer
breaks off, and the cache is the one that other programs use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.models.checkpoints import (
    PORT_CONFIG,
    PORT_WEIGHTS,
    PREPROCESSOR_FILES,
    CheckpointFile,
    file_sha256,
)

if TYPE_CHECKING:
    from collections.abc import Collection

PREFIX = "hf:"

# Names as the hub gives them: others its client refuses, with an error of its own. "--" and ".." are in none.
_PART = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_NAME = re.compile(rf"hf:(?![^@]*(?:--|\.\.))({_PART}/{_PART}(?<!\.git))(?:@([A-Za-z0-9][\w.-]*))?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class HubName:
    """A model on the hub.

    Attributes
    ----------
    repo
        ``owner/name``.
    revision
        A branch, a tag or a commit; None for the newest.
    """

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def parse_hub_name(text: str) -> HubName:
    """Read ``hf:owner/name`` or ``hf:owner/name@revision``.

    Raises
    ------
    InputError
        If it is written otherwise.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise InputError(f"{text}: a model on the hub is written hf:owner/name, or hf:owner/name@revision.")
    return HubName(found[1], found[2])


def cached_model(name: HubName) -> CheckpointFile:
    """Return a model that was fetched before; nothing is asked of the network.

    Raises
    ------
    InputError
        If it is not there.
    ResourceError
        If the package ``huggingface_hub`` is not installed.
    """
    _check_package()
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(name.repo, file, revision=name.revision) for file in (PORT_CONFIG, PORT_WEIGHTS)]
    config, weights = (Path(path) if isinstance(path, str) else None for path in paths)
    if config is None or weights is None:
        raise InputError(f"{name} is not downloaded: run 'sam2-probe checkpoints download {name}'.")
    # Which commit a branch was at is told by the folder.
    at = f"{name.repo}@{weights.parent.name}"
    return CheckpointFile(name.repo.rpartition("/")[2], weights, config, at)


def models_here(model_types: Collection[str]) -> list[HubName]:
    """List the models of some types that were fetched before, by name; nothing is asked of the network.

    Parameters
    ----------
    model_types
        What their ``config.json`` may call them.
    """
    if find_spec("huggingface_hub") is None:
        return []
    from huggingface_hub.constants import HF_HUB_CACHE

    found = []
    for folder in sorted(Path(HF_HUB_CACHE).glob("models--*--*")):
        name = HubName("/".join(folder.name.split("--")[1:3]))
        try:
            settings = load_json(Path(str(cached_model(name).config)))
        except (InputError, ResourceError):
            # Other programs keep other things there.
            continue
        if isinstance(settings, dict) and settings.get("model_type") in model_types:
            found.append(name)
    return found


def fetch_model(name: HubName, *, endpoint: str | None = None) -> CheckpointFile:
    """Fetch a model's configuration and weights into the hub's cache; what is there is not fetched again.

    Parameters
    ----------
    name
        Which.
    endpoint
        Another server than the hub's.

    Raises
    ------
    InputError
        If there is no such model or revision, it is gated, or it has not the files of one.
    ResourceError
        No network, a server error, a transfer that broke off, a full disk, or a file that is not the published one.
    """
    _check_package()
    _fetched(name, PORT_CONFIG, endpoint)
    weights = _fetched(name, PORT_WEIGHTS, endpoint)
    for file in PREPROCESSOR_FILES:
        _fetched(name, file, endpoint, needed=False)
    _check_hash(name, weights)
    return cached_model(name)


def _fetched(name: HubName, file: str, endpoint: str | None, *, needed: bool = True) -> Path:
    from huggingface_hub import errors, hf_hub_download

    place = f"{name} ({file})"
    options: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint}
    try:
        return Path(hf_hub_download(name.repo, file, revision=name.revision, **options))
    except errors.GatedRepoError as error:
        raise InputError(
            f"{name} is given only to those who accept its terms: do so at https://huggingface.co/{name.repo}, log in "
            "with 'hf auth login', and run the command again."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"There is no {name} on the hub, or it is private: check the name, or log in with 'hf auth login'."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{name.repo} has no revision {name.revision!r} on the hub.") from error
    except errors.LocalEntryNotFoundError as error:
        raise ResourceError(
            f"{place} can't be fetched: the hub can't be reached, or HF_HUB_OFFLINE is set; check the network, or copy "
            "the model's folder here and name it."
        ) from error
    except errors.EntryNotFoundError as error:
        if not needed:
            return Path()
        raise InputError(
            f"{name} has no {file} on the hub, so it is no model of transformers that can be used."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise ResourceError(f"{place} can't be fetched, since HF_HUB_OFFLINE is set.") from error
    # What the hub's client raises where a transfer breaks off, its transport alone knows.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ResourceError(
            f"{place} can't be fetched ({reason}): run the same command again, it goes on where it stopped."
        ) from error


def _check_hash(name: HubName, weights: Path) -> None:
    """Compare large files with their SHA-256, by which the cache calls them; the client doesn't."""
    blob = weights.resolve()
    if _SHA256.fullmatch(blob.name) and file_sha256(blob) != blob.name:
        blob.unlink()
        weights.unlink(missing_ok=True)
        raise ResourceError(
            f"What the hub sent as {name} is not the published file (its SHA-256 differs), so it was deleted: run the "
            "command again."
        )


def _check_package() -> None:
    if find_spec("huggingface_hub") is None:
        raise ResourceError(
            "The package huggingface_hub, which fetches models from the hub, is not installed: install it with "
            "'pip install napari-sam2-probe[transformers]'."
        )
