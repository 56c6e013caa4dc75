"""Train the sample model on rendered clips.

``python -m tools.sample_model.train --out RUN --minutes 65`` starts or, where ``RUN`` has a checkpoint, goes on. The
first part of the time goes into clips of half the resolution, which take a third of the work. The learning rate warms
up and then falls to zero at the end. ``RUN/metrics.jsonl`` gets a line of means every 20 steps, ``RUN/checkpoint.pt``
all that is needed to go on, ``RUN/model.safetensors`` the weights averaged over the last steps, and
``RUN/last.safetensors`` those of the last step. On a machine with other work, one thread (``--threads 1``) gets more
done than several that wait for each other. ``--device cuda`` trains on a GPU, for which larger batches (``--clips 64``)
are rendered by more processes (``--workers 12``).

``--init FILE`` starts from the weights of a file, for a run that refines them:
``--init sample_data/sample_model/model.safetensors --coarse-share 0 --forcing-steps 1 --learning-rate 4.5e-4``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, Dataset

from tools.sample_model.bank import SIZE, Bank, load_bank
from tools.sample_model.losses import losses
from tools.sample_model.model import MEAN, STD, TrainableSAM2, build, explicit_attention
from tools.sample_model.prompts import Prompter
from tools.sample_model.render import ClipRenderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_LEAST_FORCING = 0.15


@dataclass(frozen=True)
class Settings:
    """What a run depends on."""

    minutes: float = 65.0
    seed: int = 0
    learning_rate: float = 6e-4
    weight_decay: float = 0.05
    warmup_steps: int = 60
    forcing_steps: int = 400
    clips: int = 8
    frames: int = 4
    coarse_size: int = 128
    coarse_share: float = 0.72
    averaging: float = 0.99
    """Share of the averaged weights that a step keeps; less in the first steps."""


class Batches(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Batch ``step`` of the run; frames are uint8 on their way between processes."""

    def __init__(self, bank: Bank, settings: Settings, size: int = SIZE) -> None:
        self._renderer, self._settings = ClipRenderer(bank, size), settings

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Render; every other batch has half the clips and twice the frames, one in eight single images for prompts."""
        s, turn = self._settings, step % 8
        clips, frames = (s.clips // 2, 2 * s.frames) if turn % 2 else (s.clips, s.frames)
        if turn == 6:
            clips, frames = 3 * s.clips, 1
        batch = self._renderer.render((s.seed, step), clips=clips, frames=frames)
        return (batch.frames * 255).round().byte(), batch.masks, batch.present


def _optimizers(model: torch.nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside, AdamW for the rest (embeddings, convolutions, norms, last layers)."""
    matrices, plain, vectors = [], [], []
    for name, parameter in model.named_parameters():
        outer = ("embed", "token", "hypernetworks", "score_head", "iou_prediction", "tpos")
        if parameter.ndim == 2 and not any(word in name for word in outer):
            matrices.append(parameter)
        else:
            (plain if parameter.ndim > 1 else vectors).append(parameter)
    groups = [{"params": plain}, {"params": vectors, "weight_decay": 0.0}]
    rate, decay = settings.learning_rate, settings.weight_decay
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, rate, betas=(0.9, 0.98), weight_decay=decay)]
    if matrices:
        found.append(
            torch.optim.Muon(matrices, rate, weight_decay=decay, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        )
    return found


def _steps(model: TrainableSAM2, batch: Any, step: int, settings: Settings) -> dict[str, torch.Tensor]:
    """The losses of one batch."""
    rng = np.random.default_rng((settings.seed, step, 1))
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    device = next(model.parameters()).device
    images, masks, present = (tensor.to(device, non_blocking=True) for tensor in batch)
    model.set_resolution(images.shape[-1])
    frames = (images.float() / 255 - MEAN.to(device)) / STD.to(device)
    forcing = max(_LEAST_FORCING, 0.8 * (1 - step / settings.forcing_steps))
    gap = int(rng.integers(0, 20)) if rng.random() < 0.5 else 0
    attention = explicit_attention() if device.type == "cpu" else nullcontext()
    with torch.autocast(device.type, torch.bfloat16), attention:
        video = frames.shape[1] > 1
        prompter = Prompter.draw(rng, video=video)
        others = [Prompter.draw(rng, video=False) for _ in range(1 if video else 2)]
        found = model(frames, masks, prompter, others, gap=gap, teacher_forcing=forcing, generator=generator)
    return losses(found, masks, present)


def _save(path: Path, write: Any) -> None:
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


class Run:
    """A training run in a folder."""

    def __init__(
        self,
        out: Path,
        settings: Settings,
        clock: Callable[[], float] = time.perf_counter,
        *,
        init: Path | None = None,
        device: str = "cpu",
    ) -> None:
        """Start from random weights or those of the file ``init``, or go on where ``out`` has a checkpoint."""
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.out, self.settings, self.step, self.seconds = out, settings, 0, 0.0
        self._clock = clock
        self.model: TrainableSAM2 = build("tools.sample_model.model.TrainableSAM2").train()
        if init is not None:
            self.model.load_state_dict(load_file(init))
        self.model.to(device)
        self.optimizers = _optimizers(self.model, settings)
        self.averaged = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        if (out / "checkpoint.pt").exists():
            state = torch.load(out / "checkpoint.pt", weights_only=True, map_location=device)
            self.model.load_state_dict(state["model"])
            for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
            self.averaged = state["averaged"]
            self.step, self.seconds = state["step"], state["seconds"]

    @property
    def done(self) -> float:
        """How much of the time allowed is used."""
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def learning_rate(self) -> float:
        """Warm-up by steps, cosine to zero by time."""
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return self.settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * self.done))

    def save(self) -> None:
        """Write the checkpoint and the weights, each at once."""
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }
        _save(self.out / "checkpoint.pt", lambda path: torch.save(state, path))
        for name, state in (("model", self.averaged), ("last", self.model.state_dict())):
            weights = {key: value.half().contiguous().cpu() for key, value in state.items()}
            _save(self.out / f"{name}.safetensors", partial(save_file, weights))

    def _average(self) -> None:
        """Move the averaged weights towards those of this step."""
        keep = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        now = self.model.state_dict()
        torch._foreach_lerp_(list(self.averaged.values()), [now[name] for name in self.averaged], 1 - keep)

    def train(self, batches: Iterator[Any], until: float = 1.0) -> Iterator[dict[str, float]]:
        """Step through batches until a share of the time is over; yields the losses of each step."""
        while self.done < until:
            begin = self._clock()
            parts = _steps(self.model, next(batches), self.step, self.settings)
            parts["total"].backward()
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            rate = self.learning_rate()
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
                if torch.isfinite(norm):
                    optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self._average()
            self.step += 1
            self.seconds += self._clock() - begin
            yield {name: float(part.detach()) for name, part in parts.items()} | {"norm": float(norm), "rate": rate}


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="weights to start from, safetensors")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=1, help="processes that render clips")
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    out, threads, init, device, workers = (
        options.pop(name) for name in ("out", "threads", "init", "device", "workers")
    )
    torch.set_num_threads(threads)
    settings = Settings(**options)
    out.mkdir(parents=True, exist_ok=True)
    bank = load_bank(out / "bank.npz", "train", seed=settings.seed)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1))
    run, saved = Run(out, settings, init=init, device=device), time.monotonic()
    for size, until in ((settings.coarse_size, settings.coarse_share), (SIZE, 1.0)):
        if run.done >= until:
            continue
        batches = Batches(bank, settings, size)
        order = range(run.step, len(batches))
        loader = DataLoader(
            batches,
            batch_size=None,
            sampler=order,
            num_workers=workers,
            prefetch_factor=4,
            pin_memory=device != "cpu",
        )
        means: list[dict[str, float]] = []
        for parts in run.train(iter(loader), until):
            means.append(parts)
            if run.step % 20 == 0:
                line: dict[str, float] = {"step": run.step, "seconds": round(run.seconds, 1), "size": size}
                line |= {name: round(float(np.mean([m[name] for m in means])), 5) for name in parts}
                with (out / "metrics.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
                means.clear()
            if time.monotonic() - saved > 180:
                run.save()
                saved = time.monotonic()
    run.save()


if __name__ == "__main__":
    main()
