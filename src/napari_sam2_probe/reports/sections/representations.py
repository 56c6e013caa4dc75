"""What positions hold: linear probes, object or context, and how alike they are."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import interval, listing
from napari_sam2_probe.experiments.similarity import SIMILARITY_COLUMNS, model_similarity
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.figures.similarity import make_similarity
from napari_sam2_probe.probe.positions import title_of
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.representations import BOX, TASKS
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure, PageTable
    from napari_sam2_probe.reports.representations import Representations
    from napari_sam2_probe.reports.subject import Subject


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw what positions hold."""
    shown = [(subject, subject.representations) for subject in subjects if subject.has_features]
    missing = tuple(
        f"{subject.name}: no linear probes, object or context, and CKA, since it keeps no embeddings (made by an "
        "earlier version, or with --no-embeddings); make it again in a new folder."
        for subject, found in shown
        if found.is_empty
    )
    shown = [(subject, found) for subject, found in shown if not found.is_empty]
    if not shown:
        return Part(None, missing)
    figures: list[PageFigure] = []
    for subject, found in shown:
        if found.probes:
            figures.append(_probes(subject, found, folder))
        if found.shares:
            figures.append(_shares(subject, found, folder))
        if found.alike:
            figures.append(_alike(subject, found, folder))
    tables = [folder.table(_probe_table(shown))]
    if any(found.shares for _, found in shown):
        tables.append(folder.table(_share_table(shown)))
    if any(found.alike for _, found in shown):
        tables.append(_alike_table(shown, folder))
    between = _between_table([subject for subject, _ in shown])
    if between is not None:
        tables.append(folder.table(between))
    sentences = (
        "Linear probes say what can be read off a position with weights alone: ridge regression on the mean embedding "
        "of the frame (object present), on single tokens (token in mask, look-alikes), or on a 4 × 4 grid or the "
        "vector (box), judged on clips that share no sequence with those it was fitted to. Beside each stands the same "
        "probe with labels shuffled by clip; only what lies above it is in the embedding. What random weights already "
        "allow is seen from an experiment with an untrained model, reported beside this one.",
        "Object or context: the mean over channels of the correlation over pairs of clips that share the object "
        "(clean, context removed) and over pairs that share the context (clean, another object pasted in, which is "
        "then tracked). The share of the object is the first over the sum of both.",
        "CKA (linear, unbiased) says how alike two positions are over the same clips, up to rotation and scale. At "
        f"most 100 clips of each kind are used here. Kinds: {listing([kind_label(k).lower() for k in _kinds(shown)])}.",
    )
    headlines = tuple(_headline(subject, found, several=len(shown) > 1) for subject, found in shown if found.shares)
    return Part(Section("What positions hold", sentences, tuple(figures), tuple(tables)), missing, headlines)


def share_sentence(found: Representations) -> str:
    """Describe where the positions turn from context to object."""
    known = [
        (position, found.shares[position].object_share) for position in found.positions if position in found.shares
    ]
    said = [f"{position}: {_cell(share)}" for position, share in known if np.isfinite(share.value)]
    if not said:
        return "Whether positions speak of object or context can't be told: there are too few pairs of clips."
    object_first = [p for p, share in known if share.low > 0.5 and share.num_groups >= LEAST_GROUPS]
    context_first = [p for p, share in known if share.high < 0.5 and share.num_groups >= LEAST_GROUPS]
    sentence = f"Share of the object against the context, by position ({'; '.join(said)})."
    if object_first:
        sentence += f" More of the object than of the context: {listing(object_first)}."
    if context_first:
        sentence += f" More of the context: {listing(context_first)}."
    fewest = min(share.num_groups for _, share in known)
    if fewest < LEAST_GROUPS:
        sentence += f" Too few source sequences to tell which is more ({fewest})."
    return sentence


def _headline(subject: Subject, found: Representations, *, several: bool) -> str:
    return f"{subject.name}: {share_sentence(found)}" if several else share_sentence(found)


def _kinds(shown: Sequence[tuple[Subject, Representations]]) -> list[str]:
    tasks = {task for _, found in shown for task, _ in found.probes}
    return list(dict.fromkeys(kind for task, kind in TASKS.items() if task in tasks))


def _rows(found: Representations) -> tuple[str, ...]:
    return tuple(f"{position}: {title_of(position)}" for position in found.positions)


def _dots(label: str, estimates: Sequence[Estimate | None], look: tuple[str, str]) -> Dots:
    columns = np.array([(e.value, e.low, e.high) if e is not None else (np.nan,) * 3 for e in estimates], np.float64)
    return Dots(label, columns[:, 0], columns[:, 1], columns[:, 2], look)


