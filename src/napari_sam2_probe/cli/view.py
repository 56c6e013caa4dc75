"""``sam2-probe view``: open probe runs in napari, or save a picture of its window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN|DIR", help="a run, or a folder that holds runs")
    parser.add_argument(
        "--video", type=Path, metavar="VIDEO", help="the video of the runs, if it doesn't lie any more where they say"
    )
    parser.add_argument(
        "--screenshot", type=Path, metavar="PNG", help="save a picture of the window instead of opening it"
    )


def run(arguments: argparse.Namespace) -> None:
    """Open the runs and return when the window is closed, or save the picture."""
    from napari_sam2_probe.gui.display import require_napari

    require_napari()
    from napari_sam2_probe.gui.view import open_runs, save_screenshot

    if arguments.screenshot is not None:
        save_screenshot(arguments.runs, arguments.screenshot, video=arguments.video)
        print(arguments.screenshot)  # noqa: T201
        return
    open_runs(arguments.runs, video=arguments.video)
    import napari

    napari.run()
