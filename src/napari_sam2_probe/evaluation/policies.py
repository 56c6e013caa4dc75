"""Memory policies compared on a data set: each tracks every sequence, and a clip of it with an interjection."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path, atomic_write_text
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.evaluation.metrics.clips import score_clip
from napari_sam2_probe.evaluation.protocols.jobs import Job, JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.semi_supervised import run_semi_supervised
from napari_sam2_probe.evaluation.protocols.store import ResultStore
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored, read_objects
from napari_sam2_probe.runs.describe import now, software_versions
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.tracking.policies import STOCK, make_policy
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.transforms.pair import make_clip
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.video.davis import DavisDataset

ORACLE = "oracle"
DEFAULT_POLICIES = (STOCK, "stride:r=5", "confident", "samurai", "distractor-aware", "random", ORACLE)
"""What is compared if nothing else is asked for."""

TABLE, ABOUT = "policies.csv", "policies.json"
COLUMNS = ("policy", "sequence", "object_id", "J", "F", "JF", "prefix_jf", "suffix_jf", "reidentification", "seconds")

_SEQUENCE, _CLIP = "policy", "policy-interjection"


@dataclass(frozen=True)
class PolicyOptions:
    """What to compare.

    Attributes
    ----------
    policies
        As `make_policy` takes them; `stock`, which all are compared with, is always among them.
    sequences
        The names of the sequences; all that have masks if None.
    interjections
        Whether each also tracks a clip of every object with an interjection, which shows how well it is found again.
    seed
        Decides which frames the clips take.
    lengths
        Frames of a clip before, in and after the interjection.
    """

    policies: tuple[str, ...] = DEFAULT_POLICIES
    sequences: tuple[str, ...] | None = None
    interjections: bool = True
    seed: int = 0
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS

    def __post_init__(self) -> None:
        if min(self.lengths) < 1:
            raise InputError(f"lengths={self.lengths} can't be used: frames before, in and after must be 1 or more.")
        ordered = tuple(dict.fromkeys((STOCK, *self.policies)))
        object.__setattr__(self, "policies", ordered)
        for text in ordered:
            make_policy(text)
        files = {_file_name(text) for text in ordered}
        if len(files) < len(ordered):
            raise InputError("Two of the memory policies can't be told apart by their letters and numbers: drop one.")


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """What a policy came to on one object; see `COLUMNS`.

    Attributes
    ----------
    policy, sequence, object_id
        Of what.
    scores
        ``J``, ``F``, ``JF`` of the sequence, and of the clip ``prefix_jf``, ``suffix_jf`` (J&F before and after the
        interjection) and ``reidentification`` (their difference); NaN where there is no clip.
    seconds
        What tracking the whole sequence took.
    """

    policy: str
    sequence: str
    object_id: int
    scores: dict[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """Means of a policy over objects, with intervals over sequences.

    Attributes
    ----------
    policy
        Which.
    jf
        J&F.
    over_stock
        J&F minus that of `stock` on the same object.
    gap
        J&F of the oracle minus this on the same object; missing where the oracle was not compared.
    suffix_jf, reidentification
        As in `PolicyRow`.
    seconds_per_frame
        Of tracking.
    """

    policy: str
    jf: Estimate
    over_stock: Estimate
    gap: Estimate
    suffix_jf: Estimate
    reidentification: Estimate
    seconds_per_frame: float


@dataclass(frozen=True)
class PolicyComparison:
    """A comparison.

    Attributes
    ----------
    rows
        By policy, sequence and object.
    summaries
        One a policy, in the order in which they were asked for.
    about
        What ``policies.json`` says: model, data, options, versions; ``left_out``, objects with too few masks by
        sequence; and ``without_clip``, why an object gave no clip, by sequence and object.
    """

    rows: tuple[PolicyRow, ...]
    summaries: tuple[PolicySummary, ...]
    about: dict[str, Any] = field(default_factory=dict)


def compare_policies(
    dataset: DavisDataset,
    out: Path | str,
    options: PolicyOptions,
    load: Callable[[], Model],
    *,
    command: str = "",
    progress: ProgressCallback = ignore_progress,
) -> PolicyComparison:
    """Compare memory policies, and write ``policies.csv`` and ``policies.json``.

    Objects are prompted with their true mask on the first frame where they appear. What was finished in `out` before
    is not computed again: a stopped comparison goes on, and further policies and sequences are added.

    Parameters
    ----------
    dataset
        The sequences with their masks.
    out
        The folder.
    options
        What to compare.
    load
        Gives the model.
    command
        How the comparison was asked for.
    progress
        Called after every job.

    Raises
    ------
    InputError
        If the data set, the model, a policy or `out` can't be used, or another process is at work in `out`.
    """
    started = now()
    store = ResultStore(Path(out))
    sequences, unscored = _scored_sequences(dataset, options)
    loaded = load()
    with os_errors_as_sentences(store.folder, "comparison"):
        store.folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(store.folder, "the comparison in"):
        work = _Work(store, options, loaded, dataset)
        rows: list[PolicyRow] = []
        jobs = [(policy, objects) for policy in options.policies for objects in sequences.values()]
        for done, (policy, objects) in enumerate(jobs):
            progress(Progress(done, len(jobs), f"tracking by {policy}", "sequence"))
            rows += work.rows(policy, objects)
        progress(Progress(len(jobs), len(jobs), "tracking", "sequence"))
        num_frames = {name: objects[0].sequence.num_frames for name, objects in sequences.items()}
        about = {
            "software": software_versions(),
            "model": loaded.describe(),
            "data": {"name": dataset.root.resolve().name, "sequences": list(sequences)},
            "options": {
                "policies": options.policies,
                "interjections": options.interjections,
                "seed": options.seed,
                "lengths": options.lengths,
            },
            "left_out": unscored,
            "without_clip": work.without_clip,
            "command": command,
            "times": {"started": started, "finished": now()},
        }
        _write_rows(rows, store.folder / TABLE)
        atomic_write_text(store.folder / ABOUT, json.dumps(about, indent=1) + "\n")
        store.clean_up()
    return PolicyComparison(tuple(rows), summarise(rows, options.policies, num_frames), about)


def summarise(
    rows: Sequence[PolicyRow], policies: Sequence[str], num_frames: dict[str, int]
) -> tuple[PolicySummary, ...]:
    """Return the means of each policy over objects, with intervals over sequences.

    Parameters
    ----------
    rows
        Of all policies, each with the same objects.
    policies
        In the order that is wanted.
    num_frames
        The length of each sequence.
    """
    by_policy = {policy: [row for row in rows if row.policy == policy] for policy in policies}
    oracle = next((policy for policy in policies if policy.partition(":")[0] == ORACLE), None)
    # Two passes: rows of a policy are in the same order as all others'.
    groups = [row.sequence for row in by_policy[policies[0]]]

    def values(policy: str, score: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([row.scores[score] for row in by_policy[policy]], np.float64)

    summaries = []
    for policy, own in by_policy.items():
        jf = values(policy, "JF")
        gap = Estimate.missing("the oracle was not compared")
        if oracle is not None:
            gap = mean_estimate(values(oracle, "JF") - jf, groups)
        seconds = {row.sequence: row.seconds for row in own}
        summaries.append(
            PolicySummary(
                policy=policy,
                jf=mean_estimate(jf, groups),
                over_stock=mean_estimate(jf - values(STOCK, "JF"), groups),
                gap=gap,
                suffix_jf=mean_estimate(values(policy, "suffix_jf"), groups, reason="no clips"),
                reidentification=mean_estimate(values(policy, "reidentification"), groups, reason="no clips"),
                seconds_per_frame=sum(seconds.values()) / sum(num_frames[name] for name in seconds),
            )
        )
    return tuple(summaries)


class _Work:
    """Does what is not done yet."""

    def __init__(self, store: ResultStore, options: PolicyOptions, loaded: Model, dataset: DavisDataset) -> None:
        self.without_clip: dict[str, dict[str, str]] = {}
        self._store = store
        self._options = options
        self._loaded = loaded
        self._dataset = dataset
        described = loaded.describe()
        self._made_with = {name: described[name] for name in ("sha256", "config", "dtype", "flags")}

    def rows(self, policy: str, objects: Sequence[ObjectTruth]) -> list[PolicyRow]:
        """Return the rows of a policy on a sequence."""
        name = objects[0].sequence.name

        def tracked() -> JobResult:
            return run_semi_supervised(self._loaded, objects, "mask", policy=policy)

        whole = self._done(_SEQUENCE, policy, objects, {}, tracked)
        clips: dict[int, dict[str, float]] = {}
        if self._options.interjections:
            settings = {"seed": self._options.seed, "lengths": list(self._options.lengths)}
            found = self._done(_CLIP, policy, objects, settings, lambda: self._clips(policy, objects))
            clips = {row.object_id: row.scores for row in found.rows}
            if found.reasons:
                self.without_clip[name] = found.reasons
        nothing = dict.fromkeys(("prefix_jf", "suffix_jf", "reidentification"), float("nan"))
        return [
            PolicyRow(
                policy,
                name,
                row.object_id,
                {key: row.scores[f"{key}_mean"] for key in ("J", "F", "JF")} | clips.get(row.object_id, nothing),
                whole.seconds or 0.0,
            )
            for row in whole.rows
        ]

    def _done(
        self,
        protocol: str,
        policy: str,
        objects: Sequence[ObjectTruth],
        settings: dict[str, Any],
        compute: Callable[[], JobResult],
    ) -> JobResult:
        sequence = objects[0].sequence
        job = Job(self._loaded.checkpoint.name, protocol, _file_name(policy), sequence.name)
        made_with = json.loads(json.dumps(self._made_with | settings | {"policy": policy}))
        fingerprint = sequence.fingerprint_with_masks()
        result = self._store.read(job, made_with, fingerprint)
        if result is None:
            result = compute()
            self._store.write(job, made_with, fingerprint, result)
        return result

    def _clips(self, policy: str, objects: Sequence[ObjectTruth]) -> JobResult:
        rows: list[JobRow] = []
        reasons: dict[str, str] = {}
        for truth in objects:
            if not can_be_scored(truth):
                continue
            there, needed = truth.sequence.num_frames, sum(self._options.lengths)
            if there < needed:
                reasons[str(truth.object_id)] = f"The sequence has {there} frames, and a clip {needed}."
                continue
            try:
                clip, _ = make_clip(
                    truth.sequence,
                    "interjection",
                    object_id=truth.object_id,
                    seed=self._options.seed,
                    others=self._dataset,
                    lengths=self._options.lengths,
                )
            except InputError as error:
                # An object that is not there for long enough, for example, says nothing of a policy.
                reasons[str(truth.object_id)] = str(error)
                continue
            rows.append(JobRow(truth.object_id, 1, self._clip_scores(clip, policy)))
        return JobResult(tuple(rows), reasons=reasons)

    def _clip_scores(self, clip: Any, policy: str) -> dict[str, float]:
        options = SessionOptions.for_model(self._loaded, policy=make_policy(policy))
        with VideoSession(self._loaded.model, clip, options) as session:
            session.add_prompt(Prompt.from_mask(0, 1, clip.object_mask(0, 1)))
            predicted = np.stack([result.masks()[0] for result in session.propagate()]).astype(np.uint8)
        truth = np.stack([clip.mask(t) for t in range(clip.num_frames)])
        assert clip.truth is not None
        scores = score_clip(truth, predicted, clip.truth.object_present, lengths=self._options.lengths)
        return {
            "prefix_jf": scores.prefix_jf,
            "suffix_jf": scores.suffix_jf,
            "reidentification": scores.reidentification,
        }


def _scored_sequences(
    dataset: DavisDataset, options: PolicyOptions
) -> tuple[dict[str, tuple[ObjectTruth, ...]], dict[str, list[int]]]:
    """Return the objects of each sequence that can be scored, and the objects that can't by sequence."""
    names = dataset.names if options.sequences is None else options.sequences
    found = {name: read_objects(dataset.sequence(name)) for name in names}
    scored = {name: objects for name, objects in found.items() if any(map(can_be_scored, objects))}
    missing = [name for name in names if name not in scored]
    if (options.sequences is not None and missing) or not scored:
        what = f"No object of {missing[0]}" if options.sequences is not None else f"No object of {dataset.root}"
        raise InputError(f"{what} has 3 masks or more, which scores need: choose sequences with ground truth.")
    unscored = {name: [o.object_id for o in found[name] if not can_be_scored(o)] for name in names}
    return scored, {name: ids for name, ids in unscored.items() if ids or name in missing}


def _write_rows(rows: Sequence[PolicyRow], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells: dict[str, Any] = {"policy": row.policy, "sequence": row.sequence, "object_id": row.object_id}
            writer.writerow(cells | row.scores | {"seconds": row.seconds})


def _file_name(policy: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "_" for c in policy)
