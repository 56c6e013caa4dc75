"""``sam2-probe policies``: memory policies compared on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_sam2_probe.evaluation.policies import PolicySummary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    from napari_sam2_probe.cli.model_options import add_model_options
    from napari_sam2_probe.cli.transform import parse_lengths
    from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS

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
    parser.add_argument(
        "--policy",
        action="append",
        dest="policies",
        metavar="NAME[:K=V,...]",
        help="a policy to compare with stock, as of 'sam2-probe run'; may be repeated (default: all)",
    )
    parser.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    parser.add_argument("--sequences", metavar="NAMES", help="take only these, separated by commas (default all)")
    parser.add_argument(
        "--no-interjections",
        action="store_true",
        help="leave out the clips that show how well an object is found again",
    )
    parser.add_argument(
        "--lengths",
        type=parse_lengths,
        default=DEFAULT_LENGTHS,
        metavar="B,I,A",
        help="frames of these clips before, in and after the interjection (default: 12,4,12)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the clips (default: %(default)s)")
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Compare, write the page, and print the means."""
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.evaluation.policies import DEFAULT_POLICIES, PolicyOptions, compare_policies
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.reports.policies import write_policy_report
    from napari_sam2_probe.video.davis import DavisDataset

    names = None
    if arguments.sequences is not None:
        names = tuple(dict.fromkeys(name.strip() for name in arguments.sequences.split(",") if name.strip()))
        if not names:
            raise InputError("--sequences names none: give names separated by commas, or leave it out.")
    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed} can't be used: give a whole number, 0 or larger.")
    options = PolicyOptions(
        tuple(arguments.policies or DEFAULT_POLICIES),
        names,
        not arguments.no_interjections,
        arguments.seed,
        arguments.lengths,
    )
    choice = model_choice(arguments)
    with progress_bars() as progress:
        comparison = compare_policies(
            DavisDataset(arguments.davis, arguments.split),
            arguments.out,
            options,
            lambda: load_model(choice),
            command=arguments.command_line,
            progress=progress,
        )
        page = write_policy_report(comparison, arguments.out)
    print(_summary(comparison.summaries))  # noqa: T201
    print(f"\nThe report is in {page}")  # noqa: T201


def _summary(summaries: Sequence[PolicySummary]) -> str:
    from napari_sam2_probe.cli.text_table import text_table

    rows = [
        [
            summary.policy,
            *(
                "" if estimate.value != estimate.value else f"{estimate.value:.3f}"
                for estimate in (summary.jf, summary.over_stock, summary.gap, summary.suffix_jf)
            ),
            f"{summary.seconds_per_frame:.3f}",
        ]
        for summary in summaries
    ]
    header = ["policy", "J&F", "minus stock", "gap to oracle", "J&F after interjection", "s a frame"]
    return text_table(header, rows, words=1)
