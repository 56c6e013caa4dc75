"""``sam2-probe demo``: the main job on the sample videos, from nothing to a page of figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    from napari_sam2_probe.cli.model_options import add_model_options

    parser.add_argument(
        "--out", type=Path, default=Path("sam2-probe-demo"), metavar="DIR", help="the folder to make (%(default)s)"
    )
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--view", action="store_true", default=None, help="open the result in napari at the end")
    view.add_argument(
        "--no-view", action="store_false", dest="view", help="don't (default: open it where there is a screen)"
    )
    add_model_options(parser)
    parser.set_defaults(checkpoint="sample")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.gui.display import has_napari, has_screen, require_napari
    from napari_sam2_probe.reports.demo import make_demo

    if arguments.view:
        require_napari()
    choice = model_choice(arguments)
    command = f"sam2-probe demo --out {arguments.out.name} --checkpoint {Path(arguments.checkpoint).name}"
    with progress_bars() as progress:
        index = make_demo(arguments.out, lambda: load_model(choice), command=command, progress=progress)
    print(f"The demo is in {index}")  # noqa: T201
    if arguments.view if arguments.view is not None else has_screen() and has_napari():
        _open_runs(arguments.out / "runs")


def _open_runs(folder: Path) -> None:
    from napari_sam2_probe.gui.view import open_runs
    from napari_sam2_probe.reports.demo import PAIRS

    open_runs([folder / f"{PAIRS[0].kind}-seed{PAIRS[0].seed}"])
    import napari

    napari.run()
