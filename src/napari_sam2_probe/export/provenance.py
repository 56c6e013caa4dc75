"""Where an exported file comes from, in a line that the file carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2_probe.runs.run import ProbeRun

_SHORT = 12
"""Digits of a hash that are enough to find a file by."""


def provenance(run: ProbeRun) -> str:
    """Describe what a run's export was made of and with: video, run, weights with their hash, number format, versions.

    Names only: where things lay on somebody's machine is nobody else's business.
    """
    software, model, video = (_part(run, name) for name in ("software", "model", "video"))
    weights = str(model.get("checkpoint") or "unknown weights")
    # A checkpoint that is a file may be named by its path.
    weights = Path(weights).name if "/" in weights or "\\" in weights else weights
    details = [
        model.get("sha256") and f"SHA-256 {model['sha256'][:_SHORT]}",
        model.get("dtype"),
        software.get("sam2") and f"sam2 {software['sam2']}",
    ]
    about = ", ".join(str(detail) for detail in details if detail)
    version = software.get("napari-sam2-probe", "of an unknown version")
    name = run.info.get("title") or Path(run.path).resolve().name
    return (
        f"Run {name} of the video {video.get('name', 'unknown')}, tracked by napari-sam2-probe {version} with {weights}"
        f"{f' ({about})' if about else ''}{f'; only {run.partly_tracked} tracked' if run.partly_tracked else ''}"
    )


def _part(run: ProbeRun, name: str) -> dict[str, Any]:
    part = run.info.get(name)
    return part if isinstance(part, dict) else {}
