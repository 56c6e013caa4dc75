"""``sam2-probe transform``: a data set of transformed clips from a DAVIS folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.options import split_assignments
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.kind import Described

_MAXIMUM_SEED = 2**63 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("kind", metavar="KIND", help="what happens in the clips, see below")
    parser.add_argument("--davis", type=Path, required=True, metavar="ROOT", help="the DAVIS folder to take from")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to write, or to go on with after a stop"
    )
    parser.add_argument("--samples", type=int, default=500, metavar="N", help="number of clips (default 500)")
    parser.add_argument(
        "--seed", type=int, default=0, help="clip k of every kind under one seed has the same base (default 0)"
    )
    parser.add_argument(
        "--lengths",
        type=parse_lengths,
        default=DEFAULT_LENGTHS,
        metavar="P,I,S",
        help="frames of prefix, interjection and suffix (default 12,4,12)",
    )
    parser.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="K=V", help="an option of the kind; may be repeated"
    )
    parser.add_argument(
        "--then",
        action="append",
        default=[],
        metavar="CORRUPTION",
        help="a corruption, applied in turn; may be repeated",
    )
    parser.add_argument("--lossless", action="store_true", help="write PNG frames instead of JPEG")
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one a processor)")


def epilog() -> str:
    """Return what the help ends with: all kinds and corruptions, with their options."""
    from napari_sam2_probe.transforms.registry import CORRUPTIONS, KINDS

    return "\n".join(
        [
            *describe_all("kinds", KINDS),
            "",
            *describe_all("corruptions", CORRUPTIONS),
            "",
            "A kind takes options as --option fill=blur, a corruption after a colon: --then gaussian-noise:sigma=25",
        ]
    )


def describe_all(title: str, registry: Mapping[str, Described[Any]]) -> list[str]:
    """Return a line for each thing of a registry, and one for each of its options."""
    lines = [f"{title}:"]
    for name, thing in registry.items():
        lines.append(f"  {name:<18}{thing.description}")
        for option, declared in thing.options.items():
            lines.append(f"{'':<20}{option}={declared.allowed} (default {declared.default})")
    return lines


def run(arguments: argparse.Namespace) -> None:
    """Make the data set."""
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.transforms.dataset import make_dataset
    from napari_sam2_probe.transforms.plan import ClipSpec
    from napari_sam2_probe.transforms.registry import KINDS, parse_corruption
    from napari_sam2_probe.video.davis import DavisDataset

    if not 0 <= arguments.seed <= _MAXIMUM_SEED:
        raise InputError(f"--seed {arguments.seed} can't be used: give a whole number from 0 to {_MAXIMUM_SEED}.")
    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers} can't be used: give at least 1.")
    kind = KINDS.find(arguments.kind)
    order = ClipSpec(
        kind=kind.name,
        seed=arguments.seed,
        lengths=arguments.lengths,
        options=kind.read_options(split_assignments(arguments.option, kind.name)),
        then=tuple(parse_corruption(text) for text in arguments.then),
    )
    dataset = DavisDataset(arguments.davis, arguments.split)
    with progress_bars() as progress:
        make_dataset(
            dataset,
            arguments.out,
            order,
            arguments.samples,
            lossless=arguments.lossless,
            workers=arguments.workers,
            progress=progress,
        )
    sys.stdout.write(f"{arguments.samples} {arguments.kind} clips are in {arguments.out}\n")


def parse_lengths(text: str) -> tuple[int, int, int]:
    """Read ``--lengths``: frames of prefix, interjection and suffix."""
    try:
        prefix, interjection, suffix = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not three numbers of frames such as 12,4,12") from None
    if prefix < 1 or interjection < 0 or suffix < 0:
        raise argparse.ArgumentTypeError(f"{text!r} needs a prefix of at least 1 frame and nothing negative")
    return prefix, interjection, suffix
