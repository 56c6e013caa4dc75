"""Everything that happens to files: cut, flipped bits, other contents, other types, other kinds of file."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.special_files import make_special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SPECIAL = ("link", "circle", "folder", "pipe", "device")
_VALUES: tuple[Any, ...] = (None, -1, 0, 10**30, 1e308, float("nan"), "text", "\ud800", [], {}, [[[]]], True)
_HUGE = 20 << 30


@dataclass(frozen=True)
class Damage:
    """One thing that is done to one file.

    Attributes
    ----------
    kind
        The row of the table: ``cut``, ``flip``, ``content``, ``type``, ``size`` or ``special file``.
    what
        Exactly what.
    do
        Does it to the file at a path.
    """

    kind: str
    what: str
    do: Callable[[Path], None]


def damages(content: bytes, seed: int, flips: int, types: int) -> Iterator[Damage]:
    """Give everything that is done to a file with this content.

    Parameters
    ----------
    content
        What it holds.
    seed
        Decides where.
    flips, types
        How many bits are flipped, and how many values of a JSON file replaced, each by itself.
    """
    rng = random.Random(seed)
    size = len(content)
    for end in sorted({0, 1, size // 4, size // 2, 3 * size // 4, size - 1} - {size}):
        yield _writing("cut", f"first {end} of {size} bytes", content[:end])
    for _ in range(flips):
        place, bit = rng.randrange(size), 1 << rng.randrange(8)
        yield _writing(
            "flip", f"bit {bit} of byte {place}", content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        )
    for share in (0.2, 0.7):
        place = int(share * size)
        yield _writing("flip", f"64 zeros at {place}", content[:place] + bytes(64) + content[place + 64 :])
    yield _writing("content", "noise", rng.randbytes(size))
    yield _writing("content", "another text", b"Dear diary,\n" * 20)
    yield _writing("content", "twice", content * 2)
    yield _writing("content", "lists in lists", b"[" * 100_000)
    yield _writing("content", "UTF-16 without a mark", content[:2000].decode("latin-1").encode("utf-16-le"))
    if types:
        yield from _types(content, rng, types)
    yield Damage("size", f"{_HUGE} bytes", lambda path: _enlarge(path))
    yield Damage("special file", "gone", lambda path: path.unlink())
    for kind in SPECIAL:
        yield Damage("special file", kind, lambda path, kind=kind: make_special(path, kind))


def _writing(kind: str, what: str, content: bytes) -> Damage:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return Damage(kind, what, write)


def _enlarge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(_HUGE)


def _types(content: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    data = json.loads(content)
    places = list(_places(data, ()))
    for _ in range(count):
        place, value = rng.choice(places), rng.choice(_VALUES)
        changed = json.loads(content)
        _put(changed, place, value)
        yield _writing("type", f"{'.'.join(map(str, place))} = {value!r}"[:80], json.dumps(changed).encode())
    for place in rng.sample(places, min(count // 3, len(places))):
        changed = json.loads(content)
        _drop(changed, place)
        yield _writing("type", f"without {'.'.join(map(str, place))}", json.dumps(changed).encode())


def _places(node: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from _places(value, (*at, key))


def _put(data: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        data = data[key]
    data[place[-1]] = value


def _drop(data: Any, place: tuple[Any, ...]) -> None:
    for key in place[:-1]:
        data = data[key]
    del data[place[-1]]
