"""Run the benchmarks that need nothing but this repository, and print one table with machine and date.

    python benchmarks/run_all.py                 about half an hour on two cores
    python benchmarks/run_all.py --only start memory --seconds 120

Each is a process of its own with its own `--help`. A benchmark that says that a bound doesn't hold, by its exit code,
is marked. Run it on a machine that does nothing else: the load at the start is printed too.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS: dict[str, tuple[str, list[str]]] = {
    "start": ("start of the command, import", ["start_time.py", "--rounds", "7"]),
    "open": ("opening a run of 2,000 frames", ["opening.py"]),
    "memory": ("memory, 200 and 2,000 frames", ["memory_growth.py"]),
    "soak": ("memory, one long recorded run", ["soak.py"]),
    "transform": ("making clips", ["transform_throughput.py"]),
    "probe": ("a frame probed, against the stock predictor", ["probe_overhead.py"]),
    "plots": ("dock of features, values to pixels", ["plot_drawing.py"]),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--seconds", type=float, default=3600, help="the most that each may take")
    arguments = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    print(f"{machine()}, Python {platform.python_version()}, {datetime.date.today():%d %B %Y}{load}\n")
    print("| what | measured | took |\n| --- | --- | --: |")
    failed = 0
    for name in arguments.only:
        title, words = BENCHMARKS[name]
        began = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, str(FOLDER / words[0]), *words[1:]],
                capture_output=True,
                text=True,
                timeout=arguments.seconds,
            )
            said, code = done.stdout.strip() or done.stderr.strip().splitlines()[-1:], done.returncode
        except subprocess.TimeoutExpired:
            said, code = "stopped: it took too long", 1
        lines = said.splitlines() if isinstance(said, str) else list(said)
        failed += code != 0
        mark = "" if code == 0 else " **(its bound doesn't hold, or it failed)**"
        cell = "<br>".join(" ".join(line.split()).replace("|", "\\|") for line in lines)
        print(f"| {title} | {cell}{mark} | {time.perf_counter() - began:.0f} s |", flush=True)
    return int(failed > 0)


def machine() -> str:
    """Name the processor as the system does."""
    names = []
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}, {platform.system()}"


if __name__ == "__main__":
    sys.exit(main())
