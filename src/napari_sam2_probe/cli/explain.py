"""``sam2-probe explain``: what caused a frame's mask, or what a twin's tensors bring back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    import pandas as pd

    from napari_sam2_probe.runs.run import ProbeRun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run, whose video and weights are still there")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--frame", type=int, metavar="N", help="the frame to explain, one that was tracked from memory")
    which.add_argument("--frames", metavar="A:B", help="all tracked frames from A to B, B included")
    which.add_argument(
        "--twin",
        type=Path,
        metavar="TWIN_RUN",
        help="instead of one frame: the run of the same clip without the change, whose tensors are put in, position by "
        "position and frame by frame",
    )
    parser.add_argument("--object", type=int, metavar="K", help="the object (default: the run's only one)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where tables and figures go (default: RUN)")
    parser.add_argument(
        "--checkpoint", metavar="NAME|FILE", help="the weights, if they don't lie any more where the run says"
    )
    parser.add_argument(
        "--video", type=Path, metavar="VIDEO", help="the video, if it doesn't lie any more where the run says"
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    (_blame if arguments.twin is None else _patches)(arguments)


def _opened(arguments: argparse.Namespace) -> tuple[ProbeRun, int]:
    """Return the run, with its video where that lies now, and the object."""
    from napari_sam2_probe.runs.banks import the_object
    from napari_sam2_probe.runs.kept_video import at_video
    from napari_sam2_probe.runs.reader import open_run

    probe_run = at_video(open_run(arguments.run_folder), arguments.video)
    return probe_run, the_object(probe_run, arguments.object)


def _blame(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.causes.explain import BLAME, explain_frames
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.files import atomic_path
    from napari_sam2_probe.figures.blame import make_blame
    from napari_sam2_probe.figures.style import save_figure
    from napari_sam2_probe.runs.place import os_errors_as_sentences
    from napari_sam2_probe.runs.recorded import load_recorded_model

    probe_run, object_id = _opened(arguments)
    frames = _frames(arguments, probe_run, object_id)
    loaded = load_recorded_model(probe_run, arguments.checkpoint)
    with progress_bars() as progress:
        table = explain_frames(probe_run, frames, object_id, model=loaded, progress=progress)
    out = arguments.out or arguments.run_folder
    with os_errors_as_sentences(out, "table"):
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(out / BLAME) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        for frame in frames:
            save_figure(make_blame(table[table["frame"] == frame]), out / f"blame-{frame:05d}.png")
    for frame in frames:
        print(f"Frame {frame}, object {object_id}:\n{_text(table[table['frame'] == frame])}\n")  # noqa: T201
    print(f"Each row says what changes if it is not read; the table is in {out / BLAME}, with a figure beside it.")  # noqa: T201


def _patches(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.causes.of_runs import patch_runs
    from napari_sam2_probe.causes.patches import PATCHES
    from napari_sam2_probe.causes.tables import PATCHED_POSITIONS
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.files import atomic_path
    from napari_sam2_probe.figures.causes import make_recovery
    from napari_sam2_probe.figures.style import save_figure
    from napari_sam2_probe.runs.place import os_errors_as_sentences
    from napari_sam2_probe.runs.reader import open_run
    from napari_sam2_probe.runs.recorded import load_recorded_model

    probe_run, object_id = _opened(arguments)
    twin = open_run(arguments.twin)
    loaded = load_recorded_model(probe_run, arguments.checkpoint)
    with progress_bars() as progress:
        table = patch_runs(probe_run, twin, object_id, model=loaded, progress=progress)
    out = arguments.out or arguments.run_folder
    with os_errors_as_sentences(out, "table"):
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(out / PATCHES) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        if len(table):
            figure = make_recovery(table.assign(kind=""), ("object_score", "J"), range(0), rows=PATCHED_POSITIONS)
            save_figure(figure, out / "patches.png")
    print(f"Object {object_id}, of {arguments.twin} in {arguments.run_folder}:\n{_recovery_text(table)}\n")  # noqa: T201
    print(  # noqa: T201
        "0: nothing comes back, 1: all does; only frames on which the two differ by 1 logit or 0.05 (J, predicted IoU) "
        f"count. The table is in {out / PATCHES}, with a figure beside it."
    )


def _recovery_text(table: pd.DataFrame) -> str:
    from napari_sam2_probe.cli.text_table import text_table
    from napari_sam2_probe.probe.positions import title_of

    rows = []
    for (position, measure), part in table.groupby(["position", "measure"], sort=False):
        known = part["recovered"].dropna()
        numbers = [f"{known.median():.2f}", f"{known.min():.2f}", f"{known.max():.2f}"] if len(known) else [""] * 3
        rows.append((f"{position}: {title_of(str(position))}", str(measure), *numbers, str(len(known))))
    return text_table(("position", "measure", "median", "least", "most", "frames"), rows, words=2)


def _frames(arguments: argparse.Namespace, probe_run: ProbeRun, object_id: int) -> list[int]:
    from napari_sam2_probe.causes.explain import explainable
    from napari_sam2_probe.common.errors import InputError

    if arguments.frames is None:
        return [arguments.frame]
    first, _, last = arguments.frames.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < probe_run.num_frames):
        raise InputError(
            f"--frames {arguments.frames} can't be used: give A:B with frames from 0 to {probe_run.num_frames - 1}."
        )
    return explainable(probe_run, range(int(first), int(last) + 1), object_id)


def _text(table: pd.DataFrame) -> str:
    from napari_sam2_probe.cli.text_table import text_table

    numbers = ("attention", "delta_iou", "delta_j", "delta_score", "delta_pointer")
    whole = table[["entry_frame", "age"]].astype("string").fillna("").to_numpy()
    values = table[list(numbers)].to_numpy(float)
    rows = [
        (kind, role, *map(str, ints), *("" if value != value else f"{round(value, 3) + 0.0:.3f}" for value in floats))
        for kind, role, ints, floats in zip(table["kind"], table["role"], whole, values, strict=True)
    ]
    header = ("kind", "role", "frame", "age", *numbers)
    return text_table(header, rows, words=2, last=int(table["entry_frame"].isna().sum()))
