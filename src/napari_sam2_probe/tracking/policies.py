"""Memory policies: which memories and pointers a frame reads.

A policy is an object with ``choose(bank, frame)``. One from outside the package is made known with `register_policy`,
or by an entry point of the group ``napari_sam2_probe.policies``:

    class EverySecond:
        def choose(self, bank, frame):
            past = bank.past[::2]
            return bank.entries(memories=past[:6], pointers=past[:15])
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import parse_json
from napari_sam2_probe.tracking.bank import Bank, BankEntry, BankRule, Reading, make_bank, stock_bank
from napari_sam2_probe.tracking.distractors import DistractorAware
from napari_sam2_probe.tracking.oracle import Oracle
from napari_sam2_probe.tracking.samurai import Samurai

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.seen_masks import SeenMasks
    from napari_sam2_probe.video.source import FrameSource

STOCK = "stock"
"""The name of the policy that chooses as SAM 2 does."""

ENTRY_POINTS = "napari_sam2_probe.policies"
"""The group of entry points that name policies of other packages."""


@dataclass(frozen=True)
class StoredBank:
    """All that is stored of an object and could be read by a frame.

    Attributes
    ----------
    rule
        How far the model looks back by itself.
    reading
        The frame that reads, and the direction of tracking.
    conditioning
        The conditioning frames, in the order in which they were added.
    tracked
        The other frames with an output, in time order.
    obj_id
        The object.
    """

    rule: BankRule
    reading: Reading
    conditioning: tuple[int, ...]
    tracked: tuple[int, ...]
    _scores: Callable[[int], tuple[float, float]]
    _masks: Callable[[int], SeenMasks | None] = lambda _: None
    _attempt: Callable[[Bank], NDArray[np.bool_]] | None = None
    obj_id: int = 1

    @property
    def stock(self) -> Bank:
        """What SAM 2 itself would read."""
        return self.with_rule()

    @property
    def past(self) -> tuple[int, ...]:
        """The tracked frames on the side that tracking comes from, the nearest first."""
        here = self.reading.frame_idx
        if self.reading.reverse:
            return tuple(t for t in self.tracked if t > here)
        return tuple(t for t in reversed(self.tracked) if t < here)

    def with_rule(self, **changes: Any) -> Bank:
        """Return what SAM 2 would read with other numbers in its rule; see `BankRule`."""
        there = frozenset(self.tracked)
        return stock_bank(replace(self.rule, **changes), self.reading, self.conditioning, there.__contains__)

    def object_score(self, frame: int) -> float:
        """Return SAM 2's object score (logits) of a stored frame; above 0 it believed the object present."""
        return self._scores(frame)[0]

    def predicted_iou(self, frame: int) -> float:
        """Return SAM 2's own estimate of the IoU of a stored frame's mask; NaN on mask prompts."""
        return self._scores(frame)[1]

    def masks(self, frame: int) -> SeenMasks:
        """Return the candidate masks of a stored frame; for policies whose class says ``looks_at_masks = True``."""
        seen = self._masks(frame)
        if seen is None:
            raise InputError(
                f"The candidate masks of frame {frame} were not kept: a memory policy that looks at them says so by "
                "looks_at_masks = True in its class."
            )
        return seen

    @property
    def can_attempt(self) -> bool:
        """Whether `attempt` works: the reading frame is tracked, not prompted."""
        return self._attempt is not None

    def attempt(self, entries: Iterable[BankEntry]) -> NDArray[np.bool_]:
        """Return the mask (H, W), at the video's size, that the reading frame would get from these entries.

        It costs a pass through memory attention and mask decoder; nothing is stored and nobody is shown it.
        """
        assert self._attempt is not None
        return self._attempt(Bank(self.reading.frame_idx, tuple(entries)))

    def entries(
        self,
        memories: Sequence[int],
        pointers: Iterable[int] | None = None,
        conditioning: Iterable[int] | None = None,
    ) -> tuple[BankEntry, ...]:
        """Return the entries of these frames, in order and with their temporal positions.

        Parameters
        ----------
        memories
            Frames whose memories are read, the nearest first; the first gets the position of the frame before, and
            so on. As many as the model has positions for, usually 6.
        pointers
            Frames whose pointers are read, the nearest first; those of the memories if None.
        conditioning
            Conditioning frames that are read; those that SAM 2 would read if None.
        """
        slots = range(self.rule.num_maskmem - 1, 0, -1)
        if len(memories) > len(slots):
            raise InputError(f"A frame can read {len(slots)} memories of tracked frames, not {len(memories)}.")
        if conditioning is None:
            stock = self.stock.memories
            conditioning = [entry.frame for entry in stock if entry.role == "conditioning"]
        chosen = dict(zip(slots, memories, strict=False))
        bank = make_bank(self.rule, self.reading, conditioning, chosen, memories if pointers is None else pointers)
        return bank.entries


