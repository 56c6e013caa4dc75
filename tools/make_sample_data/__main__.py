"""Write ``sample_data/`` and its preview: ``python -m tools.make_sample_data [--out DIR] [--preview PNG]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.make_sample_data.dataset import contact_sheet, write_dataset
from tools.make_sample_data.scenes import SCENES

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Parse the command line and write the data set."""
    parser = argparse.ArgumentParser(prog="python -m tools.make_sample_data", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "sample_data", help="folder of the data set")
    parser.add_argument("--preview", type=Path, help="also write a contact sheet of all sequences to this PNG")
    arguments = parser.parse_args()
    for count, name in enumerate(write_dataset(arguments.out), start=1):
        print(f"{count}/{len(SCENES)} {name}", flush=True)
    if arguments.preview is not None:
        sheet = contact_sheet(arguments.out, sorted(SCENES), (0, 13, 26, 39))
        arguments.preview.parent.mkdir(parents=True, exist_ok=True)
        sheet.quantize(256, kmeans=4).save(arguments.preview, optimize=True)


if __name__ == "__main__":
    main()
