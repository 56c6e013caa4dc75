"""What the commands do from beginning to end: scores, experiments, reports."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.api.names import unknown
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import ignore_progress
from napari_sam2_probe.common.values import as_path, as_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.experiments.results import ExperimentResults


def evaluate(
    gt: Path | str,
    pred: Path | str,
    *,
    sequences: Sequence[str] = (),
    split: str | None = None,
    threshold: float | None = None,
    progress: ProgressCallback | None = None,
) -> pd.DataFrame:
    """Score predicted masks as the official DAVIS 2017 semi-supervised evaluation does.

    Parameters
    ----------
    gt
        Ground-truth masks, ``gt/<sequence>/%05d.png``, the root of a data set, or one sequence's folder.
    pred
        Predicted masks, laid out alike; or those of one sequence, as an export of a run writes them.
    sequences
        The names of those to score; all if empty.
    split
        The data set's list of those to score, such as ``val``.
    threshold
        For masks of one object with soft edges or of probabilities: the share of full brightness from which on a
        pixel belongs to it.
    progress
        Called with every frame.

    Returns
    -------
    pandas.DataFrame
        One row for each object and a last row ``global``: J and F with mean, recall and decay, and J&F.

    Raises
    ------
    InputError
        If masks are missing, can't be read or have another size.
    """
    import pandas as pd

    from napari_sam2_probe.evaluation.metrics import evaluate_folders

    folders = as_path(gt, "gt"), as_path(pred, "pred")
    scores = evaluate_folders(
        *folders, sequences=sequences, split=split, threshold=threshold, progress=progress or ignore_progress
    )
    return pd.DataFrame(scores.rows())


def experiment(
    davis: Path | str,
    out: Path | str,
    *,
    kinds: str | Sequence[str] | None = None,
    samples: int = 500,
    seed: int = 0,
    model: str | Path | dict[str, Any] = "auto",
    workers: int | None = None,
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    **settings: Any,
) -> ExperimentResults:
    """Make, track, probe and score whole data sets of clips; called again with the same settings, it goes on.

    Parameters
    ----------
    davis
        Clean videos with masks, in the layout of DAVIS.
    out
        The experiment's folder: new, empty, or begun with the same settings.
    kinds
        Kinds of clips; those of the paper if None.
    samples
        Clips of each kind.
    seed
        Decides the bases and all else that is drawn.
    model
        A checkpoint's name or file; or a table with ``checkpoint``, ``config``, ``device``, ``dtype``, ``flags``.
    workers, scheduler
        Processes of this machine, or the address of a Dask scheduler, to track on.
    progress
        Called with every step.
    **settings
        Further settings by the names they have in ``experiment.toml``: ``split``, ``lengths``, ``options``, ``then``,
        ``keep_maps``, ``features``, ``label`` …

    Returns
    -------
    ExperimentResults
        Its tables: ``frames``, ``features``, ``clips``.

    Raises
    ------
    InputError
        If a setting can't be used, or the folder holds something else.
    ResourceError
        If memory or disk don't suffice; what is done is kept.
    """
    from napari_sam2_probe.experiments.config import ExperimentConfig, make_config
    from napari_sam2_probe.experiments.execute import run_experiment

    for name in settings:
        if name not in ExperimentConfig.model_fields:
            raise unknown("setting", name, ExperimentConfig.model_fields)
    if isinstance(model, str | Path):
        model = {} if str(model) == "auto" else {"checkpoint": str(model)}
    elif not isinstance(model, dict):
        raise InputError(
            "An experiment loads its model where it tracks, also in other processes: give the checkpoint's name or "
            "file, such as model='sample'."
        )
    chosen = {} if kinds is None else {"kinds": (kinds,) if isinstance(kinds, str) else tuple(kinds)}
    clean, folder = str(as_path(davis, "davis")), as_path(out, "out")
    config = make_config(davis=clean, samples=samples, seed=seed, model=model, **chosen, **settings)
    return run_experiment(config, folder, workers=workers, scheduler=scheduler, progress=progress or ignore_progress)


def report(
    experiments: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Path:
    """Make every figure and table of one or several experiments, on one page.

    Parameters
    ----------
    experiments
        An experiment's folder or several.
    out
        The folder to make; ``report`` in the experiment's own folder if None. An earlier report there is replaced.
    progress
        Called after every figure.
    **options
        Fields of `napari_sam2_probe.reports.make.ReportOptions`: ``dpi``, ``formats``, ``composites``, ``decoder``,
        ``num_resamples``, ``seed``.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If a folder holds no experiment, or `out` something that is not a report.
    """
    from napari_sam2_probe.reports.make import ReportOptions, make_report

    known = [field.name for field in fields(ReportOptions)]
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
    folders = as_paths(experiments, "experiments")
    if not folders:
        raise InputError("There is no experiment to report on: give the folder of one.")
    if out is None:
        out = folders[0] / "report" if len(folders) == 1 else Path("sam2-probe-report")
    return make_report(folders, as_path(out, "out"), ReportOptions(**options), progress=progress or ignore_progress)


def cka(first: Path | str, second: Path | str, *, kind: str = "clean") -> pd.DataFrame:
    """Compare two models, position by position, on the same frames (linear CKA, unbiased).

    Parameters
    ----------
    first, second
        Experiments of the same clips: made from the same data with the same seed.
    kind
        The kind of clips to compare on.

    Returns
    -------
    pandas.DataFrame
        A row for each pair of positions: kind, position, other_position, cka, low, high, clips, base_sequences.

    Raises
    ------
    InputError
        If one is no experiment or keeps no embeddings, or the two share no clip of this kind.
    """
    from napari_sam2_probe.experiments.results import open_experiment
    from napari_sam2_probe.experiments.similarity import model_similarity

    one, other = (open_experiment(as_path(given, name)) for given, name in ((first, "first"), (second, "second")))
    return model_similarity(one, other, kind)
