"""What the paper claims, one by one, beside what an experiment measured of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS, Clusters, Estimate, familywise, mean_estimate
from napari_sam2_probe.analysis.separability import COMBINED
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import SHORT_TERM
from napari_sam2_probe.common.words import factor, interval
from napari_sam2_probe.decoder.library import find_lead
from napari_sam2_probe.reports.representations import BOX
from napari_sam2_probe.reports.rises import rise, rise_difference
from napari_sam2_probe.reports.separations import combined_difference, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam2_probe.reports.subject import Subject

Verdict = Literal["agrees", "disagrees", "can't be told"]

Side = Literal["above", "below"]


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes
    ----------
    where
        Section or figure of the paper.
    claim
        What it says.
    verdict
        What the numbers say of it.
    measured
        The numbers, in a sentence or two.
    together
        What would be said if all claims were to hold at once: intervals widened by max-T.
    """

    where: str
    claim: str
    verdict: Verdict
    measured: str
    together: Verdict


Rule = Callable[[Sequence[Estimate]], Verdict]


@dataclass(frozen=True)
class _Measured:
    """A claim with the estimates that decide it, and how they do."""

    where: str
    claim: str
    rule: Rule
    estimates: tuple[Estimate, ...]
    measured: str

    @property
    def fewest(self) -> int:
        """Return the fewest source sequences that any of the estimates rests on."""
        return min((estimate.num_groups for estimate in self.estimates), default=LEAST_GROUPS)


def _sided(*sides: tuple[Side, float]) -> Rule:
    """Return the rule that each estimate must lie on its side of a value."""
    return lambda estimates: judge(*((e, side, value) for e, (side, value) in zip(estimates, sides, strict=True)))


def judge(*found: tuple[Estimate, Side, float]) -> Verdict:
    """Judge a claim by intervals: each must lie on the claimed side of a value.

    Parameters
    ----------
    *found
        Estimate, the side on which it is claimed to be, and of what.

    Returns
    -------
    Verdict
        ``agrees`` where all intervals lie on the claimed side, ``disagrees`` where one lies on the other, ``can't be
        told`` otherwise, as where there is no interval.
    """
    verdicts = []
    for estimate, side, value in found:
        low, high = estimate.low - value, estimate.high - value
        if side == "below":
            low, high = -high, -low
        verdicts.append("agrees" if low > 0 else "disagrees" if high < 0 else "can't be told")
    if "disagrees" in verdicts:
        return "disagrees"
    return "agrees" if verdicts and set(verdicts) == {"agrees"} else "can't be told"


def claims_of(subject: Subject) -> tuple[Claim, ...]:
    """Return the claims that an experiment says something of, in the paper's order."""
    if not subject.results.has_model or not subject.has_features:
        return ()
    found = [measured for part in _PARTS for measured in part(subject)]
    widened = iter(familywise([estimate for measured in found for estimate in measured.estimates]))
    claims = []
    for one in found:
        together = [next(widened) for _ in one.estimates]
        few = one.fewest < LEAST_GROUPS
        claims.append(
            Claim(
                one.where,
                one.claim,
                "can't be told" if few else one.rule(one.estimates),
                one.measured + (f" Too few source sequences to tell ({one.fewest})." if few else ""),
                "can't be told" if few else one.rule(together),
            )
        )
    return tuple(claims)


def _alike(found: Sequence[Estimate]) -> Verdict:
    """Judge that two things can't be told apart: shown by an interval close to one half, not by a wide one."""
    (higher,) = found
    if higher.low > 0.5 or higher.high < 0.5:
        return "disagrees"
    return "agrees" if higher.low > 0.35 and higher.high < 0.65 else "can't be told"


def _inseparable(found: Sequence[Estimate]) -> Verdict:
    (auroc,) = found
    return "disagrees" if auroc.low > 0.6 else "agrees" if auroc.high < 0.6 else "can't be told"


def _said(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)


def _times(estimate: Estimate) -> str:
    return factor(estimate.value, estimate.low, estimate.high)


