"""Compute golden_scores.json with the official evaluation.

PYTHONPATH=tests python tests/analysis/make_golden_scores.py CHECKOUT

CHECKOUT is a checkout of github.com/davisvideochallenge/davis2017-evaluation; it needs OpenCV. The file holds its
numbers only, never ours.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from helpers import synthetic_masks


def official_scores(checkout: Path, root: Path, predictions: Path, names: list[str]) -> dict[str, dict[str, list]]:
    """Return, for each sequence, the official per-frame J and F and their mean, recall and decay by object."""
    sys.path.insert(0, str(checkout))
    try:
        from davis2017.evaluation import DAVISEvaluation
        from davis2017.results import Results
        from davis2017.utils import db_statistics
    finally:
        sys.path.remove(str(checkout))

    (root / "ImageSets" / "2017").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("\n".join(names) + "\n")
    # codalab=True only means that the JPEG frames may be missing.
    evaluation = DAVISEvaluation(str(root), "semi-supervised", "val", sequences=names, codalab=True)
    results = Results(root_dir=str(predictions))
    scores = {}
    for name in names:
        truth, _, ids = evaluation.dataset.get_all_masks(name, True)
        truth, ids = truth[:, 1:-1], ids[1:-1]
        region, boundary = evaluation._evaluate_semisupervised(truth, results.read_masks(name, ids), None, ("J", "F"))
        scores[name] = {
            "J": region.tolist(),
            "F": boundary.tolist(),
            "J_summary": [[float(v) for v in db_statistics(row)] for row in region],
            "F_summary": [[float(v) for v in db_statistics(row)] for row in boundary],
        }
    return scores


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, predictions = Path(folder) / "davis", Path(folder) / "predictions"
        synthetic_masks.write(root / "Annotations" / "480p", which=0)
        synthetic_masks.write(predictions, which=1)
        names = list(synthetic_masks.sequences())
        scores = official_scores(Path(sys.argv[1]), root, predictions, names)
    golden = {
        "source": "davisvideochallenge/davis2017-evaluation, semi-supervised task",
        "masks_sha256": synthetic_masks.digest(),
        "scores": scores,
    }
    target = Path(__file__).with_name("golden_scores.json")
    target.write_text(json.dumps(golden, indent=1) + "\n")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
