"""Track a sample video with the sample model, and pack the run as File → Open Sample opens it.

    .venv/bin/python tools/make_sample_run.py

Do so again after the sample model or the format of runs has changed.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

VIDEO = "cat"


def main() -> None:
    from napari_sam2_probe.common.sample_data import sample_data_folder
    from napari_sam2_probe.families.loaded import ModelChoice, load_model
    from napari_sam2_probe.runs.record import record_run
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video import DavisDataset

    sequence = DavisDataset(sample_data_folder()).sequence(VIDEO)
    loaded = load_model(ModelChoice("sample", device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        prompt = Prompt.from_mask(0, 1, sequence.mask(0) == 1)
        record_run(sequence.frames, [prompt], run, loaded)
        info = json.loads((run / "run.json").read_text())
        # No path of this machine, and nothing that differs from one time to the next.
        info["video"]["path"] = VIDEO
        info["times"] = {"started": "", "finished": "", "seconds": 0}
        (run / "run.json").write_text(json.dumps(info, indent=2) + "\n")
        with zipfile.ZipFile(
            sample_data_folder() / "sample_run.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as out:
            for file in sorted(path for path in run.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(str(file.relative_to(run)), (2026, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                out.writestr(entry, file.read_bytes(), compresslevel=9)


if __name__ == "__main__":
    main()
