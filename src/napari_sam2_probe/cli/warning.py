"""``sam2-probe warning``: tell from what runs record whether SAM 2 is about to lose the object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the three actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fit = actions.add_parser("fit", help="fit one to experiments, whose true masks are known")
    fit.add_argument("experiments", type=Path, nargs="+", metavar="EXPERIMENT", help="made with one and the same model")
    fit.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the .json file to write (default: your own folder, where runs of the same checkpoint find it)",
    )
    fit.add_argument("--install", action="store_true", help="with --out: put it into your own folder too")
    fit.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    fit.add_argument("--seed", type=int, default=0, help="of folds and intervals (default 0)")
    show = actions.add_parser("show", help="show what a warning was fitted to and what it is worth")
    show.add_argument("file", type=Path, metavar="FILE")
    apply = actions.add_parser("apply", help="name the doubtful frames of a run")
    apply.add_argument("run_folder", type=Path, metavar="RUN")
    apply.add_argument("--warning", type=Path, metavar="FILE", help="default: the one that belongs to the checkpoint")
    apply.add_argument("--ahead", type=int, default=5, metavar="K", help="frames to look ahead (default 5)")
    apply.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="a frame is doubtful from here on (default 0.5)"
    )
    apply.add_argument("--out", type=Path, metavar="CSV", help="write the probability of every frame to this file")


def run(arguments: argparse.Namespace) -> None:
    """Do what was asked."""
    if arguments.action == "show":
        from napari_sam2_probe.analysis.loss_warning_file import load_warning

        print(load_warning(arguments.file))  # noqa: T201
    elif arguments.action == "fit":
        _fit(arguments)
    else:
        _apply(arguments)


def _fit(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.analysis.loss_warning import WarningOptions
    from napari_sam2_probe.analysis.loss_warning_file import save_warning
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.experiments.loss_frames import fit_to_experiments
    from napari_sam2_probe.experiments.results import open_experiment
    from napari_sam2_probe.runs.loss import install_warning

    out: Path | None = arguments.out
    if out is not None:
        _check_out(out, ".json")
        if out.exists() and not arguments.overwrite:
            raise InputError(f"{out} exists already: choose another name, or allow it to be replaced with --overwrite.")
    if not 0 <= arguments.seed < 2**32:
        raise InputError(f"--seed {arguments.seed} can't be used: give a whole number from 0 to {2**32 - 1}.")
    opened = [open_experiment(path) for path in arguments.experiments]
    warning = fit_to_experiments(opened, WarningOptions(seed=arguments.seed))
    written = []
    if out is not None:
        save_warning(warning, out)
        written.append(out)
    if out is None or arguments.install:
        written.append(install_warning(warning))
    print(warning)  # noqa: T201
    print(f"\nWrote {' and '.join(map(str, written))}.")  # noqa: T201


def _apply(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.common.files import atomic_path
    from napari_sam2_probe.runs.loss import doubtful_stretches, loss_probability, loss_table, warning_for
    from napari_sam2_probe.runs.reader import open_run

    if not 0 < arguments.threshold < 1:
        raise InputError(f"--threshold {arguments.threshold:g}: give a probability between 0 and 1.")
    if arguments.out is not None:
        _check_out(arguments.out, ".csv")
    opened = open_run(arguments.run_folder)
    warning = warning_for(opened, arguments.warning)
    for index, object_id in enumerate(opened.object_ids):
        probability = loss_probability(opened, warning, arguments.ahead, index)
        stretches = doubtful_stretches(probability, arguments.threshold)
        said = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in stretches) or "none"
        print(f"object {object_id}: doubtful frames (loss within {arguments.ahead}): {said}")  # noqa: T201
    if arguments.out is not None:
        with atomic_path(arguments.out) as temporary:
            loss_table(opened, warning).to_csv(temporary, index=False, lineterminator="\n")
        print(f"Wrote {arguments.out}.")  # noqa: T201


def _check_out(out: Path, suffix: str) -> None:
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.common.files import check_file
    from napari_sam2_probe.common.paths import check_name

    check_name(out)
    if out.is_dir() or out.suffix.lower() != suffix:
        raise InputError(f"--out {out}: give the name of a {suffix} file.")
    check_file(out)
