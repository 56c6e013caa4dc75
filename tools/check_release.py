"""Make sure that everything names the version that is to be released: python tools/check_release.py 1.2.3."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def stated() -> dict[str, str]:
    """Return the version that each file names; an empty text where it names none."""
    found = {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    }
    for file, pattern in {
        "src/napari_sam2_probe/__init__.py": r'^__version__ = "(.+)"$',
        "CITATION.cff": r"^version: (.+)$",
        "CHANGELOG.md": r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$",
    }.items():
        match = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        found[file] = match[1] if match else ""
    return found


def main() -> int:
    (version,) = sys.argv[1:]
    wrong = {file: there for file, there in stated().items() if there != version}
    for file, there in wrong.items():
        sys.stderr.write(f"{file} names {there or 'no version'}, not {version}.\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
