"""Damage everything that the package reads, in every way, and print what became of it.

python tools/faults.py                       all cases, as a table; exit 1 if one ends badly
python tools/faults.py --share 0.05 --seed 7 some of them, others than the last time
python tools/faults.py --subject run         of one subject
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.fault_cases import Outcome, cases, table
from helpers.fault_subjects import SUBJECTS

BAD = ("silent", "traceback", "hang")
_MEMORY = 16 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subject", help="those whose name holds this")
    arguments = parser.parse_args()
    # A file that makes the reader take all memory ends in an error, and not in a machine that stands still.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, subject in enumerate(SUBJECTS):
            if arguments.subject and arguments.subject not in subject.name:
                continue
            for outcome in cases(subject, Path(folder) / str(number), share=arguments.share, seed=arguments.seed):
                outcomes.append(outcome)
                if outcome.result in BAD:
                    sys.stderr.write(f"{outcome.result}: {outcome.subject}, {outcome.file}, {outcome.what}\n")
                    sys.stderr.write(f"{outcome.said}\n" if outcome.said else "")
            sys.stderr.write(f"{subject.name}: {len(outcomes)} cases, {time.perf_counter() - began:.0f} s\n")
    sys.stdout.write(f"{table(outcomes, 'subject')}\n\n{table(outcomes, 'kind')}\n")
    return int(any(outcome.result in BAD for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