def _probes(subject: Subject, found: Representations, folder: ReportFolder) -> PageFigure:
    panels = []
    for task in TASKS:
        scores = [found.probes.get((task, position)) for position in found.positions]
        if not any(scores):
            continue
        dots = [
            _dots("probe", [None if s is None else s.value for s in scores], SERIES_LOOKS[0]),
            _dots("labels shuffled by clip", [None if s is None else s.shuffled for s in scores], SERIES_LOOKS[5]),
        ]
        if task == BOX:
            dots.append(_dots("mean box", [found.mean_box.get(p) for p in found.positions], SERIES_LOOKS[1]))
        axis = "Mean IoU" if task == BOX else "AUROC"
        panels.append(
            DotPanel(task.capitalize(), _rows(found), tuple(dots), axis, (-0.02, 1.02), None if task == BOX else 0.5)
        )
    return folder.figure(
        subject.file("linear-probes"),
        subject.title("What can be read off each position"),
        _probes_caption(found),
        make_dots(panels),
        _probe_data([(subject, found)]),
        group="linear-probes",
    )


def _probes_caption(found: Representations) -> str:
    sentences = []
    for task in TASKS:
        scores = {p: found.probes[task, p] for p in found.positions if (task, p) in found.probes}
        chance = -np.inf if task == BOX else 0.5
        selective = [p for p, s in scores.items() if s.selectivity.low > 0 and s.value.low > chance]
        asked = [p for p in found.positions if (task, p) in found.probes]
        if not asked:
            continue
        above = "the shuffled labels" if task == BOX else "chance and the shuffled labels"
        where = f"at {listing(selective)}" if selective else "nowhere"
        sentences.append(f"{task.capitalize()}: above {above} {where} (of {listing(asked)}).")
    return " ".join(sentences)


def _shares(subject: Subject, found: Representations, folder: ReportFolder) -> PageFigure:
    shares = [found.shares.get(position) for position in found.positions]
    panels = (
        DotPanel(
            "What pairs of clips have in common",
            _rows(found),
            (
                _dots(
                    "pairs that share the object",
                    [None if s is None else s.same_object for s in shares],
                    SERIES_LOOKS[0],
                ),
                _dots(
                    "pairs that share the context",
                    [None if s is None else s.same_context for s in shares],
                    SERIES_LOOKS[1],
                ),
            ),
            "Mean correlation of channels",
        ),
        DotPanel(
            "Object or context",
            _rows(found),
            (_dots("share of the object", [None if s is None else s.object_share for s in shares], SERIES_LOOKS[3]),),
            "Share of the object",
            (-0.02, 1.02),
            0.5,
        ),
    )
    return folder.figure(
        subject.file("object-or-context"),
        subject.title("Object or context"),
        share_sentence(found),
        make_dots(panels),
        _share_data([(subject, found)]),
        group="object-or-context",
    )


def _alike(subject: Subject, found: Representations, folder: ReportFolder) -> PageFigure:
    number = len(found.positions)
    matrix = np.eye(number)
    for row, a in enumerate(found.positions):
        for column, b in enumerate(found.positions):
            if (a, b) in found.alike:
                matrix[row, column] = matrix[column, row] = found.alike[a, b].value
    kinds = list(dict.fromkeys(kind for kind, _ in found.kept))
    timelines = {
        kind: {p: found.kept[kind, p] for p in found.positions if np.isfinite(found.kept[kind, p]).any()}
        for kind in kinds
    }
    last = subject.results.lengths[0] - 1
    return folder.figure(
        subject.file("cka"),
        subject.title("How alike positions and frames are"),
        "Left: CKA between positions over clean clips, mean over frames. Right: CKA between each frame and frame "
        f"{last}, the last before the change, over clips; it rests on as many things as there are clips, so with few "
        "it is rough.",
        make_similarity(
            found.positions,
            matrix,
            {kind: lines for kind, lines in timelines.items() if lines},
            labels={kind: kind_label(kind) for kind in kinds},
            interjection=subject.interjection,
        ),
        _kept_data(found),
        group="cka",
    )


