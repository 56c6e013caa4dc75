"""Draw what more training gave.

``python -m tools.sample_model.curve RUN/metrics.jsonl --results 280=EARLY.json 900=LATER.json --out training.png``
plots the IoU on training clips and, from results of ``tools.sample_model.evaluate``, J on video against steps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

_SERIES = (("sample data", "sample videos"), ("DAVIS", "DAVIS"), ("rendered, mask", "held-out clips"))
_SMOOTHING = 5


def draw(metrics: list[dict[str, Any]], results: dict[int, dict[str, Any]], out: Path) -> None:
    """Write the figure: lines are J, dashes what copying the first mask gives."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(5.2, 3.0), dpi=110, layout="constrained")
        axes = figure.subplots()
        steps = np.array([line["step"] for line in metrics])
        values = np.array([line["miou"] for line in metrics])
        kernel = np.ones(_SMOOTHING)
        smooth = np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
        axes.plot(steps, smooth, color="0.6", label="IoU, training clips")
        larger = [line["step"] for line in metrics if line["size"] > metrics[0]["size"]]
        if larger:
            axes.axvline(larger[0], color="0.8", lw=0.8)
            axes.text(larger[0], 0.02, f" {metrics[-1]['size']} px from here", color="0.5", va="bottom")
        for index, (key, label) in enumerate(_SERIES):
            found = {step: result[key] for step, result in sorted(results.items()) if key in result}
            if found:
                colour = f"C{index}"
                axes.plot(
                    list(found), [row["J"] for row in found.values()], "o-", ms=3, color=colour, label=f"J, {label}"
                )
                axes.axhline(next(iter(found.values()))["copying"], color=colour, ls=":", lw=0.9)
        axes.set(xlabel="training step", ylabel="J or IoU", ylim=(0, 1), xlim=(0, None))
        axes.legend(frameon=False, loc="upper left", ncols=2, fontsize=7)
        figure.savefig(out)


def main() -> None:
    """Draw from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path)
    parser.add_argument("--results", nargs="*", default=[], metavar="STEP=FILE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.metrics.read_text().splitlines()]
    pairs = (item.split("=", 1) for item in options.results)
    draw(lines, {int(step): json.loads(Path(file).read_text()) for step, file in pairs}, options.out)


if __name__ == "__main__":
    main()
