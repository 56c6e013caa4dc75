"""What caused the masks: attention and effect by age, pointers against memories, the change's memory, patches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.analysis.causes import (
    MATTERS,
    CauseOptions,
    attention_against_cause,
    by_age,
    edit_difference,
    groups_after_change,
    oldest_that_matters,
    recovery,
    suffix_table,
)
from napari_sam2_probe.common.words import count, interval, number
from napari_sam2_probe.figures.blame import GROUP_LABELS
from napari_sam2_probe.figures.causes import MEASURE_LABELS, make_by_age, make_recovery
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.probe.positions import title_of
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

_SAME_J = 0.005
"""J within this is called the same."""

_SHOWN_MEASURES = ("object_score", "J")


@dataclass(frozen=True)
class _Causes:
    """The tables of one experiment, and what is computed from them once."""

    subject: Subject
    blame: pd.DataFrame
    patches: pd.DataFrame
    suffix: pd.DataFrame

    @classmethod
    def of(cls, subject: Subject) -> _Causes:
        tables = [subject.results.causes(name) for name in ("blame", "patches", "suffix")]
        return cls(subject, *tables)

    @property
    def options(self) -> CauseOptions:
        return CauseOptions(self.subject.num_resamples, self.subject.seed)

    @property
    def change(self) -> range:
        prefix, interjection, _ = self.subject.results.lengths
        return range(prefix, prefix + interjection)

    @property
    def num_clips(self) -> int:
        return int(self.blame["clip"].nunique())

    @cached_property
    def ages(self) -> pd.DataFrame:
        return by_age(self.blame, self.options)

    @cached_property
    def suffix_table(self) -> pd.DataFrame:
        return suffix_table(self.suffix, self.options)

    @cached_property
    def correlations(self) -> dict[str, tuple[Estimate, int]]:
        return attention_against_cause(self.blame, self.options)


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Show what causes of masks were found, where they were looked for (``sam2-probe experiment --causes``)."""
    asked = [subject for subject in subjects if subject.results.config.causes]
    found = [causes for subject in asked if len((causes := _Causes.of(subject)).blame)]
    if not found:
        missing = [f"{subject.name}: no clip's causes are known yet; go on with the experiment." for subject in asked]
        if not asked and any(subject.results.has_model for subject in subjects):
            missing.append(
                "What caused the masks was not looked for: run the experiment again with --causes, then make the "
                "report again."
            )
        return Part(None, tuple(missing))
    figures: list[PageFigure] = []
    tables = []
    missing = []
    for causes in found:
        figures.append(_age_figure(causes, folder))
        if len(causes.suffix_table):
            figures.append(_suffix_figure(causes, folder))
        if len(causes.patches):
            figures.append(_recovery_figure(causes, folder))
        else:
            missing.append(
                f"{causes.subject.name}: no patches, since no kind is among the kinds together with the one that shows "
                "the same without the change."
            )
    tables.append(folder.table(_questions(found)))
    tables.append(folder.table(_group_rows(found)))
    tables.append(folder.table(_suffix_rows(found)))
    tables.append(folder.table(_recovery_rows(found)))
    sentences = (
        "The paper watches positions and can only suspect; here something is changed. An entry of memory is not read, "
        "or a tensor is that of the twin without the change, and everything else is computed as it was. Single entries "
        "are dropped one at a time on a few frames of each clip; what stands in for one another may then seem to "
        "matter little, so groups are dropped too.",
        "Each number is a mean over clips of each clip's mean. 95 % intervals are by bootstrap over source sequences, "
        "and where clips have footage of one other sequence, over both.",
    )
    several = len(found) > 1
    suspicions = tuple(sentence for causes in found for sentence in _suspicions(causes, several=several))
    headlines = tuple(_headline(causes, several=several) for causes in found)
    return Part(
        Section("Causes", (*sentences, *suspicions), tuple(figures), tuple(t for t in tables if len(t.rows))),
        tuple(missing),
        (*headlines, *suspicions),
    )