def _pictures(subject: Subject) -> Iterator[_Measured]:
    """Section 4.1: what stands out in figures 7, 8, 11 and 12."""

    def stands(
        where: str, claim: str, kind: str, position: str, first: str, second: str, sides: dict[str, Side]
    ) -> Iterator[_Measured]:
        found = [
            (statistic, subject.contrasts.pick(kind, position, statistic, first, second), side)
            for statistic, side in sides.items()
        ]
        known = [(statistic, one.higher, side) for statistic, one, side in found if one is not None]
        if not known:
            return
        numbers = " and ".join(f"of the channel {statistic} on {_said(e)} of the frames" for statistic, e, _ in known)
        names = {"object": "the object", "other": "the obscuring object", "context": "the context"}
        yield _Measured(
            where,
            claim,
            _sided(*((side, 0.5) for *_, side in known)),
            tuple(estimate for _, estimate, _ in known),
            f"Higher over {names[first]} than over {names[second]}: {numbers} (0.5: alike).",
        )

    dark: dict[str, Side] = {"mean": "below", "variance": "above"}
    yield from stands(
        "4.1.1, figure 7",
        "Memory attention (2): the object has a small channel mean and a large variance.",
        "clean",
        "2",
        "object",
        "context",
        dark,
    )
    yield from stands(
        "4.1.1, figure 8",
        "Memory attention (2): so has the obscuring object.",
        "obscuration",
        "2",
        "other",
        "context",
        dark,
    )
    found = subject.contrasts.pick("obscuration", "2", "variance", "object", "other")
    if found is not None:
        higher = found.higher
        yield _Measured(
            "4.1.1, figure 8",
            "Memory attention (2) can't yet tell the object from the obscuring object.",
            _alike,
            (higher,),
            f"The channel variance is higher over the object on {_said(higher)} of the frames (0.5: alike; counted as "
            "alike within 0.35 to 0.65).",
        )
    yield from stands(
        "4.1.1, figures 7 and 8",
        "Prompt attention (3): the object has an extremely low variance.",
        "obscuration",
        "3",
        "object",
        "context",
        {"variance": "below"},
    )
    yield from stands(
        "4.1.1, figure 8",
        "Prompt attention (3): the obscuring object has a higher variance than the object.",
        "obscuration",
        "3",
        "object",
        "other",
        {"variance": "below"},
    )
    yield from stands(
        "4.1.2, figure 12",
        "Prompt attention (3): only the object, not the overlaid ones, is highlighted by a low variance.",
        "three-object",
        "3",
        "object",
        "other",
        {"variance": "below"},
    )
    yield from stands(
        "4.1.1, figure 7",
        "Memory features (5): the object has a low mean and a low variance.",
        "clean",
        "5",
        "object",
        "context",
        {"mean": "below", "variance": "below"},
    )


def _perception(subject: Subject) -> Iterator[_Measured]:
    """Sections 1, 4.1.1, 3.2.5: from scene to object."""
    shares = {position: share.object_share for position, share in subject.representations.shares.items()}
    shown: tuple[tuple[str, str, str, Side], ...] = (
        ("1", "4.1.1", "The image embedding (1) represents the whole frame rather than the object.", "below"),
        ("4", "4.3.2", "The object pointer (4) is connected to the object, not to the background.", "above"),
        ("5", "4.1.1, A.2.5", "Memory features (5) represent the whole image rather than the object.", "below"),
    )
    for position, where, claim, side in shown:
        if position in shares:
            yield _Measured(
                where,
                claim,
                _sided((side, 0.5)),
                (shares[position],),
                f"Share of the object against the context: {_said(shares[position])} (0.5: as much of either)."
                + (f" Before the gate (4r): {_said(shares['4r'])}." if position == "4" and "4r" in shares else ""),
            )


