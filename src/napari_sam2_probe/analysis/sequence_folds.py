"""Folds in which no sequence stands on both sides: neither as the base of a clip nor as what is laid into it.

Clips that share a sequence belong together. Where that leaves several groups without a sequence in common, groups are
dealt to folds. Where it doesn't (a few sequences that all serve as each other's distractors are one group), some
sequences are held out instead: a clip is judged where all its sequences are held out, fitted to where none is, and left
out otherwise; that is repeated with others held out, so that most clips are judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

_LARGEST_SHARE = 0.5


def connected_groups(sequences: Sequence[Collection[str]]) -> NDArray[np.intp]:
    """Return the group of each clip: clips that share a sequence, directly or through others, are in one group.

    Parameters
    ----------
    sequences
        Of each of N clips, all that it shows footage of.

    Returns
    -------
    groups
        (N,) from 0, in order of first appearance.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in sequences:
        first, *others = names
        for other in others:
            parent[root(other)] = root(first)
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(root(next(iter(names))), len(numbers)) for names in sequences]
    return np.array(groups, dtype=np.intp)


def sequence_folds(
    sequences: Sequence[Collection[str]], *, num_folds: int = 3, repeats: int = 5, seed: int = 0
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Give folds of clips such that what is judged shares no sequence with what is fitted to.

    Parameters
    ----------
    sequences
        As for `connected_groups`.
    num_folds
        Into how many parts groups, or sequences, are dealt.
    repeats
        Where groups don't suffice, `num_folds` times as many sets of sequences are held out, and more until every clip
        was judged.
    seed
        Of what is drawn.

    Yields
    ------
    fitted, judged
        (N,) bool each. Folds without a clip on either side are left out.
    """
    clips = [frozenset(names) for names in sequences]
    if not clips:
        return
    groups = connected_groups(clips)
    sizes = np.bincount(groups)
    if len(sizes) >= num_folds and sizes.max() <= _LARGEST_SHARE * len(clips):
        fold = _deal(sizes, num_folds)[groups]
        for k in range(num_folds):
            yield fold != k, fold == k
        return
    names = sorted(frozenset().union(*clips))
    rng = np.random.default_rng(seed)
    tried = np.zeros(len(clips), np.intp)
    # On until every clip had its turn; with many sequences few clips lie within those held out.
    for turn in range(max(len(clips), num_folds * repeats)):
        if turn >= num_folds * repeats and tried.all():
            return
        # Around a clip that was judged least, so that those of many sequences have their turn.
        chosen = clips[int(rng.choice(np.flatnonzero(tried == tried.min())))]
        others = [name for name in names if name not in chosen]
        room = max(len(names) // num_folds - len(chosen), 0)
        held_out = chosen | {others[k] for k in rng.permutation(len(others))[:room]}
        judged = np.array([clip <= held_out for clip in clips])
        fitted = np.array([not clip & held_out for clip in clips])
        tried += judged
        if fitted.any():
            yield fitted, judged


def _deal(sizes: NDArray[np.intp], num_folds: int) -> NDArray[np.intp]:
    """Deal groups to folds of about the same size: the largest first, to the smallest fold."""
    fold = np.zeros(len(sizes), dtype=np.intp)
    filled = np.zeros(num_folds, dtype=np.intp)
    for group in np.argsort(-sizes, kind="stable"):
        fold[group] = np.argmin(filled)
        filled[fold[group]] += sizes[group]
    return fold
