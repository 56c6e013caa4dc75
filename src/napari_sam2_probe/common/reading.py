"""Files that others may have written: read completely, or refused by two kinds of error.

Whoever reads bytes, text, JSON, JSON lines, CSV, TOML or YAML reads them here, Parquet in
`napari_sam2_probe.common.parquet` and zarr in `napari_sam2_probe.runs.zarr_store`. All of these know what a file may be
instead of what it is called: a pipe that would be waited for without end, a device without end, gigabytes, another
encoding, lists in lists without end. They raise

* an `OSError` where the system refuses (not there, a folder, no permission), and
* a `ValueError` where the contents can't be used,

and `why` says either of them in a few words.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

MOST_BYTES = 1 << 28
"""Larger files are not read: what we write stays far below, also for videos of a million frames."""

_DEEPEST = 100
"""Lists in lists; nothing of ours goes beyond ten."""

_MOST_NODES = 100_000
"""Of a YAML file once its aliases are resolved; the largest configuration of SAM 2 has 200."""

_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def why(error: Exception) -> str:
    """Say in a few words why a file could not be read."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    words = " ".join(str(said).split()).rstrip(".")
    return words if len(words) <= 200 else f"{words[:200]}..."


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what an ordinary file holds.

    Parameters
    ----------
    path
        The file.
    most
        Larger ones are refused.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        If it is no ordinary file, or too large.
    """
    with _opened(path, most) as file:
        # No more than there is: room for it is made at once.
        return file.read(os.fstat(file.fileno()).st_size)


@contextmanager
def _opened(path: Path, most: int | None) -> Iterator[BufferedReader]:
    # A pipe would be waited for without end, already when it is opened.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is no ordinary file")
        if most is not None and about.st_size > most:
            raise ValueError(f"it has {about.st_size} bytes")
        yield file


def file_sha256(path: Path, most: int | None = None) -> str:
    """Return the SHA-256 of an ordinary file as 64 hexadecimal digits.

    Parameters
    ----------
    path
        The file.
    most
        Larger ones are refused; of any size if None.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        If it is no ordinary file, or too large.
    """
    with _opened(path, most) as file:
        return hashlib.file_digest(cast("Any", file), "sha256").hexdigest()


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a file: UTF-8, or UTF-16 that says so by its first bytes; line ends as they are.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        If it is no ordinary file, too large, or no such text.
    """
    return decode(read_bytes(path, most))


def decode(content: bytes) -> str:
    """Return the text that bytes are; see `read_text`.

    Raises
    ------
    ValueError
        If they are none.
    """
    encoding = next((name for start, name in _ENCODINGS if content.startswith(start)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no text in UTF-8") from error
    if "\0" in text:
        raise ValueError("it holds zero bytes, so it is no text in UTF-8")
    return text


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        As `read_text` and `parse_json`.
    """
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """Return what a text in JSON says.

    Raises
    ------
    ValueError
        If it is no JSON, nested too deeply, or says two things under one name.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column; a row that is too short has empty cells.

    Parameters
    ----------
    path
        The file.
    columns
        Those that must be there.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        As `read_text`; if a column is missing, a row has more cells than there are columns, or the last row is cut.
    """
    text = read_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if any(None in row for row in rows):
        raise ValueError("a row has more cells than there are columns")
    return rows


def load_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        As `read_text`; if it is no TOML or nested too deeply.
    """
    import tomllib

    text = read_text(path)
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_yaml(path: Path) -> str:
    """Return the text of a YAML file that is no larger once its aliases are resolved than it looks.

    The text, for a reader that has its own types; nothing in it has run, and reading it makes no more than some
    hundred thousand values.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        As `read_text`; if it is no YAML, nested too deeply, holds itself, or grows without measure.
    """
    import yaml  # type: ignore[import-untyped]

    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None and _count_nodes(node, {}, 0) > _MOST_NODES:
            raise ValueError("its aliases make more of it than any configuration is")
    except yaml.YAMLError as error:
        raise ValueError(why(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return text


def _count_nodes(node: Any, known: dict[int, int], depth: int) -> int:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply, or holds itself")
    if id(node) in known:
        return known[id(node)]
    if isinstance(node.value, str):
        return 1
    parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    known[id(node)] = 1 + sum(_count_nodes(part, known, depth + 1) for part in parts)
    return known[id(node)]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it says {ascii(twice)[:40]} twice")
    return content
