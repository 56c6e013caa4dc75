"""The options of every command that tracks: which model, where, and how it is built."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

from napari_sam2_probe.models.config import ModelFlags

if TYPE_CHECKING:
    from napari_sam2_probe.families.loaded import ModelChoice


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--checkpoint",
        metavar="NAME|FILE",
        help="an official name, 'sample', a file, a model's folder of transformers, or hf:owner/name (default: the "
        "largest official one downloaded, else 'sample')",
    )
    group.add_argument(
        "--family", metavar="NAME", help="who runs it: sam2 or transformers (default: what the checkpoint is)"
    )
    group.add_argument("--config", metavar="YAML", help="the configuration of a checkpoint of your own")
    group.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: %(default)s)")
    group.add_argument(
        "--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default: %(default)s, which is float32)"
    )
    for flag in fields(ModelFlags):
        name = flag.name.replace("_", "-")
        # This one has a shorter name from earlier on.
        names = ["postprocessing", name] if flag.name == "apply_postprocessing" else [name]
        group.add_argument(
            *(f"--{one}" for one in names),
            action=argparse.BooleanOptionalAction,
            dest=flag.name,
            default=None,
            help=f"{flag.metadata['description']} (default: {'yes' if flag.default else 'no'})",
        )


def given_flags(arguments: argparse.Namespace) -> dict[str, bool]:
    """Return the flags that were named on the command line, by name."""
    named = {flag.name: getattr(arguments, flag.name) for flag in fields(ModelFlags)}
    return {name: value for name, value in named.items() if value is not None}


def model_choice(arguments: argparse.Namespace) -> ModelChoice:
    """Return what the options ask for."""
    from napari_sam2_probe.families.loaded import ModelChoice

    flags = ModelFlags(**given_flags(arguments))
    return ModelChoice(
        arguments.checkpoint, arguments.config, arguments.device, arguments.dtype, flags, arguments.family
    )
