"""Train the sample model on rendered clips.

``python -m tools.sample_model.train --out RUN --minutes 65`` starts or, where ``RUN`` has a checkpoint, goes on. The
first part of the time goes into clips of half the resolution, which take a third of the work. The learning rate warms
up and then falls to zero at the end. ``RUN/metrics.jsonl`` gets a line of means every 20 steps, ``RUN/checkpoint.pt``
all that is needed to go on, ``RUN/model.safetensors`` the weights. On a machine with other work, one thread
(``--threads 1``) gets more done than several that wait for each other.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
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


class Batches(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Batch ``step`` of the run; frames are uint8 on their way between processes."""

    def __init__(self, bank: Bank, settings: Settings, size: int = SIZE) -> None:
        self._renderer, self._settings = ClipRenderer(bank, size), settings

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Render; of four batches one has half the clips and twice the frames, one has single images for prompts."""
        s, turn = self._settings, step % 4
        clips, frames = {2: (s.clips // 2, 2 * s.frames), 3: (3 * s.clips, 1)}.get(turn, (s.clips, s.frames))
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
    images, masks, present = batch
    model.set_resolution(images.shape[-1])
    frames = (images.float() / 255 - MEAN) / STD
    forcing = max(_LEAST_FORCING, 0.8 * (1 - step / settings.forcing_steps))
    gap = int(rng.integers(0, 20)) if rng.random() < 0.5 else 0
    with torch.autocast("cpu", torch.bfloat16), explicit_attention():
        prompter = Prompter.draw(rng, video=frames.shape[1] > 1)
        found = model(frames, masks, prompter, gap=gap, teacher_forcing=forcing, generator=generator)
    return losses(found, masks, present)


def _save(path: Path, write: Any) -> None:
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


class Run:
    """A training run in a folder."""

    def __init__(self, out: Path, settings: Settings, clock: Callable[[], float] = time.perf_counter) -> None:
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.out, self.settings, self.step, self.seconds = out, settings, 0, 0.0
        self._clock = clock
        self.model: TrainableSAM2 = build("tools.sample_model.model.TrainableSAM2").train()
        self.optimizers = _optimizers(self.model, settings)
        if (out / "checkpoint.pt").exists():
            state = torch.load(out / "checkpoint.pt", weights_only=True)
            self.model.load_state_dict(state["model"])
            for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
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
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }
        _save(self.out / "checkpoint.pt", lambda path: torch.save(state, path))
        weights = {name: value.half().contiguous() for name, value in self.model.state_dict().items()}
        _save(self.out / "model.safetensors", lambda path: save_file(weights, path))

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
            self.step += 1
            self.seconds += self._clock() - begin
            yield {name: float(part.detach()) for name, part in parts.items()} | {"norm": float(norm), "rate": rate}


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    out, threads = options.pop("out"), options.pop("threads")
    torch.set_num_threads(threads)
    settings = Settings(**options)
    out.mkdir(parents=True, exist_ok=True)
    bank = load_bank(out / "bank.npz", "train", seed=settings.seed)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1))
    run, saved = Run(out, settings), time.monotonic()
    for size, until in ((settings.coarse_size, settings.coarse_share), (SIZE, 1.0)):
        batches = Batches(bank, settings, size)
        order = range(run.step, len(batches))
        loader = DataLoader(batches, batch_size=None, sampler=order, num_workers=1, prefetch_factor=4)
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