class MemoryPolicy(Protocol):
    """Chooses what a frame reads. Nothing that it does may depend on anything but its arguments and settings.

    A class with ``looks_at_masks = True`` can use `StoredBank.masks`. One that has a method ``for_video(source)`` is
    asked by it, before a video is tracked, for the policy of that video.
    """

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return the entries that `frame` reads, out of all that is stored."""
        ...


@dataclass(frozen=True)
class Stock:
    """As SAM 2 does: all conditioning frames, the 6 frames before, the pointers of the 15 frames before."""

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return SAM 2's own choice."""
        return bank.stock.entries


@dataclass(frozen=True)
class Stride:
    """Every r-th frame, and the one before: ``memory_temporal_stride_for_eval=r``, as XMem does (arXiv 2207.07115)."""

    r: int = 5

    def __post_init__(self) -> None:
        if isinstance(self.r, bool) or not isinstance(self.r, int) or self.r < 1:
            raise InputError(f"The memory policy stride can't go in steps of {self.r!r}: give a whole number from 1.")

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return SAM 2's choice with another stride."""
        return bank.with_rule(memory_temporal_stride_for_eval=self.r).entries


@dataclass(frozen=True)
class Confident:
    """The last frames that SAM 2 was sure of, and their pointers.

    A frame enters if its object score and its predicted IoU are above thresholds, as in SAM2Long (arXiv 2410.16268) and
    SAM 3 (arXiv 2511.16719). SAM2Long's tree of competing memories is left out.
    """

    score: float = 0.0
    iou: float = 0.5

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return the entries of frames above the thresholds."""
        memories = bank.rule.num_maskmem - 1
        most = max(memories, bank.rule.max_obj_ptrs_in_encoder - 1)
        sure: list[int] = []
        for past in bank.past:
            if len(sure) == most:
                break
            if bank.object_score(past) > self.score and not bank.predicted_iou(past) <= self.iou:
                sure.append(past)
        return bank.entries(sure[:memories], sure[: bank.rule.max_obj_ptrs_in_encoder - 1])


@dataclass(frozen=True)
class Random:
    """Memories and pointers of frames drawn from all that tracking has passed: a baseline, not a method."""

    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"The memory policy random can't have seed={self.seed!r}: give a whole number from 0.")

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return a draw that depends on seed, frame and what is stored, and on nothing else."""
        rng = np.random.default_rng([self.seed, frame])

        def drawn(most: int) -> list[int]:
            index = rng.choice(len(bank.past), min(most, len(bank.past)), replace=False)
            return [bank.past[k] for k in sorted(index.tolist())]

        return bank.entries(drawn(bank.rule.num_maskmem - 1), drawn(bank.rule.max_obj_ptrs_in_encoder - 1))


_POLICIES: dict[str, Callable[..., MemoryPolicy]] = {
    STOCK: Stock,
    "stride": Stride,
    "confident": Confident,
    "samurai": Samurai,
    "distractor-aware": DistractorAware,
    "random": Random,
    "oracle": Oracle,
}


