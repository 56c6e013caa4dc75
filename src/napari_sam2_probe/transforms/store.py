"""A data set of clips on disk: DAVIS layout, ``clips.jsonl`` and ``frames.csv`` (SPEC 3).

A clip is made in a hidden folder and moved to its place; the record that is written last says that it is whole.
``dataset.json`` tells what was asked for and whether all of it is there. No file holds a time or an absolute path.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text, disk_error
from napari_sam2_probe.transforms.recipe import clip_name, make_twin_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.encoding import Encoder
    from napari_sam2_probe.transforms.plan import Order
    from napari_sam2_probe.transforms.recipe import Recipe

FRAME_COLUMNS = (
    "clip",
    "frame",
    "source_sequence",
    "source_frame",
    "object_present",
    "context_present",
    "obscured_fraction",
)
"""Columns of ``frames.csv``, a row a frame."""

_RESOLUTION = "480p"


@dataclass(frozen=True, slots=True)
class ClipStore:
    """The folder of a data set of clips.

    Attributes
    ----------
    folder
        Where it is.
    lossless
        Frames as PNG instead of JPEG.
    """

    folder: Path
    lossless: bool = False

    @property
    def _unfinished(self) -> Path:
        return self.folder / ".unfinished"

    @property
    def _configuration_file(self) -> Path:
        return self.folder / "dataset.json"

    def check(self, configuration: dict[str, Any]) -> bool:
        """Tell whether the data set is finished; write nothing.

        Parameters
        ----------
        configuration
            What is asked for; see `describe`.

        Raises
        ------
        InputError
            If the folder holds something else, or clips of another configuration.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is a file: choose a folder for the clips.")
        if not self._configuration_file.is_file():
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder} is not empty and holds no clips: choose a new folder.")
            return False
        try:
            stored = json.loads(self._configuration_file.read_text(encoding="utf-8"))
            before, finished = stored["configuration"], bool(stored["finished"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self._configuration_file} can't be read: choose a new folder.") from error
        different = [
            # A hash would tell nobody anything.
            "data set" if key == "source" else f"{key} ({before.get(key)} before, {now} now)"
            for key, now in configuration.items()
            if before.get(key) != now
        ]
        if different:
            raise InputError(
                f"{self.folder} holds clips made with another {' and '.join(different)}: choose a new folder, or give "
                "the same arguments to go on."
            )
        return finished

    def begin(self, configuration: dict[str, Any]) -> None:
        """Make the folder and note what will be in it."""
        self._write_configuration(configuration, finished=False)

    def is_whole(self, name: str) -> bool:
        """Tell whether a clip and its record are there."""
        return self._record_file(name).is_file()

    def write_clip(self, name: str, recipe: Recipe, clip: Clip, encoder: Encoder) -> None:
        """Write a clip; it is either whole or not there.

        Parameters
        ----------
        name
            The clip's name.
        recipe, clip
            The clip, and what it was made from.
        encoder
            Encodes frames as `lossless` says.

        Raises
        ------
        ResourceError
            If the disk is full.
        """
        places = [self.folder / part / _RESOLUTION / name for part in ("Annotations", "JPEGImages")]
        working = self._unfinished / name
        for leftover in (working, *places):
            shutil.rmtree(leftover, ignore_errors=True)
        masks, frames = working / "masks", working / "frames"
        suffix = ".png" if self.lossless else ".jpg"
        try:
            masks.mkdir(parents=True)
            frames.mkdir()
            for t in range(clip.num_frames):
                (masks / f"{t:05d}.png").write_bytes(encoder.mask(clip, t, recipe))
                (frames / f"{t:05d}{suffix}").write_bytes(encoder.frame(clip, t))
            for source, place in zip((masks, frames), places, strict=True):
                place.parent.mkdir(parents=True, exist_ok=True)
                source.rename(place)
            working.rmdir()
        except OSError as error:
            raise disk_error(error, self.folder) from error
        atomic_write_text(self._record_file(name), json.dumps(_record(name, recipe, clip), ensure_ascii=False))

    def finish(self, names: Iterable[str], configuration: dict[str, Any]) -> None:
        """Write the tables from the records of all clips, and note that all is there."""
        records = [json.loads(self._record_file(name).read_text(encoding="utf-8")) for name in names]
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(FRAME_COLUMNS)
        for record in records:
            writer.writerows(record["frames"])
        atomic_write_text(self.folder / "frames.csv", table.getvalue())
        lines = [json.dumps(record["recipe"], ensure_ascii=False) + "\n" for record in records]
        atomic_write_text(self.folder / "clips.jsonl", "".join(lines))
        split = "".join(f"{record['recipe']['clip']}\n" for record in records)
        atomic_write_text(self.folder / "ImageSets" / "2017" / "val.txt", split)
        self._write_configuration(configuration, finished=True)
        self.clean_up()

    def clean_up(self) -> None:
        """Remove what is only needed until the data set is finished."""
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _record_file(self, name: str) -> Path:
        return self._unfinished / "records" / f"{name}.json"

    def _write_configuration(self, configuration: dict[str, Any], *, finished: bool) -> None:
        content = {"finished": finished, "configuration": configuration}
        atomic_write_text(self._configuration_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def describe(order: Order, samples: int, *, lossless: bool, source: str) -> dict[str, Any]:
    """Return what decides the bytes of a data set of clips, as it is stored in ``dataset.json``.

    Parameters
    ----------
    order
        What the clips are.
    samples
        How many.
    lossless
        Whether frames are PNG.
    source
        The fingerprint of the data set that they are made from.
    """
    configuration = {**asdict(order), "samples": samples, "lossless": lossless, "source": source}
    configuration["version"] = __version__
    # What is compared with a stored configuration has gone through JSON too.
    described: dict[str, Any] = json.loads(json.dumps(configuration))
    return described


def _record(name: str, recipe: Recipe, clip: Clip) -> dict[str, Any]:
    """Return a clip's lines of ``clips.jsonl`` and ``frames.csv``."""
    twin = None if recipe.kind == "clean" else clip_name(make_twin_recipe(recipe).kind, recipe.number)
    frames = [
        (
            name,
            t,
            clip.source_sequence[t],
            int(clip.source_frame[t]),
            bool(clip.object_present[t]),
            bool(clip.context_present[t]),
            "" if math.isnan(fraction) else f"{fraction:.6f}",
        )
        for t, fraction in enumerate(clip.obscured_fraction.tolist())
    ]
    return {"recipe": {"clip": name, "twin": twin, **recipe.to_dict()}, "frames": frames}
