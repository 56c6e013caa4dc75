"""``sam2-probe report``: every figure and table of one or of several experiments, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="an experiment, a folder of them, or results of protocols"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder to make (default: DIR/report for a single DIR, else sam2-probe-report)",
    )
    parser.add_argument(
        "--composites",
        choices=("auto", "always", "never"),
        default="auto",
        help="probe the example clips again for figures 7, 8, 11 and 12 where the experiment kept no maps "
        "(default: auto, where that takes less than two minutes)",
    )
    parser.add_argument("--decoder", type=Path, metavar="FILE", help="the box decoder (default: the checkpoint's own)")
    parser.add_argument("--dpi", type=int, default=200, help="pixels per inch of pictures (default: %(default)s)")
    parser.add_argument(
        "--formats",
        default="pdf,svg",
        metavar="NAMES",
        help="formats of every figure besides PNG (default: %(default)s; '' for none)",
    )
    parser.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="bootstrap resamples (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Make the report and print where it is."""
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.reports.make import ReportOptions, make_report

    formats = tuple(name.strip().lower() for name in arguments.formats.split(",") if name.strip())
    foreign = [name for name in formats if name not in ("png", "pdf", "svg")]
    if foreign:
        raise InputError(f"--formats {foreign[0]} can't be written: name some of png, pdf and svg.")
    for name, value, least in (("--dpi", arguments.dpi, 20), ("--resamples", arguments.resamples, 10)):
        if not least <= value <= 100_000:
            raise InputError(f"{name} {value} can't be used: give a number from {least} to 100000.")
    out = arguments.out
    if out is None:
        single = len(arguments.folders) == 1
        out = arguments.folders[0] / "report" if single else Path("sam2-probe-report")
    options = ReportOptions(
        dpi=arguments.dpi,
        formats=formats,
        composites=arguments.composites,
        decoder=arguments.decoder,
        num_resamples=arguments.resamples,
    )
    with progress_bars() as progress:
        index = make_report(arguments.folders, out, options, command=arguments.command_line, progress=progress)
    print(f"The report is in {index}")  # noqa: T201
