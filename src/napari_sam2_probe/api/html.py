"""What a notebook shows of a run: a strip of frames with masks, and a few lines."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.models.caveat import remark

if TYPE_CHECKING:
    from napari_sam2_probe.api.run import Run

_FRAMES = 6


def run_html(run: Run) -> str:
    """Return a run as HTML; where the video is not there any more, without the picture."""
    rows = {
        "video": str(run.info.get("video", {}).get("name", "")),
        "frames": f"{len(run.frames)} of {run._opened.num_frames} tracked{_more(run)}",
        "objects": ", ".join(map(str, run.objects)),
        "model": str(run.info.get("model", {}).get("checkpoint", "")),
        "maps": ", ".join(run.maps),
        "folder": str(run.path),
    }
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    warning = remark(run.info.get("model"))
    said = f"<p><strong>{escape(warning)}</strong></p>" if warning else ""
    return f"<div><strong>Run</strong> {escape(run.name)}{said}{_picture(run)}<table>{lines}</table></div>"


def _more(run: Run) -> str:
    part = run._opened.partly_tracked
    return (f" ({part})" if part else "") + ("" if run.finished else ", unfinished")


def _picture(run: Run) -> str:
    try:
        figure = run.plot.filmstrip(_FRAMES)
    except ProbeError:
        return ""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<p><img alt="frames of the run with masks" src="data:image/png;base64,{data}"></p>'