def _suspicions(causes: _Causes, *, several: bool) -> list[str]:
    """Describe which of the paper's suspicions hold for this model, as far as clips with an interjection tell."""
    rows = _rows_of(causes, "interjection")
    prefix = f"{causes.subject.name}: " if several else ""
    said = []
    for edit, suspicion, what, agrees_below in (
        (
            "nothing of the change",
            "The paper suspects that an interjection that is written into memory lowers re-identification",
            "without its memories and pointers",
            False,
        ),
        (
            "no pointers",
            "The paper suspects that object pointers of earlier frames help to keep to the object",
            "without any pointer",
            True,
        ),
    ):
        if edit not in rows:
            continue
        estimate, clips = _estimate(rows[edit]), int(rows[edit]["num_clips"])
        outcomes = ("it agrees", "it disagrees") if not agrees_below else ("it disagrees", "it agrees")
        verdict = _verdict(estimate, *outcomes, "it can't be told, since the interval holds 0")
        said.append(
            f"{prefix}{suspicion}. For this model, J after an interjection changes {what} by "
            f"{interval(estimate.value, estimate.low, estimate.high, 3)} over {count(clips, 'clip')}: "
            f"{verdict[0].lower()}{verdict[1:].removesuffix('.')}."
        )
    return said


# Questions, each with its number.


@dataclass(frozen=True)
class _Answer:
    """A question of the report with its number and one sentence that claims no more than it."""

    question: str
    kind: str
    estimate: Estimate
    num_clips: int
    sentence: str


def _answers(causes: _Causes) -> list[_Answer]:
    answers = [_attention_answer(causes, name) for name in causes.correlations]
    for kind in dict.fromkeys(causes.suffix["kind"]):
        answers += _suffix_answers(causes, kind)
    return answers


def _attention_answer(causes: _Causes, name: str) -> _Answer:
    what = {"all": "all entries", "memory": "memories alone", "pointer": "pointers alone"}[name]
    estimate, num_clips = causes.correlations[name]
    verdicts = (
        "What is attended to more changes the mask more when it is dropped alone.",
        "What is attended to more changes the mask less when it is dropped alone.",
        "Whether attention tells cause is open.",
    )
    question = f"Does attention tell cause ({what})? Rank correlation of share and change of the mask"
    return _Answer(question, "all", estimate, num_clips, _verdict(estimate, *verdicts))


def _suffix_answers(causes: _Causes, kind: str) -> list[_Answer]:
    questions = (
        (
            "Pointers or memories in re-identification: J after the change without pointers, minus without memories",
            ("no memories", "no pointers"),
            (
                "After the change memories carry more of J than pointers do.",
                "After the change pointers carry more of J than memories do.",
                "Which of the two carries more of J after the change is open.",
            ),
        ),
    )
    answers = []
    for question, edits, verdicts in questions:
        estimate, num_clips = edit_difference(causes.suffix, kind, edits, causes.options)
        answers.append(_Answer(question, kind, estimate, num_clips, _verdict(estimate, *verdicts)))
    harms = (
        ("nothing of the change", "Does the change's own memory harm? J after it without its memories and pointers"),
        ("no memories of the change", "The same, its memories alone"),
        ("no pointers of the change", "The same, its pointers alone"),
        ("no pointers", "J after the change without any pointer"),
        ("no memories", "J after the change without any memory"),
        ("nothing prompted", "J after the change without the prompted frame"),
        ("nothing recent", "J after the change without recent frames"),
    )
    rows = _rows_of(causes, kind)
    for edit, question in harms:
        if edit not in rows:
            continue
        row = rows[edit]
        estimate = _estimate(row)
        verdicts = (
            "Left out, J is higher: it harms.",
            "Left out, J is lower: it helps.",
            "The interval holds 0: whether it harms or helps is open.",
        )
        answers.append(
            _Answer(
                f"{question}, minus as it was", kind, estimate, int(row["num_clips"]), _verdict(estimate, *verdicts)
            )
        )
    return answers


def _rows_of(causes: _Causes, kind: str) -> dict[str, pd.Series]:
    table = causes.suffix_table
    return {str(row["edit"]): row for _, row in table[table["kind"] == kind].iterrows()}


def _estimate(row: pd.Series) -> Estimate:
    from napari_sam2_probe.analysis.bootstrap import Estimate

    return Estimate(
        float(row["delta_j"]), float(row["delta_j_low"]), float(row["delta_j_high"]), int(row["num_sequences"])
    )