def _probe_table(shown: Sequence[tuple[Subject, Representations]]) -> ReportTable:
    rows = []
    for subject, found in shown:
        for task in TASKS:
            for position in found.positions:
                score = found.probes.get((task, position))
                if score is None:
                    continue
                mean = found.mean_box.get(position) if task == BOX else None
                cells = [_cell(e) for e in (score.value, score.shuffled, score.selectivity)]
                trained = "" if subject.results.trained else " (RANDOM WEIGHTS)"
                rows.append(
                    (subject.name, task + trained, position, *cells, _cell(mean) if mean else "–", str(score.clips))
                )
    return ReportTable(
        "linear-probes",
        "Linear probes",
        "AUROC; for boxes mean IoU. Selectivity is the difference to the same probe with labels shuffled by clip. "
        "[95 % interval, bootstrap over source sequences]",
        ("Experiment", "Probed for", "Position", "Probe", "Shuffled", "Selectivity", "Mean box", "Clips"),
        tuple(rows),
        _probe_data(shown),
        text_columns=3,
    )


def _probe_data(shown: Sequence[tuple[Subject, Representations]]) -> pd.DataFrame:
    import pandas as pd

    data = []
    for subject, found in shown:
        for (task, position), score in found.probes.items():
            row: dict[str, object] = {"experiment": subject.name, "trained": subject.results.trained, "task": task}
            row |= {"kind": TASKS[task], "position": position, "rows": score.rows, "clips": score.clips}
            row |= _numbers(value=score.value, shuffled=score.shuffled, selectivity=score.selectivity)
            if task == BOX:
                row |= _numbers(mean_box=found.mean_box[position])
            data.append(row)
    return pd.DataFrame(data)


def _share_table(shown: Sequence[tuple[Subject, Representations]]) -> ReportTable:
    rows = tuple(
        (
            subject.name,
            position,
            *(_cell(e) for e in (share.same_object, share.same_context, share.object_share)),
            f"{share.pairs[0]}, {share.pairs[1]}",
        )
        for subject, found in shown
        for position, share in found.shares.items()
    )
    return ReportTable(
        "object-or-context",
        "Object or context",
        "Mean over channels of the correlation over pairs of clips, and the share of the object in the sum of both. "
        "[95 % interval, bootstrap over source sequences]",
        ("Experiment", "Position", "Same object", "Same context", "Share of the object", "Pairs"),
        rows,
        _share_data(shown),
        text_columns=2,
    )


def _share_data(shown: Sequence[tuple[Subject, Representations]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {"experiment": subject.name, "position": position, "pairs": share.pairs[0], "context_pairs": share.pairs[1]}
            | _numbers(same_object=share.same_object, same_context=share.same_context, object_share=share.object_share)
            for subject, found in shown
            for position, share in found.shares.items()
        ]
    )


def _alike_table(shown: Sequence[tuple[Subject, Representations]], folder: ReportFolder) -> PageTable:
    import pandas as pd

    rows, data = [], []
    for subject, found in shown:
        for (a, b), estimate in found.alike.items():
            rows.append((subject.name, a, b, _cell(estimate)))
            data.append({"experiment": subject.name, "position": a, "other": b} | _numbers(cka=estimate))
    return folder.table(
        ReportTable(
            "cka",
            "Linear CKA between positions",
            "Unbiased, over clean clips, mean over frames. [95 % interval, jackknife over source sequences]",
            ("Experiment", "Position", "Other", "CKA"),
            tuple(rows),
            pd.DataFrame(data),
            text_columns=3,
        )
    )


def _between_table(subjects: Sequence[Subject]) -> ReportTable | None:
    """Return how alike the positions of different experiments are; None where no two are of the same clips."""
    import pandas as pd

    parts = []
    for first, second in combinations(subjects, 2):
        try:
            found = model_similarity(first.results, second.results)
        except InputError:
            continue
        parts.append(found.assign(experiment=first.name, other_experiment=second.name))
    if not parts:
        return None
    data = pd.concat(parts, ignore_index=True)
    rows = tuple(
        (
            row["experiment"],
            row["position"],
            row["other_experiment"],
            row["other_position"],
            interval(row["cka"], row["low"], row["high"]),
            str(row["clips"]),
        )
        for row in data.to_dict("records")
    )
    return ReportTable(
        "cka-models",
        "Linear CKA between experiments",
        "Unbiased, over the clean clips that two experiments share, mean over frames. [95 % interval, jackknife over "
        "source sequences]",
        # Not the column that is left out where there is one experiment.
        ("One", "Position", "Other", "Position there", "CKA", "Clips"),
        rows,
        data[["experiment", "other_experiment", *SIMILARITY_COLUMNS]],
        text_columns=4,
    )


def _kept_data(found: Representations) -> pd.DataFrame:
    import pandas as pd

    parts = [
        pd.DataFrame({"kind": kind, "position": position, "frame": np.arange(len(line)), "cka": line})
        for (kind, position), line in found.kept.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _numbers(**estimates: Estimate) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, estimate in estimates.items():
        numbers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return numbers


def _cell(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