def register_policy(name: str, policy: Callable[..., MemoryPolicy]) -> None:
    """Make a policy known by a name.

    Parameters
    ----------
    name
        What it is called in commands and in ``run.json``.
    policy
        A class, or another callable whose keyword parameters are the policy's settings.

    Raises
    ------
    InputError
        If another policy has the name, or it can't be typed.
    """
    if not isinstance(name, str) or not name or any(sign in name for sign in ":,= "):
        raise InputError(f"A memory policy can't be called {name!r}: give it a name without ':', ',', '=' and spaces.")
    if not callable(policy):
        raise InputError(f"The memory policy {name!r} is {policy!r:.60}: give a class or another callable.")
    if _POLICIES.get(name, policy) is not policy:
        raise InputError(f"There is a memory policy {name!r} already: choose another name.")
    _POLICIES[name] = policy


def policy_names() -> list[str]:
    """Return the names of all policies, those of other packages included."""
    return sorted(_POLICIES.keys() | _from_outside().keys())


def make_policy(text: str) -> MemoryPolicy:
    """Return the policy that a text such as ``stride:r=5`` or ``confident:score=0,iou=0.7`` means.

    Raises
    ------
    InputError
        If there is no such policy or setting.
    """
    name, _, rest = text.partition(":")
    factory = _POLICIES.get(name)
    if factory is None:
        outside = _from_outside().get(name)
        if outside is None:
            raise InputError(f"There is no memory policy {name!r}: choose one of {', '.join(policy_names())}.")
        factory = outside.load()
    settings = _settings(text, rest)
    try:
        inspect.signature(factory).bind(**settings)
    except TypeError as error:
        known = ", ".join(inspect.signature(factory).parameters) or "none"
        raise InputError(f"The memory policy {text!r} can't be made ({error}); its settings are: {known}.") from error
    for setting, value in settings.items():
        parameter = inspect.signature(factory).parameters.get(setting)
        if parameter is not None and _is_number(parameter.default) and not _is_number(value):
            raise InputError(f"The memory policy {text!r} can't be made: {setting}={value!r} is not a number.")
    try:
        return factory(**settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"The memory policy {text!r} can't be made ({error}).") from error


def policy_for(policy: MemoryPolicy | None, source: FrameSource) -> MemoryPolicy | None:
    """Return a policy as it is for one video: that of its ``for_video``, where it has one.

    Raises
    ------
    InputError
        If it needs what the video doesn't have, such as true masks.
    """
    of_video = getattr(policy, "for_video", None)
    return policy if of_video is None else of_video(source)


def checked_choice(policy: MemoryPolicy, bank: StoredBank) -> Bank:
    """Return what a policy chooses, memories before pointers.

    Raises
    ------
    InputError
        If it chooses what isn't stored, or a temporal position that the model doesn't have.
    """
    frame = bank.reading.frame_idx
    chosen = sorted(policy.choose(bank, frame), key=lambda entry: entry.kind == "pointer")
    stored = {*bank.conditioning, *bank.tracked}
    for entry in chosen:
        if entry.frame not in stored:
            raise InputError(
                f"The memory policy {type(policy).__name__} lets frame {frame} read frame {entry.frame}, of which "
                "nothing is stored: let it choose among bank.conditioning and bank.tracked."
            )
        if entry.kind == "memory" and not 0 <= entry.temporal_position < bank.rule.num_maskmem:
            raise InputError(
                f"The memory policy {type(policy).__name__} gives a memory the temporal position "
                f"{entry.temporal_position}: the model has positions 0 to {bank.rule.num_maskmem - 1}."
            )
    return Bank(frame, tuple(chosen))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _settings(text: str, rest: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        name, sign, value = part.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"The memory policy {text!r} is not written as NAME:setting=value,setting=value.")
        try:
            settings[name] = parse_json(value)
        except ValueError:
            settings[name] = value
    return settings


def _from_outside() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
