"""Questions about causes, each with its number and a sentence that claims no more than it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.analysis.causes import edit_difference
from napari_sam2_probe.common.words import count, interval
from napari_sam2_probe.reports.causes import suffix_estimate

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.reports.causes import Causes


@dataclass(frozen=True)
class Answer:
    """A question of the report with its number and one sentence that claims no more than it."""

    question: str
    kind: str
    estimate: Estimate
    num_clips: int
    sentence: str


def answers_of(causes: Causes) -> list[Answer]:
    """Answer what an experiment can be asked: whether attention tells cause, then kind by kind."""
    answers = [_attention_answer(causes, name) for name in causes.correlations]
    for kind in dict.fromkeys(causes.suffix["kind"]):
        answers += _suffix_answers(causes, kind)
    return answers


def _attention_answer(causes: Causes, name: str) -> Answer:
    what = {"all": "all entries", "memory": "memories alone", "pointer": "pointers alone"}[name]
    estimate, num_clips = causes.correlations[name]
    verdicts = (
        "What is attended to more changes the mask more when it is dropped alone.",
        "What is attended to more changes the mask less when it is dropped alone.",
        "Whether attention tells cause is open.",
    )
    question = f"Does attention tell cause ({what})? Rank correlation of share and change of the mask"
    return Answer(question, "all", estimate, num_clips, _verdict(estimate, *verdicts))


def _suffix_answers(causes: Causes, kind: str) -> list[Answer]:
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
        answers.append(Answer(question, kind, estimate, num_clips, _verdict(estimate, *verdicts)))
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
        estimate = suffix_estimate(row)
        verdicts = (
            "Left out, J is higher: it harms.",
            "Left out, J is lower: it helps.",
            "The interval holds 0: whether it harms or helps is open.",
        )
        answers.append(
            Answer(f"{question}, minus as it was", kind, estimate, int(row["num_clips"]), _verdict(estimate, *verdicts))
        )
    return answers


def _rows_of(causes: Causes, kind: str) -> dict[str, pd.Series]:
    table = causes.suffix_table
    return {str(row["edit"]): row for _, row in table[table["kind"] == kind].iterrows()}


def _verdict(estimate: Estimate, above: str, below: str, neither: str) -> str:
    if not estimate.low <= estimate.high:
        return "Too little to tell."
    if estimate.num_groups < LEAST_GROUPS:
        return f"Too few source sequences to tell ({estimate.num_groups})."
    return above if estimate.low > 0 else below if estimate.high < 0 else neither


def suspicions_of(causes: Causes, *, several: bool) -> list[str]:
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
        estimate, clips = suffix_estimate(rows[edit]), int(rows[edit]["num_clips"])
        outcomes = ("it agrees", "it disagrees") if not agrees_below else ("it disagrees", "it agrees")
        verdict = _verdict(estimate, *outcomes, "it can't be told, since the interval holds 0")
        said.append(
            f"{prefix}{suspicion}. For this model, J after an interjection changes {what} by "
            f"{interval(estimate.value, estimate.low, estimate.high, 3)} over {count(clips, 'clip')}: "
            f"{verdict[0].lower()}{verdict[1:].removesuffix('.')}."
        )
    return said


def headline(causes: Causes, *, several: bool) -> str:
    """Return the one sentence for the top of the page."""
    estimate, num_clips = causes.correlations["all"]
    prefix = f"{causes.subject.name}: r" if several else "R"
    verdict = _attention_answer(causes, "all").sentence
    return (
        f"{prefix}ank correlation of an entry's share of attention and what the mask changes without it: "
        f"{interval(estimate.value, estimate.low, estimate.high)} over {count(num_clips, 'clip')}. {verdict}"
    )