def _pointers(subject: Subject) -> Iterator[_Measured]:
    """Sections 4.1.1, 4.1.2 and 4.2: what pointers say."""
    cover = subject.covers.get("obscuration")
    if cover is not None:
        effect = cover.stored_effect
        yield _Measured(
            "4.1.1, figure 10",
            "The distance between pointers grows with the share of the object that is covered.",
            _sided(("above", 0.0)),
            (effect.spearman,),
            f"Rank correlation within clips, without prompted frames: {_said(effect.spearman)}; before the gate (4r) "
            f"{_said(cover.raw_effect.spearman)}.",
        )
        yield _Measured(
            "4.1.1, figure 10",
            "Distances at 0 % come from the obscuring object in the frame (and not from a cover that is over).",
            # What the frame shows is the same before and after; a difference is what SAM 2 remembers.
            lambda found: "disagrees" if found[0].low > 0 else "can't be told",
            (effect.difference,),
            f"Distance at 0 % before the cover {_said(effect.before)}, after it {_said(effect.after)}, difference "
            f"within clips {_said(effect.difference)}. Above 0: what is in the frame is part of it, what was is more.",
        )
    spread = pointer_spread(subject, "three-object")
    if np.isfinite(spread.value):
        yield _Measured(
            "4.1.2, figure 13",
            "Overlaid objects increase the variance of the object pointer.",
            _sided(("above", 1.0)),
            (spread,),
            f"Total variance of pointers over a clip, three objects over clean twin: {_times(spread)} times (geometric "
            "mean over clips, without prompted frames).",
        )
    gain = subject.representations.box_gain.get("4")
    if gain is not None and np.isfinite(gain.value):
        score = subject.representations.probes[BOX, "4"]
        yield _Measured(
            "4.2, figure 14",
            "The object's box can be decoded from its pointer.",
            # A decoder that fails shows nothing of others.
            lambda found: "agrees" if found[0].low > 0 else "can't be told",
            (gain,),
            f"Mean IoU of a linear decoder on sequences held out {_said(score.value)}; less that of the mean "
            f"box {_said(gain)}. (The section on the decoder judges the network.)",
        )
    yield from _leads(subject)


def _leads(subject: Subject) -> Iterator[_Measured]:
    model = subject.results.provenance.get("model") or {}
    try:
        lead = find_lead(model.get("sha256"))
    except InputError:
        return
    if lead is not None and lead.sequences:
        motion = lead.motion
        percent = interval(100 * motion.value, 100 * motion.low, 100 * motion.high)
        yield _Measured(
            "4.2, figure 15",
            "The decoded centre leads the motion.",
            _sided(("above", 0.0)),
            (motion,),
            f"Lead with the motion, less what a video backwards shows: {percent} % of the diagonal.",
        )


def _timelines(subject: Subject) -> Iterator[_Measured]:
    """Section 4.3: figures 16, 17, 20, 23 and 28."""
    prefix, middle, suffix = subject.results.lengths
    change = range(prefix, prefix + middle)
    feature = SHORT_TERM.column

    def rises(kind: str, position: str, frames: range = change) -> Estimate:
        return rise(subject, kind, position, feature, frames)

    there = set(subject.feature_kinds)
    positions = set(subject.positions)
    if "interjection" in there and "1" in positions:
        found = rises("interjection", "1")
        yield _Measured(
            "4.3.1, figure 16",
            "Image embedding (1): the distance rises on interjected frames.",
            _sided(("above", 1.0)),
            (found,),
            f"Short-term L2 against ordinary frames: {_times(found)} times.",
        )
    if "context-removal" in there and "1" in positions and middle and suffix:
        first, back = (rises("context-removal", "1", range(t, t + 1)) for t in (prefix, prefix + middle))
        yield _Measured(
            "4.3.1, figure 16",
            "Image embedding (1): context removal shows a peak where the context goes and one where it comes back.",
            _sided(("above", 1.0), ("above", 1.0)),
            (first, back),
            f"Frame {prefix}: {_times(first)} times; frame {prefix + middle}: {_times(back)} times.",
        )
    if {"object-removal", "interjection"} <= there and "1" in positions:
        ratio = rise_difference(subject, "object-removal", "interjection", "1", feature, change)
        yield _Measured(
            "4.3.1, figure 16",
            "Image embedding (1): object removal rises less than an interjection.",
            _sided(("below", 1.0)),
            (ratio,),
            f"Rise of object removal over that of interjection: {_times(ratio)}.",
        )
    for position, where in (("2", "A.2.2, figure 20"), ("3", "A.2.3, figure 23"), ("4", "4.3.2, figure 17")):
        if {"object-removal", "context-removal"} <= there and position in positions:
            ratio = rise_difference(subject, "object-removal", "context-removal", position, feature, change)
            yield _Measured(
                where,
                f"Position {position}: the peaks of context removal are lower than the rise of object removal.",
                _sided(("above", 1.0)),
                (ratio,),
                f"Rise of object removal over that of context removal, frames {change[0]} to {change[-1]}: "
                f"{_times(ratio)}.",
            )


