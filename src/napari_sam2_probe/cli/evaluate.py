"""``sam2-probe evaluate``: score predicted masks as the official DAVIS evaluation does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.evaluation.metrics import DatasetScores, SeenUnseen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--gt",
        type=Path,
        required=True,
        metavar="DIR",
        help="ground-truth masks, DIR/<sequence>/%%05d.png, a DAVIS root, or one sequence's folder",
    )
    parser.add_argument(
        "--pred",
        type=Path,
        required=True,
        metavar="DIR",
        help="predicted masks, DIR/<sequence>/%%05d.png; or of one sequence, DIR/%%05d.png, as export writes them",
    )
    parser.add_argument("--sequences", nargs="+", default=(), metavar="NAME", help="score these alone (default: all)")
    parser.add_argument("--split", metavar="NAME", help="score those of the data set's list, such as val")
    parser.add_argument(
        "--mask-threshold",
        type=float,
        metavar="SHARE",
        help="masks are of one object, of pixels at least as bright: for soft edges and probabilities, such as 0.5",
    )
    parser.add_argument(
        "--meta",
        type=Path,
        nargs=2,
        metavar=("JSON", "TRAIN_JSON"),
        help="the meta.json of this split and of the training set (YouTube-VOS): also score objects of seen and unseen "
        "categories",
    )
    parser.add_argument("--out", type=Path, metavar="CSV", help="also write the scores to this file")


def run(arguments: argparse.Namespace) -> None:
    """Score, print a table, and write the scores where asked."""
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.common.files import check_file
    from napari_sam2_probe.common.paths import check_name
    from napari_sam2_probe.evaluation.metrics import evaluate_folders, seen_unseen

    out: Path | None = arguments.out
    if out is not None:
        check_name(out)
    if out is not None and out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of a CSV file.")
    if out is not None:
        check_file(out)
    with progress_bars() as progress:
        scores = evaluate_folders(
            arguments.gt,
            arguments.pred,
            sequences=arguments.sequences,
            split=arguments.split,
            threshold=arguments.mask_threshold,
            progress=progress,
        )
    print(_table(scores))  # noqa: T201
    if arguments.meta is not None:
        print("\n" + _seen_unseen(seen_unseen(scores, *arguments.meta)))  # noqa: T201
    if out is not None:
        scores.write_csv(out)
        print(f"\nWrote {out}.")  # noqa: T201


def _table(scores: DatasetScores) -> str:
    from napari_sam2_probe.cli.text_table import text_table

    rows = scores.rows()
    header = [name.replace("_", " ") for name in rows[0]]
    return text_table(header, [[_cell(value) for value in row.values()] for row in rows], words=1, last=1)


def _seen_unseen(found: SeenUnseen) -> str:
    from napari_sam2_probe.common.words import count, number

    parts = (
        ("seen", found.num_seen, found.region_seen, found.boundary_seen),
        ("unseen", found.num_unseen, found.region_unseen, found.boundary_unseen),
    )
    lines = [f"{name}: J {number(j, 4)}, F {number(f, 4)} ({count(n, 'object')})" for name, n, j, f in parts]
    return "\n".join([*lines, f"overall (mean of the four): {number(found.overall, 4)}"])


def _cell(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