def _verdict(estimate: Estimate, above: str, below: str, neither: str) -> str:
    if not estimate.low <= estimate.high:
        return "Too little to tell."
    if estimate.num_groups < LEAST_GROUPS:
        return f"Too few source sequences to tell ({estimate.num_groups})."
    return above if estimate.low > 0 else below if estimate.high < 0 else neither


def _questions(found: Sequence[_Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        for answer in _answers(causes):
            estimate = answer.estimate
            rows.append(
                (
                    causes.subject.name,
                    answer.question,
                    "all" if answer.kind == "all" else kind_label(answer.kind),
                    answer.sentence,
                    interval(estimate.value, estimate.low, estimate.high),
                    str(answer.num_clips),
                )
            )
            data.append(
                {
                    "experiment": causes.subject.name,
                    "question": answer.question,
                    "kind": answer.kind,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "num_clips": answer.num_clips,
                    "num_sequences": estimate.num_groups,
                    "reason": estimate.reason,
                    "answer": answer.sentence,
                }
            )
    return ReportTable(
        "causes",
        "Questions and answers",
        "Each with its number [95 % interval] and the clips that entered. Of the model at hand, on these clips.",
        ("Experiment", "Question", "Clips", "Answer", "Number", "Entered"),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=4,
    )


# Age.


def _age_figure(causes: _Causes, folder: ReportFolder) -> PageFigure:
    return folder.figure(
        causes.subject.file("causes-age"),
        causes.subject.title("Attention and effect by age"),
        _age_caption(causes),
        make_by_age(causes.ages),
        causes.ages,
    )


def _age_caption(causes: _Causes) -> str:
    sentences = [f"{count(causes.num_clips, 'clip')}; single entries, each dropped alone."]
    for entry, name in (("memory", "memories"), ("pointer", "pointers")):
        rows = causes.ages[causes.ages["entry"] == entry]
        if not len(rows):
            continue
        oldest = oldest_that_matters(causes.ages, entry)
        largest = float(rows["effect"].max())
        if oldest is None:
            sentences.append(
                f"No recent entry among the {name} changes the mask by more than {MATTERS:g} of IoU in the mean (the "
                f"largest effect of any is {number(largest, 4)})."
            )
        else:
            sentences.append(
                f"Among the {name}, those older than {count(oldest, 'frame')} change the mask by less than "
                f"{MATTERS:g} of IoU in the mean."
            )
    totals = causes.blame[np.isfinite(causes.blame["entry_frame"])].groupby(["clip", "frame", "entry"])["attention"]
    shares = totals.sum().unstack("entry").mean()
    if np.isfinite(shares.to_numpy(np.float64)).all() and {"memory", "pointer"} <= set(shares.index):
        sentences.append(
            f"Together memories receive {number(100 * float(shares['memory']), 1)} % of the attention and pointers "
            f"{number(100 * float(shares['pointer']), 1)} %."
        )
    return " ".join(sentences)


# Groups.


def _group_rows(found: Sequence[_Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        table = groups_after_change(causes.blame, causes.options)
        data.append(table.assign(experiment=causes.subject.name))
        for _, row in table.iterrows():
            effect, score = (
                (float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
                for name in ("effect", "delta_score")
            )
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    GROUP_LABELS[row["entry"], row["role"]],
                    interval(*effect, 3),
                    number(float(row["delta_j"]), 3),
                    interval(*score),
                    str(int(row["num_clips"])),
                )
            )
    return ReportTable(
        "causes-groups",
        "The first frame after the change without groups of what it reads",
        "1 - IoU with the mask as it was, J and object score minus what they were: means over clips [95 % interval].",
        ("Experiment", "Clips", "Not read", "1 - IoU", "J", "Object score", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=3,
    )


# Edits after the change.


def _suffix_figure(causes: _Causes, folder: ReportFolder) -> PageFigure:
    table = causes.suffix_table
    edits, kinds = list(dict.fromkeys(table["edit"])), list(dict.fromkeys(table["kind"]))
    dots = []
    for k, kind in enumerate(kinds):
        rows = table[table["kind"] == kind].set_index("edit").reindex(edits)
        value, low, high = (rows[name].to_numpy(np.float64) for name in ("delta_j", "delta_j_low", "delta_j_high"))
        dots.append(Dots(kind_label(kind), value, low, high, SERIES_LOOKS[k % len(SERIES_LOOKS)]))
    panel = DotPanel("", tuple(edits), tuple(dots), "J after the change, minus as it was", None, 0.0)
    entered = ", ".join(
        f"{count(int(table.loc[table['kind'] == kind, 'num_clips'].max()), kind_label(kind).lower() + ' clip')}"
        for kind in kinds
    )
    unedited = ", ".join(
        f"{number(float(table.loc[table['kind'] == kind, 'unedited_j'].iloc[0]))} ({kind_label(kind).lower()})"
        for kind in kinds
    )
    return folder.figure(
        causes.subject.file("causes-suffix"),
        causes.subject.title("What the frames after the change come to without some of what they read"),
        f"All frames after the change are tracked again under the edit; {entered}. As it was, J is {unedited}.",
        make_dots([panel]),
        table,
    )


def _suffix_rows(found: Sequence[_Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        for _, row in causes.suffix_table.iterrows():
            estimate = _estimate(row)
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    row["edit"],
                    interval(estimate.value, estimate.low, estimate.high, 3),
                    number(float(row["median_delta_j"]), 3),
                    number(float(row["iou"])),
                    str(int(row["num_clips"])),
                )
            )
        data.append(causes.suffix_table.assign(experiment=causes.subject.name))
    return ReportTable(
        "causes-suffix",
        "Edits after the change",
        "J minus J as it was, mean over clips [95 % interval] and median; IoU of the masks with those as they were.",
        ("Experiment", "Clips", "What is read", "Mean", "Median", "IoU", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=3,
    )


# Patches.


def _recovery_figure(causes: _Causes, folder: ReportFolder) -> PageFigure:
    by_frame = recovery(causes.patches, ["frame"], causes.options)
    shown = by_frame[by_frame["measure"].isin(_SHOWN_MEASURES)]
    positions = sorted(set(by_frame["position"]))
    names = "; ".join(f"{position} {title_of(position).lower()}" for position in positions)
    return folder.figure(
        causes.subject.file("causes-patches"),
        causes.subject.title("What comes back with the twin's tensor, position by frame"),
        f"Medians over clips; grey where no clip differs enough from its twin. Positions: {names}. 1, 2 and 3 are "
        "measured on the patched frame, 4 and 5 on the next one, which reads them. The object score is made from "
        "tokens, so a patch at 3, the image side of the decoder, can't move it.",
        make_recovery(
            shown,
            _SHOWN_MEASURES,
            causes.change,
            value="median_recovered",
            rows=positions,
            changed=sorted(set(causes.suffix["kind"])),
        ),
        by_frame,
    )


def _recovery_rows(found: Sequence[_Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        table = recovery(causes.patches, ["stage"], causes.options)
        data.append(table.assign(experiment=causes.subject.name))
        for _, row in table[table["num_clips"] > 0].iterrows():
            value, low, high = (float(row[name]) for name in ("recovered", "recovered_low", "recovered_high"))
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    f"{row['position']}: {title_of(row['position'])}",
                    MEASURE_LABELS[row["measure"]],
                    row["stage"],
                    interval(value, low, high),
                    number(float(row["median_recovered"])),
                    str(int(row["num_clips"])),
                )
            )
    return ReportTable(
        "causes-patches",
        "What comes back with the twin's tensor",
        "Share of the way from the clip's value to its twin's: mean over clips [95 % interval] and median, over frames "
        "on which the two differ by 1 logit or 0.05 (J, predicted IoU) at least.",
        ("Experiment", "Clips", "Position", "Measure", "Seen in the", "Mean", "Median", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=5,
    )


def _headline(causes: _Causes, *, several: bool) -> str:
    estimate, num_clips = causes.correlations["all"]
    prefix = f"{causes.subject.name}: r" if several else "R"
    verdict = _attention_answer(causes, "all").sentence
    return (
        f"{prefix}ank correlation of an entry's share of attention and what the mask changes without it: "
        f"{interval(estimate.value, estimate.low, estimate.high)} over {count(num_clips, 'clip')}. {verdict}"
    )
