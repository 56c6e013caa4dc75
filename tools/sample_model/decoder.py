"""Fit the pointer decoder that ships beside the sample model.

``python -m tools.sample_model.decoder --tracks TRACKS.npz --davis ROOT --out FILE`` tracks rendered clips with the
shipped model from the mask of their first frame, fits a decoder to those of the training bank, and measures it on those
of the held-out bank, on the sample videos (of which the training bank has pieces) and on DAVIS (which it has nothing
of). ``TRACKS.npz`` keeps the pointers of rendered clips, so that another fit need not track again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sam2_probe.decoder.file import save_decoder
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderOptions, DecoderReport, fit_decoder, judge_decoder
from napari_sam2_probe.decoder.record import collect_pointers, track_pointers
from napari_sam2_probe.decoder.tracks import PointerTrack
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.davis import DavisDataset
from tools.sample_model.bank import build_bank
from tools.sample_model.evaluate import LENGTH
from tools.sample_model.model import CONFIG
from tools.sample_model.render import ClipRenderer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.families.loaded import Model
    from tools.sample_model.bank import Bank

HELD_OUT = "held-out"
"""What the names of clips begin with that the decoder is measured on."""

_SEED = 30_000
_FIELDS = ("frames", "pointers", "boxes", "object_scores")


@dataclass(frozen=True)
class RenderedVideo:
    """A clip as the project's own functions take videos with masks."""

    frames: ArraySource
    masks: NDArray[np.bool_]

    def mask(self, frame_idx: int) -> NDArray[np.uint8]:
        """The label image of a frame: 1 where the target is visible."""
        return self.masks[frame_idx].astype(np.uint8)


def rendered_videos(bank: Bank, name: str, count: int, length: int) -> Iterator[RenderedVideo]:
    """Clips of other random numbers than those of training and of the measured J; nothing happens to their targets."""
    renderer = ClipRenderer(bank)
    for index in range(count):
        batch = renderer.render((_SEED, index), clips=1, frames=length, event="none")
        frames = (batch.frames[0] * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
        yield RenderedVideo(ArraySource(frames, name=f"{name}-{index:05d}"), batch.masks[0].numpy())


def write_tracks(tracks: Sequence[PointerTrack], path: Path) -> None:
    """Keep the tracks of one object each."""
    arrays = {name: np.concatenate([getattr(track, name) for track in tracks]) for name in _FIELDS}
    sequences = np.repeat([track.sequence for track in tracks], [len(track.frames) for track in tracks])
    size = np.array([tracks[0].height, tracks[0].width])
    np.savez_compressed(path, sequences=sequences, size=size, **arrays)


def read_tracks(path: Path) -> list[PointerTrack]:
    """What `write_tracks` kept."""
    with np.load(path) as arrays:
        kept: dict[str, Any] = dict(arrays)
    height, width = kept["size"].tolist()
    tracks = []
    for sequence in np.unique(kept["sequences"]):
        rows = kept["sequences"] == sequence
        tracks.append(PointerTrack(str(sequence), 1, height, width, *(kept[name][rows] for name in _FIELDS)))
    return tracks


def rendered_tracks(loaded: Model, clips: int, held_out: int, length: int) -> list[PointerTrack]:
    """The pointers of clips of the training bank, and of the held-out one."""
    tracks = []
    banks = {"train": (lambda: build_bank("train"), clips), HELD_OUT: (_held_out_bank, held_out)}
    for name, (bank, count) in banks.items():
        for video in rendered_videos(bank(), name, count, length):
            tracks += track_pointers(loaded, video)
    return tracks


def _held_out_bank() -> Bank:
    return build_bank("held_out", crops=60, count=200)


def fit(tracks: Sequence[PointerTrack], loaded: Model, options: DecoderOptions) -> BoxDecoder:
    """Fit to all clips but those held out, and measure on these."""
    held_out = {track.sequence for track in tracks if track.sequence.startswith(HELD_OUT)}
    return fit_decoder(tracks, loaded.checkpoint.name, loaded.checkpoint.sha256, options, held_out=held_out)


def judge_on_videos(decoder: BoxDecoder, fitted_to: Sequence[PointerTrack], loaded: Model, root: Path) -> DecoderReport:
    """How good the decoder is on the first frames of real or sample videos."""
    return judge_decoder(decoder, fitted_to, collect_pointers(loaded, DavisDataset(root), max_frames=LENGTH))


def main() -> None:
    """Fit from the command line."""
    defaults = DecoderOptions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=Path, required=True, help="made where it doesn't exist")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--davis", type=Path)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--hidden", type=int, nargs="+", default=list(defaults.hidden))
    parser.add_argument("--weight-decay", type=float, help="default: chosen by cross-validation")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = load_model(ModelChoice(checkpoint="sample", device="cpu"))
    if not options.tracks.exists():
        write_tracks(rendered_tracks(loaded, options.clips, options.held_out, options.frames), options.tracks)
    tracks = read_tracks(options.tracks)
    decoder = fit(tracks, loaded, DecoderOptions(hidden=tuple(options.hidden), weight_decay=options.weight_decay))
    save_decoder(decoder, options.out)
    print(decoder.report)
    fitted_to = [track for track in tracks if not track.sequence.startswith(HELD_OUT)]
    for root in (CONFIG.parents[1], options.davis):
        if root is not None:
            print(f"\n{root}\n{judge_on_videos(decoder, fitted_to, loaded, root)}")


if __name__ == "__main__":
    main()