def _separability(subject: Subject) -> Iterator[_Measured]:
    """Appendix A.2: how well absent frames are told from present ones."""
    note = "As in the paper: pooled, with references that stand still while the object is absent."
    for kind, word in (("interjection", "interjections"), ("object-removal", "object removal")):
        if kind not in subject.feature_kinds:
            continue
        for better, worse, where, claim in (
            ("2", "1", "A.2.2", "memory attention (2) separates better than the image embedding (1)"),
            ("3", "2", "A.2.3", "prompt attention (3) separates better than memory attention (2)"),
            ("4", "3", "A.2.4", "the object pointer (4) separates better than prompt attention (3)"),
            ("4", "5", "A.2.5", "memory features (5) separate worse than the object pointer (4)"),
        ):
            difference = combined_difference(subject, better, worse, kind)
            if not np.isfinite(difference.value):
                continue
            pooled = (
                f"AUROC of the linear combination at {better} less that at {worse}, same frames: "
                f"{interval(difference.value, difference.low, difference.high, 3)}. {note}"
            )
            matched = subject.controls.matched_difference(kind, SHORT_TERM.column, better, worse)
            if not np.isfinite(matched.value):
                yield _Measured(where, f"With {word}, {claim}.", _sided(("above", 0.0)), (difference,), pooled)
                continue
            # The number that only the change can move decides.
            control = (
                "Against the same frames without the change, pooled over clips, AUROC of the short-term L2 at "
                f"{better} less that at {worse}: {interval(matched.value, matched.low, matched.high, 3)} (decides). "
            )
            yield _Measured(where, f"With {word}, {claim}.", _sided(("above", 0.0)), (matched,), control + pooled)
    removal = pick(subject.separability, "1", COMBINED, "object-removal")
    if "object-removal" in subject.feature_kinds and np.isfinite(removal.value):
        matched = subject.controls.matched("object-removal", SHORT_TERM.column, "1")
        decides = matched if np.isfinite(matched.value) else removal
        control = (
            "Against the same frames with the object left in, pooled over clips, AUROC of the short-term L2: "
            f"{_said(matched)} (decides; in pairs within a clip smaller effects are seen). "
            if np.isfinite(matched.value)
            else ""
        )
        yield _Measured(
            "A.2.1, figure 19",
            "With object removal the image embedding (1) is completely inseparable.",
            _inseparable,
            (decides,),
            f"{control}AUROC of the linear combination at 1: {_said(removal)} (0.5: inseparable; counted as such below "
            f"0.6). {note}",
        )


def pointer_spread(subject: Subject, kind: str) -> Estimate:
    """Estimate how many times as much pointers vary over a changed clip as over its clean twin."""
    frames = subject.results.frames
    clips = frames[frames["kind"] == kind].drop_duplicates("clip")
    done = set(subject.results.clips("clean")) if "clean" in subject.kinds else set()
    logs, used = [], []
    for index, (clip, twin) in enumerate(zip(clips["clip"], clips["twin"], strict=True)):
        if twin not in done:
            continue
        pointers = (subject.results.pointers(kind, clip), subject.results.pointers("clean", twin))
        changed, clean = (np.nanvar(p[1:].astype(np.float64), axis=0).sum() for p in pointers)
        if changed > 0 and clean > 0:
            logs.append(np.log(changed / clean))
            used.append(index)
    if not logs:
        return Estimate.missing("no clips with their twins")
    groups = Clusters.of_rows(clips.iloc[used])
    estimate = mean_estimate(np.array(logs), groups, num_resamples=subject.num_resamples, seed=subject.seed)
    return estimate.exp()


def _code(subject: Subject) -> Iterator[_Measured]:
    """Read from SAM 2's code, whatever the weights."""
    yield _Measured(
        "3.1.1",
        "SAM 2 writes to memory every 7 frames.",
        lambda _: "disagrees",
        (),
        "Read from the released code, not measured: every tracked frame is written; a bank of 7 is read.",
    )


_PARTS: tuple[Callable[[Subject], Iterator[_Measured]], ...] = (
    _code,
    _pictures,
    _perception,
    _pointers,
    _timelines,
    _separability,
)
