"""Write the lowest version of every direct dependency that pyproject.toml allows, as constraints for pip::

    python tools/lowest_versions.py napari distributed > lowest.txt
    pip install -c lowest.txt --no-build-isolation -e '.[napari,distributed,test]'

Named are the extras that count beside the core. What has no lower bound, and what others bring, is left to pip.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_FLOORS = (">=", "==", "~=")


def lowest_versions(extras: list[str]) -> dict[str, Version]:
    """Return name -> lowest version of the core's requirements and those of `extras` that hold on this Python."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    lowest: dict[str, Version] = {}
    for requirement in map(Requirement, lines):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        floors = [Version(clause.version) for clause in requirement.specifier if clause.operator in _FLOORS]
        name = canonicalize_name(requirement.name)
        if floors:
            lowest[name] = max([*floors, *([lowest[name]] if name in lowest else [])])
    return lowest


def main() -> None:
    """Print the constraints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    for name, version in sorted(lowest_versions(parser.parse_args().extras).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
