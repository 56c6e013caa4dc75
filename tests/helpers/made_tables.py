"""Tables of experiments as the analysis takes them, with known distributions."""

from __future__ import annotations

import numpy as np
import pandas as pd

ABSENT = slice(12, 16)
T = 28


def features_table(
    shift: dict[str, float],
    *,
    num_clips: int = 40,
    num_sequences: int = 10,
    positions: tuple[str, ...] = ("4",),
    between: float = 0.3,
    seed: int = 0,
) -> pd.DataFrame:
    """Log-normal features; on absent frames their logarithm is `shift[kind]` higher, in units of its deviation.

    Kinds are those of `shift`; a kind called clean or context-removal has no absent frames. `between` is the deviation
    between sequences, that within them is such that both together are 1.
    """
    rng = np.random.default_rng(seed)
    sequence_of_clip = rng.integers(num_sequences, size=num_clips)
    parts = []
    for kind, by in shift.items():
        present = np.ones(T, bool)
        if kind not in ("clean", "context-removal"):
            present[ABSENT] = False
        for position in positions:
            offset = rng.normal(0, between, num_sequences)
            for clip, sequence in enumerate(sequence_of_clip):
                logs = offset[sequence] + rng.normal(0, (1 - between**2) ** 0.5, (T, 3))
                logs[ABSENT] += by
                values = np.exp(logs)
                values[0] = np.nan
                values[1, 1:] = np.nan
                parts.append(
                    pd.DataFrame(
                        {
                            "kind": kind,
                            "clip": f"{kind}_{clip:05d}",
                            "base_sequence": f"sequence-{sequence}",
                            "frame": np.arange(T),
                            "position": position,
                            "object_present": present,
                            "prompted_reference": (np.arange(T) >= 1) & (np.arange(T) <= 5),
                            "window": np.minimum(np.arange(T), 5),
                            "short_term_l2": values[:, 0],
                            "long_term_l2": values[:, 1],
                            "short_term_ratio": values[:, 2],
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)
