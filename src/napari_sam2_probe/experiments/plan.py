"""Which clips go through SAM 2 together, fixed when an experiment is begun: batches move float32 results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.transforms.recipe import clip_name
from napari_sam2_probe.transforms.registry import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips that are tracked together, and whose results are there together or not at all.

    Attributes
    ----------
    name
        The kind and a running number.
    kind
        Their kind.
    clips
        Their names.
    """

    name: str
    kind: str
    clips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything but the configuration that decides the bytes of the results.

    Attributes
    ----------
    batch_size
        Clips in a batch; the last one of a kind may have fewer.
    threads
        Processor threads of each process that tracks.
    batches
        In the order of the tables.
    """

    batch_size: int
    threads: int
    batches: tuple[Batch, ...]

    def in_turn(self) -> list[Batch]:
        """Return the batches in the order of work: kinds take turns, so that half an experiment holds all kinds."""
        places: dict[str, int] = {}
        turns = []
        for index, batch in enumerate(self.batches):
            turn = places[batch.kind] = places.get(batch.kind, -1) + 1
            turns.append((turn, index, batch))
        return [batch for _, _, batch in sorted(turns, key=lambda item: item[:2])]


def make_plan(kinds: Sequence[str], samples: int, batch_size: int, threads: int) -> Plan:
    """Divide `samples` clips of each kind into batches."""
    batches = []
    for kind in kinds:
        names = [clip_name(kind, number) for number in range(samples)]
        for start in range(0, samples, batch_size):
            name = f"{kind}-{start // batch_size:04d}"
            batches.append(Batch(name, kind, tuple(names[start : start + batch_size])))
    return Plan(batch_size, threads, tuple(batches))


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan as JSON."""
    atomic_write_text(path, json.dumps(asdict(plan), indent=1) + "\n")


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises
    ------
    InputError
        If the file is damaged, or holds other batches than `make_plan` makes: names of batches and clips become
        paths.
    """
    damaged = InputError(f"{path}: the plan of the experiment is damaged; start a new experiment.")
    try:
        fields = load_json(path)
        batches = tuple(Batch(b["name"], b["kind"], tuple(b["clips"])) for b in fields["batches"])
        plan = Plan(fields["batch_size"], fields["threads"], batches)
        kinds = tuple(dict.fromkeys(batch.kind for batch in batches))
        samples = sum(len(batch.clips) for batch in batches) // max(1, len(kinds))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise damaged from error
    numbers = (plan.batch_size, plan.threads)
    if any(type(number) is not int or number < 1 for number in numbers) or not set(kinds) <= KINDS.keys():
        raise damaged
    # An experiment has one clip at least.
    if not batches or plan != make_plan(kinds, samples, *numbers):
        raise damaged
    return plan
