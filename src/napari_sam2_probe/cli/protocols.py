"""``sam2-probe protocols``: evaluate a model as the SAM 2 paper does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_sam2_probe.evaluation.protocols.run import ProtocolOptions
    from napari_sam2_probe.evaluation.protocols.table import TableRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    from napari_sam2_probe.cli.model_options import add_model_options
    from napari_sam2_probe.evaluation.protocols.jobs import INTERACTIVE, PROMPTS, InteractionOptions

    defaults = InteractionOptions()
    parser.add_argument(
        "--davis",
        type=Path,
        required=True,
        metavar="ROOT",
        help="sequences with masks: DAVIS, MOSE, YouTube-VOS, LVOS, SA-V or alike",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to write, or to go on with after a stop"
    )
    parser.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    parser.add_argument("--sequences", metavar="NAMES", help="take only these, separated by commas (default all)")
    parser.add_argument(
        "--prompts",
        default=",".join(PROMPTS),
        metavar="NAMES",
        help="prompts on the first frame of each object, separated by commas, or none (default: %(default)s)",
    )
    parser.add_argument(
        "--interactive",
        default=",".join(INTERACTIVE),
        metavar="NAMES",
        help="offline, online, both separated by a comma, or none (default: %(default)s)",
    )
    parser.add_argument(
        "--annotated-frames",
        type=int,
        default=defaults.num_frames,
        metavar="N",
        help="interactive: annotate up to this many frames (default: %(default)s)",
    )
    parser.add_argument(
        "--clicks",
        type=int,
        default=defaults.num_clicks,
        metavar="N",
        help="interactive: clicks a frame (default: %(default)s)",
    )
    parser.add_argument(
        "--iou",
        type=float,
        default=defaults.iou_threshold,
        help="online: correct frames whose IoU is lower (default: %(default)s)",
    )
    parser.add_argument(
        "--images",
        default="none",
        metavar="NAMES",
        help="1-click, 5-click, both separated by a comma: single frames without memory (default: none)",
    )
    parser.add_argument(
        "--images-per-object",
        type=int,
        default=10,
        metavar="N",
        help="images: frames of each object, spread evenly (default: %(default)s)",
    )
    parser.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="also score masks of another system, DIR/<sequence>/<frame>.png, prompted with the first mask "
        "(NAME@PROMPT=DIR: with another prompt); may be repeated",
    )
    parser.add_argument("--masks", action="store_true", help="keep the masks of the semi-supervised protocols as PNGs")
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, and print the means over all objects."""
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.evaluation.protocols.run import run_protocols
    from napari_sam2_probe.evaluation.protocols.store import TABLE
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.video.davis import DavisDataset

    options = _options(arguments)
    dataset = DavisDataset(arguments.davis, arguments.split)
    choice = model_choice(arguments)
    command = f"sam2-probe protocols --davis {arguments.davis.name} --out {arguments.out.name}"
    with progress_bars() as progress:
        rows = run_protocols(
            dataset, arguments.out, options, lambda: load_model(choice), command=command, progress=progress
        )
    print(_summary(rows))  # noqa: T201
    print(f"\nThe table of all objects is {arguments.out / TABLE}.")  # noqa: T201


def _options(arguments: argparse.Namespace) -> ProtocolOptions:
    from napari_sam2_probe.evaluation.protocols.jobs import (
        IMAGE_PROMPTS,
        INTERACTIVE,
        PROMPTS,
        InteractionOptions,
        parse_names,
    )
    from napari_sam2_probe.evaluation.protocols.predictions import parse_prediction
    from napari_sam2_probe.evaluation.protocols.run import ProtocolOptions

    numbers = {
        "--annotated-frames": arguments.annotated_frames,
        "--clicks": arguments.clicks,
        "--images-per-object": arguments.images_per_object,
    }
    for option, number in numbers.items():
        if number < 1:
            raise InputError(f"{option} {number} can't be used: give at least 1.")
    if not 0 <= arguments.iou <= 1:
        raise InputError(f"--iou {arguments.iou:g} can't be used: give a number from 0 to 1.")
    sequences = None
    if arguments.sequences is not None:
        sequences = tuple(dict.fromkeys(name.strip() for name in arguments.sequences.split(",") if name.strip()))
        if not sequences:
            raise InputError("--sequences names none: give names separated by commas, or leave it out.")
    options = ProtocolOptions(
        prompts=parse_names(arguments.prompts, PROMPTS, "--prompts"),
        interactive=parse_names(arguments.interactive, tuple(INTERACTIVE), "--interactive"),
        interaction=InteractionOptions(arguments.annotated_frames, arguments.clicks, arguments.iou),
        sequences=sequences,
        predictions=tuple(parse_prediction(text) for text in arguments.predictions),
        keep_masks=arguments.masks,
        images=parse_names(arguments.images, IMAGE_PROMPTS, "--images"),
        num_images=arguments.images_per_object,
    )
    if not (options.prompts or options.interactive or options.images or options.predictions):
        raise InputError("Nothing to evaluate: choose --prompts, --interactive, --images or --predictions.")
    return options


def _summary(rows: Sequence[TableRow]) -> str:
    """Write the means over objects, one line a protocol and number of annotated frames."""
    from napari_sam2_probe.cli.text_table import text_table
    from napari_sam2_probe.evaluation.protocols.table import global_rows

    cells = []
    for mean in global_rows(rows):
        key = (mean.model, mean.protocol, mean.prompt, mean.annotated_frames)
        objects = sum((r.model, r.protocol, r.prompt, r.annotated_frames) == key for r in rows) - 1
        scores = [f"{mean.scores[name]:.3f}" for name in ("J_mean", "F_mean", "JF_mean")]
        cells.append([mean.model, mean.protocol, mean.prompt, str(mean.annotated_frames), str(objects), *scores])
    return text_table(["model", "protocol", "prompt", "annotated", "objects", "J", "F", "J&F"], cells, words=3)
