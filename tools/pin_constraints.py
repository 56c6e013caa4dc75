"""Write constraints.txt: the version of every package this project needs, as installed in this environment.

Run it in an environment that was installed without constraints, with every extra, and whose tests pass::

    python -m venv /tmp/newest && /tmp/newest/bin/pip install -e '.[all,pyside6,distributed,docs,test]'
    /tmp/newest/bin/python tools/pin_constraints.py

Left out are what PyTorch brings for one platform only (its own exact requirements pin those) and local versions
(``+cpu``), so that the file holds on every platform and on Python 3.11 to 3.14.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = "napari-sam2-probe"
BUILD_TOOLS = ("setuptools", "wheel")
PLATFORM_ONLY = re.compile(r"^(nvidia-|cuda-|triton$|pyside6-(pdf|webengine)$)")
TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
HEADER = """\
# The versions every set-up gets, so that a new release of a dependency breaks nobody's.
# Written by tools/pin_constraints.py from an environment in which all tests pass; Python 3.11 to 3.14.
"""


def closure(root: str) -> dict[str, str]:
    """Return name -> version of everything `root` needs, with all of its own extras."""
    extras = metadata.metadata(root).get_all("Provides-Extra") or []
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(root, extra) for extra in ["", *extras]] + [(tool, "") for tool in BUILD_TOOLS]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if extra == "":
                print(f"not installed here, so not pinned: {name}")
            continue
        if name != root:
            pins[canonicalize_name(name)] = Version(distribution.version).public
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                child = canonicalize_name(requirement.name)
                waiting += [(child, wanted) for wanted in ["", *requirement.extras]]
    return pins


def main() -> None:
    """Write the file."""
    pins = {name: version for name, version in closure(PROJECT).items() if not PLATFORM_ONLY.match(name)}
    lines = [f"{name}=={version}" for name, version in sorted(pins.items())]
    TARGET.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    print(f"{TARGET.name}: {len(lines)} versions")


if __name__ == "__main__":
    main()
