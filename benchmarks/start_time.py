"""Time what everybody waits for first: `import napari_sam2_probe` (under 50 ms) and `sam2-probe --help`.

python benchmarks/start_time.py [--rounds N]

Each is a process of its own, beside a Python that does nothing, in turns; the median of the rounds is taken, and the
import's is the time inside its process. The tests assert which modules are loaded, not how long it takes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

IMPORT = "import time; t = time.perf_counter(); import napari_sam2_probe; print(time.perf_counter() - t)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    inside, nothing, shown = [], [], []
    for _ in range(rounds):
        said = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
        inside.append(float(said.stdout))
        nothing.append(wall("-c", "pass"))
        shown.append(wall("-m", "napari_sam2_probe.cli", "--help"))
    for what, times in (("import", inside), ("python alone", nothing), ("sam2-probe --help", shown)):
        print(f"{what:18} {1e3 * statistics.median(times):6.0f} ms (best {1e3 * min(times):.0f})")


def wall(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
