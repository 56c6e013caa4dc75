"""``sam2-probe export``: a run's masks, maps, tables, figures and video in the formats of the field."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.runs.run import ProbeRun

_WHAT = ("masks", "maps", "features", "pointers", "boxes", "figures", "video", "run")
_FORMATS = """formats (the first is the default):
  masks      davis (a folder of palette PNG), tiff, coco (JSON with run lengths)
  maps       zarr, tiff (a folder)
  features   csv, parquet
  pointers   csv, parquet
  boxes      csv, parquet
  figures    pdf, svg, png (a folder)
  video      mp4
  run        run (a copy)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    from argparse import RawDescriptionHelpFormatter

    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = _FORMATS
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("--what", required=True, choices=_WHAT, help="what to export")
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="the file or folder to write")
    parser.add_argument("--format", metavar="NAME", help="see below")
    parser.add_argument(
        "--decoder",
        type=Path,
        metavar="FILE",
        help="with boxes: decode the object pointers too (default: the decoder installed for the run's checkpoint, if "
        "it is clearly better than guessing the mean box)",
    )
    parser.add_argument(
        "--video", type=Path, metavar="VIDEO", help="the video, if it doesn't lie any more where the run says"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")


def run(arguments: argparse.Namespace) -> None:
    """Export and print where it is."""
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.decoder.file import load_decoder
    from napari_sam2_probe.export.registry import export_run
    from napari_sam2_probe.runs import open_run
    from napari_sam2_probe.runs.kept_video import at_video

    opened = at_video(open_run(arguments.run_folder), arguments.video)
    decoder = None if arguments.decoder is None else load_decoder(arguments.decoder)
    with progress_bars() as progress:
        out = export_run(
            opened,
            arguments.what,
            arguments.out,
            arguments.format,
            overwrite=arguments.overwrite,
            decoder=decoder,
            progress=progress,
        )
    print(out)  # noqa: T201
    if arguments.what == "boxes" and decoder is None:
        _tell_of_decoder(opened)


def _tell_of_decoder(opened: ProbeRun) -> None:
    """Say why there are no decoded boxes, where there is a decoder."""
    from napari_sam2_probe.decoder.library import find_decoder

    found = find_decoder(opened.info.get("model", {}).get("sha256"))
    if found is not None and found.report is not None and found.report.advice:
        print(f"Boxes of masks alone. {found.report.advice}", file=sys.stderr)  # noqa: T201
