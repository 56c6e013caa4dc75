"""A data set of clips on disk: DAVIS layout, ``clips.jsonl`` and ``frames.csv``.

A clip is made in a hidden folder and moved to its place; the record that is written last says that it is complete.
``dataset.json`` tells what was asked for and whether all of it is there; before that is believed, files and tables are
looked at. One process at a time writes. No file holds a time or an absolute path.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.files import atomic_write_text, disk_error, is_empty, remove_leftovers
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.names import check_inside, inside
from napari_sam2_probe.common.paths import check_name, free_name
from napari_sam2_probe.common.reading import load_json, parse_json
from napari_sam2_probe.transforms.plan import DRAWING
from napari_sam2_probe.transforms.recipe import clip_name, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.images import is_image_file
from napari_sam2_probe.video.truth import FRAME_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_sam2_probe.transforms.catalogue import Catalogue
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.encoding import Encoder
    from napari_sam2_probe.transforms.plan import ClipSpec
    from napari_sam2_probe.transforms.recipe import Recipe

_PARTS = ("Annotations", "JPEGImages")
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
        """Tell whether the data set says that it is finished; write nothing. Whether it is, `is_complete` tells.

        Parameters
        ----------
        configuration
            What is asked for; see `describe`.

        Raises
        ------
        InputError
            If the folder holds something else, or clips of another configuration.
        """
        check_name(self.folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is a file: choose a folder for the clips.")
        if not self._configuration_file.is_file():
            if self.folder.is_dir() and not is_empty(self.folder):
                raise InputError(
                    f"{self.folder} is not empty and holds no clips: choose a new folder, such as "
                    f"{free_name(self.folder)}."
                )
            return False
        try:
            stored = load_json(self._configuration_file)
            before, finished = dict(stored["configuration"]), bool(stored["finished"])
        except (OSError, ValueError, KeyError, TypeError) as error:
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

    def source_of(self, catalogue: Catalogue) -> str:
        """Return a data set's fingerprint, in the way of an earlier version where the folder was begun with that."""
        earlier = catalogue.fingerprint_of_areas()
        try:
            begun_with = load_json(self._configuration_file)["configuration"]["source"]
        except (OSError, ValueError, LookupError, TypeError):
            begun_with = None
        return earlier if begun_with == earlier else catalogue.fingerprint()

    def is_complete(self, names: Sequence[str]) -> bool:
        """Tell whether the clips `names` of a finished data set, and their rows in the tables, are all there."""
        records = self._stored_records()
        if any(name not in records or not self._has_files(name, records[name]) for name in names):
            return False
        # Nothing else, and in this order.
        return all(self._text(path) == text for path, text in self._tables([records[name] for name in names]))

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Make the folder, and let nobody else write into it while the block runs.

        Raises
        ------
        InputError
            If another process does.
        ResourceError
            If the folder can't be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"{self.folder} can't be made ({error.strerror or error}): choose a place where you may write."
            ) from error
        with exclusive_lock(self.folder, "the clips in"):
            yield

    def begin(self, configuration: dict[str, Any], names: Sequence[str]) -> list[int]:
        """Note what will be in the folder, and return the numbers of the clips that are not complete yet.

        Of a data set that was finished and has lost something since, the clips that are complete are kept.

        Raises
        ------
        InputError
            If a link leads out of the folder.
        """
        sets = [self.folder / part / _RESOLUTION for part in _PARTS]
        check_inside(self.folder, self._records, self._split_file.parent, *sets)
        remove_leftovers(self.folder, self._split_file.parent, self._records)
        if not self._records.is_dir():
            records = self._stored_records()
            for name in names:
                if name in records and self._has_files(name, records[name]):
                    self._write_record(name, records[name])
        self._write_configuration(configuration, finished=False)
        return [number for number, name in enumerate(names) if not self._is_whole(name)]

    def write_clip(self, name: str, recipe: Recipe, clip: Clip, encoder: Encoder) -> None:
        """Write a clip; it is either complete or not there.

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
        places = [inside(self.folder, part, _RESOLUTION, name) for part in _PARTS]
        working = self._unfinished / name
        for leftover in (working, *places):
            shutil.rmtree(leftover, ignore_errors=True)
        masks, frames = working / "masks", working / "frames"
        try:
            masks.mkdir(parents=True)
            frames.mkdir()
            for t in range(clip.num_frames):
                (masks / f"{t:05d}.png").write_bytes(encoder.mask(clip, t, recipe))
                (frames / f"{t:05d}{self._suffix}").write_bytes(encoder.frame(clip, t))
            for source, place in zip((masks, frames), places, strict=True):
                place.parent.mkdir(parents=True, exist_ok=True)
                source.rename(place)
            working.rmdir()
        except OSError as error:
            raise disk_error(error, self.folder) from error
        self._write_record(name, _record(name, recipe, clip))

    def finish(self, names: Sequence[str], configuration: dict[str, Any]) -> None:
        """Write the tables from the records of all clips, and note that all is there.

        Raises
        ------
        ResourceError
            If something else has removed a clip meanwhile.
        """
        for name in names:
            if not self._is_whole(name):
                raise ResourceError(
                    f"{self.folder}: the clip {name}, which was made, is gone or no longer complete; run the command "
                    "again, and let nothing else write there meanwhile."
                )
        files = {}
        for path, text in self._tables([self._record(name) for name in names]):
            atomic_write_text(path, text)
            files[path.name] = hashlib.sha256(text.encode()).hexdigest()
        self._write_configuration(configuration, finished=True, files=files)
        self._remove_unfinished()

    def clean_up(self) -> None:
        """Remove what a process left that was killed when all was there, unless somebody is at work on it."""
        if self._unfinished.is_dir():
            with suppress(InputError, ResourceError), self.locked():
                self._remove_unfinished()

    @property
    def _suffix(self) -> str:
        return ".png" if self.lossless else ".jpg"

    @property
    def _records(self) -> Path:
        return self._unfinished / "records"

    @property
    def _split_file(self) -> Path:
        return self.folder / "ImageSets" / "2017" / "val.txt"

    def _remove_unfinished(self) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _is_whole(self, name: str) -> bool:
        try:
            return self._has_files(name, self._record(name))
        except (OSError, ValueError, LookupError, TypeError):
            return False

    def _has_files(self, name: str, record: dict[str, Any]) -> bool:
        """Tell whether a clip has a mask and a frame, none of them empty, for every row, and no further ones."""
        for part, suffix in zip(_PARTS, (".png", self._suffix), strict=True):
            wanted = {f"{t:05d}{suffix}" for t in range(len(record["frames"]))}
            try:
                with os.scandir(self.folder / part / _RESOLUTION / name) as entries:
                    there = {e.name for e in entries if is_image_file(e.name) and e.is_file() and e.stat().st_size}
            except OSError:
                return False
            if there != wanted:
                return False
        return True

    def _tables(self, records: Sequence[dict[str, Any]]) -> list[tuple[Path, str]]:
        """Return what is written beside the clips: which file, and its text."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(FRAME_COLUMNS)
        for record in records:
            writer.writerows(record["frames"])
        lines = [json.dumps(record["recipe"], ensure_ascii=False) + "\n" for record in records]
        split = "".join(f"{record['recipe']['clip']}\n" for record in records)
        return [
            (self.folder / "frames.csv", table.getvalue()),
            (self.folder / "clips.jsonl", "".join(lines)),
            (self._split_file, split),
        ]

    def _stored_records(self) -> dict[str, dict[str, Any]]:
        """Return the records of those clips of a finished data set that have a recipe and one row a frame."""
        table = csv.reader(io.StringIO(self._text(self.folder / "frames.csv"), newline=""))
        frames: dict[str, list[list[str]]] = {}
        try:
            if tuple(next(table, ())) != FRAME_COLUMNS:
                return {}
            for row in filter(None, table):
                frames.setdefault(row[0], []).append(row)
        except csv.Error:
            return {}
        records = {}
        for line in self._text(self.folder / "clips.jsonl").split("\n"):
            try:
                recipe = parse_json(line)
                name = recipe["clip"]
                own = frames.get(name, [])
            except (ValueError, LookupError, TypeError):
                continue
            numbers = [row[1] for row in own if len(row) == len(FRAME_COLUMNS)]
            if own and numbers == [str(t) for t in range(len(own))]:
                records[name] = {"recipe": recipe, "frames": own}
        return records

    def _text(self, path: Path) -> str:
        try:
            # Bytes first: universal newlines would hide those that are not ours.
            return path.read_bytes().decode("utf-8") if path.is_file() else ""
        except (OSError, ValueError):
            return ""

    def _record(self, name: str) -> dict[str, Any]:
        record: dict[str, Any] = load_json(self._record_file(name))
        return record

    def _write_record(self, name: str, record: dict[str, Any]) -> None:
        atomic_write_text(self._record_file(name), json.dumps(record, ensure_ascii=False))

    def _record_file(self, name: str) -> Path:
        return self._records / f"{name}.json"

    def _write_configuration(
        self, configuration: dict[str, Any], *, finished: bool, files: dict[str, str] | None = None
    ) -> None:
        content: dict[str, Any] = {"finished": finished, "configuration": configuration}
        content |= {"files": files} if files else {}
        atomic_write_text(self._configuration_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def describe(order: ClipSpec, samples: int, *, lossless: bool, source: str) -> dict[str, Any]:
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
    # The same data set is the same configuration, whether defaults were written out or not.
    configuration["options"] = KINDS.find(order.kind).read_options(order.options)
    configuration["drawing"] = DRAWING
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
