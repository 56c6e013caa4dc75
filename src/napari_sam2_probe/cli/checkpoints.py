"""``sam2-probe checkpoints``: list, download, verify and convert SAM 2 checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.cli.progress import progress_bars
from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.models.checkpoints import OfficialCheckpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the official checkpoints and which of them are here")
    download = actions.add_parser("download", help="fetch one from Meta's server or the hub, and verify it")
    download.add_argument("name", metavar="NAME", help="its name, as 'list' shows it, or hf:owner/name[@revision]")
    verify = actions.add_parser("verify", help="identify an official checkpoint's file by its SHA-256")
    verify.add_argument("file", metavar="FILE", type=Path)
    convert = actions.add_parser("convert", help="write SAM 2's weights in the other format: sam2's or transformers'")
    convert.add_argument("source", metavar="NAME|FILE|DIR", help="weights of sam2, or a model's folder of transformers")
    convert.add_argument("target", metavar="OUT", type=Path, help="the folder, or FILE.safetensors, to write")
    convert.add_argument("--config", metavar="YAML", help="the configuration of a checkpoint of your own")


def run(arguments: argparse.Namespace) -> None:
    """Do what was asked."""
    if arguments.action == "list":
        print(listing())  # noqa: T201
    elif arguments.action == "download":
        _download(arguments.name)
    elif arguments.action == "convert":
        _convert(arguments.source, arguments.target, arguments.config)
    else:
        _verify(arguments.file)


def listing() -> str:
    """Return the table of checkpoints: name, parameters, size, and whether it is here."""
    from napari_sam2_probe.models.checkpoints import OFFICIAL, checkpoint_folder, resolve, sample_checkpoint

    chosen = resolve(None).name
    sample = sample_checkpoint()
    state = "comes with the package" if sample.trained else "untrained stand-in: its masks mean nothing"
    rows = [(sample.name, "", "", state)]
    for checkpoint in OFFICIAL:
        size = "size unknown" if checkpoint.num_bytes is None else f"{checkpoint.num_bytes / 1e6:.0f} MB"
        rows.append((checkpoint.name, f"{checkpoint.params_millions:.1f} M", size, _state(checkpoint)))
    lines = [
        f"{'*' if row[0] == chosen else ' '} {row[0]:<22} {row[1]:>8} {row[2]:>13}  {row[3]}".rstrip() for row in rows
    ]
    return "\n".join([*lines, "", f"* is taken when none is named. Folder: {checkpoint_folder()}"])


def _state(checkpoint: OfficialCheckpoint) -> str:
    from napari_sam2_probe.models.checkpoints import checkpoint_folder, installed

    path = checkpoint_folder() / checkpoint.filename
    part = path.with_name(f"{path.name}.part")
    if checkpoint in installed():
        return "downloaded"
    if path.is_file():
        return f"damaged: {path.stat().st_size} bytes"
    if part.is_file():
        return f"begun: {part.stat().st_size / 1e6:.0f} MB are here"
    return "not downloaded"


def _download(name: str) -> None:
    from napari_sam2_probe.models.checkpoints import official
    from napari_sam2_probe.models.download import download

    if name.startswith("hf:"):
        from napari_sam2_probe.models.hub import fetch_model, parse_hub_name

        found = fetch_model(parse_hub_name(name))
        print(f"hf:{found.hub}, SHA-256 {found.sha256}, at {found.path}")  # noqa: T201
        return
    checkpoint = official(name)
    with progress_bars() as progress:
        path = download(checkpoint, progress=progress)
    print(f"{checkpoint.name}: verified by SHA-256, at {path}")  # noqa: T201


def _convert(source: str, target: Path, config: str | None) -> None:
    from napari_sam2_probe.families.port_loading import convert
    from napari_sam2_probe.models.checkpoints import resolve

    print(convert(resolve(source), target, config))  # noqa: T201


def _verify(file: Path) -> None:
    from napari_sam2_probe.models.checkpoints import identify

    with progress_bars() as progress:
        checkpoint = identify(file, progress)
    if checkpoint is None:
        raise InputError(
            f"{file}: not one of the official checkpoints (its SHA-256 is none of theirs); if it should be one, "
            "download it again."
        )
    print(f"{file}: this is {checkpoint.name}, unchanged.")  # noqa: T201
