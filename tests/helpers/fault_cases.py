"""Every reader against every damage: what was refused in a sentence, and what was wrong without a word."""

from __future__ import annotations

import hashlib
import shutil
import signal
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.damages import damages
from napari_sam2_probe.common.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20
"""After these a case is a hang."""

LONGEST_SENTENCE = 900


@dataclass(frozen=True)
class Subject:
    """Something that is read.

    Attributes
    ----------
    name
        What it is called in the table.
    make
        Writes a sound one into a folder.
    read
        Reads all of it; whatever it returns is compared.
    files
        Which files are damaged, as patterns with how many of the files that match.
    others
        For patterns of files in formats that can't tell that they were changed: what an independent reader makes of
        the tree. A change that it sees too is what the file says.
    flips
        How many bits are flipped in each file.
    listed
        Whether something says which files there are; if not, one that has gone was never there.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    files: dict[str, int]
    others: dict[str, Callable[[Path], object]] = field(default_factory=dict)
    flips: int = 12
    listed: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ``refused``, ``unharmed``, ``as any reader``, ``silent``, ``traceback`` or ``hang``."""

    subject: str
    file: str
    kind: str
    what: str
    result: str
    said: str = ""


class HungError(Exception):
    """A case took too long."""


def cases(subject: Subject, folder: Path, *, share: float = 1.0, seed: int = 0) -> Iterator[Outcome]:
    """Damage every file of a subject in every way and read it.

    Parameters
    ----------
    subject
        What.
    folder
        Where to work; emptied in between.
    share
        How much of all cases to try.
    seed
        Decides where bits are flipped, and which cases are tried.
    """
    sound, work = folder / "sound", folder / "work"
    sound.mkdir(parents=True)
    subject.make(sound)
    shutil.copytree(sound, work, symlinks=True)
    expected = digest(subject.read(work))
    number = 0
    for pattern, count in subject.files.items():
        matching = sorted(path for path in sound.glob(pattern) if path.is_file())
        assert matching, f"{subject.name} has no {pattern}"
        chosen = [matching[index] for index in np.linspace(0, len(matching) - 1, min(count, len(matching))).astype(int)]
        for file in dict.fromkeys(chosen):
            name = file.relative_to(sound)
            types = 12 if file.suffix == ".json" else 0
            for damage in damages(file.read_bytes(), seed + number, subject.flips, types):
                number += 1
                if damage.what == "gone" and not subject.listed:
                    continue
                if (number * 2654435761 + seed) % 1000 >= share * 1000:
                    continue
                damage.do(work / name)
                result, said = _judge(subject, pattern, work, expected)
                _restore(sound / name, work / name)
                yield Outcome(subject.name, name.as_posix(), damage.kind, damage.what, result, said)


def _restore(sound: Path, damaged: Path) -> None:
    if damaged.is_dir() and not damaged.is_symlink():
        shutil.rmtree(damaged)
    else:
        damaged.unlink(missing_ok=True)
    shutil.copy2(sound, damaged)


def _judge(subject: Subject, pattern: str, work: Path, expected: str) -> tuple[str, str]:
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = digest(subject.read(work))
    except ProbeError as error:
        said = str(error)
        is_sentence = "\n" not in said and len(said) < LONGEST_SENTENCE and said.rstrip().endswith((".", "?", ")"))
        return ("refused" if is_sentence else "traceback"), said
    except HungError:
        return "hang", ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "traceback", "".join(traceback.format_exception(error))[-1500:]
    if found == expected:
        return "unharmed", ""
    other = subject.others.get(pattern)
    if other is None:
        return "silent", ""
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = other(work)
    except Exception as error:
        return "silent", f"the other reader refuses: {error!r}"
    return ("as any reader", "") if seen is True or digest(seen) == found else ("silent", "the other reader differs")


@contextmanager
def _limited() -> Iterator[None]:
    def hung(*_: object) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def digest(thing: Any) -> str:
    """Return a hash of anything that readers return: arrays by their bytes, the rest by what it says."""
    hasher = hashlib.sha256()
    for piece in _pieces(thing):
        hasher.update(piece)
        hasher.update(b"\0")
    return hasher.hexdigest()


def _pieces(thing: Any) -> Iterator[bytes]:
    if hasattr(thing, "detach"):
        thing = thing.detach().numpy()
    if isinstance(thing, np.ndarray):
        yield f"{thing.shape} {thing.dtype}".encode()
        yield np.ascontiguousarray(thing).tobytes() if thing.dtype != object else repr(thing.tolist()).encode()
    elif isinstance(thing, dict):
        for key in sorted(thing, key=str):
            yield str(key).encode("utf-8", "surrogatepass")
            yield from _pieces(thing[key])
    elif isinstance(thing, list | tuple):
        yield f"{len(thing)}".encode()
        for item in thing:
            yield from _pieces(item)
    elif is_dataclass(thing) and not isinstance(thing, type):
        for item in fields(thing):
            yield item.name.encode()
            yield from _pieces(getattr(thing, item.name))
    elif hasattr(thing, "to_numpy") and hasattr(thing, "columns"):
        for name in thing.columns:
            yield str(name).encode()
            yield from _pieces(thing[name].to_numpy())
    elif isinstance(thing, Path):
        # Where a case happened to lie.
        yield thing.name.encode()
    else:
        yield repr(thing).encode("utf-8", "surrogatepass")


RESULTS = ("refused", "unharmed", "as any reader", "silent", "traceback", "hang")


def table(outcomes: list[Outcome], by: str) -> str:
    """Return a Markdown table of what became of the cases, by ``subject`` or ``kind``."""
    rows: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        rows.setdefault(getattr(outcome, by), Counter())[outcome.result] += 1
    lines = [f"| {by} | cases | " + " | ".join(RESULTS) + " |", "| --- |" + " --: |" * (1 + len(RESULTS))]
    for name, counts in [*rows.items(), ("**all**", Counter(outcome.result for outcome in outcomes))]:
        numbers = " | ".join(str(counts[result]) for result in RESULTS)
        lines.append(f"| {name} | {counts.total()} | {numbers} |")
    return "\n".join(lines)
