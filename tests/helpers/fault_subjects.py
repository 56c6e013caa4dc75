"""What is damaged: a sound one of everything that the package reads."""

from __future__ import annotations

import json
import tomllib
from contextlib import closing
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pandas as pd
import yaml
from PIL import Image

from helpers import layout_trees
from helpers.clip_runs import ClipRuns
from helpers.fault_cases import Subject
from helpers.made_tracks import made_tracks
from helpers.scenarios import moving_video, square_mask
from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder.file import load_decoder, save_decoder
from napari_sam2_probe.decoder.fit import DecoderOptions, fit_decoder
from napari_sam2_probe.evaluation.metrics import evaluate_folders
from napari_sam2_probe.evaluation.protocols.jobs import Job, JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.store import ResultStore
from napari_sam2_probe.experiments.config import read_config
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, model_config
from napari_sam2_probe.probe.attention_table import COLUMNS as ATTENTION_COLUMNS
from napari_sam2_probe.probe.bank_table import COLUMNS as BANK_COLUMNS
from napari_sam2_probe.runs.banks import read_table
from napari_sam2_probe.runs.layout import ATTENTION, BANK
from napari_sam2_probe.runs.prompts_file import read_prompts
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.tracking.interventions import read_edits
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.file import VideoFileSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.mask_folder import MaskFolder
from napari_sam2_probe.video.masks import write_mask
from napari_sam2_probe.video.truth import read_all_truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES = 4


def image_folder(suffix: str, **options: Any) -> Subject:
    def make(folder: Path) -> None:
        for t, frame in enumerate(moving_video(FRAMES, 40, 60)):
            Image.fromarray(frame).save(folder / f"{t:05d}{suffix}", **options)

    def pillow(folder: Path) -> list[np.ndarray]:
        files = sorted(folder.iterdir())
        assert len(files) == FRAMES
        return [np.asarray(Image.open(file).convert("RGB")) for file in files]

    has_checksums = suffix == ".png"
    return Subject(
        f"folder of {suffix[1:]}",
        make,
        lambda folder: _all(FolderSource(folder)),
        {f"*{suffix}": 2},
        {} if has_checksums else {f"*{suffix}": pillow},
        listed=False,
    )


def _all(source: Any) -> list[np.ndarray]:
    return [source.read(t) for t in range(source.num_frames)]


def _make_deep(folder: Path) -> None:
    import tifffile

    for t in range(FRAMES):
        tifffile.imwrite(folder / f"{t:05d}.tif", np.random.default_rng(t).integers(0, 4000, (30, 40), np.uint16))


def _read_deep(folder: Path) -> list[np.ndarray]:
    return _all(FolderSource(folder))


def _deep_as_tifffile(folder: Path) -> list[np.ndarray]:
    import tifffile

    files = sorted(folder.iterdir())
    assert len(files) == FRAMES
    pixels = np.stack([tifffile.imread(file).astype(float) for file in files])
    low, high = np.percentile(pixels, (0.1, 99.9), method="nearest")
    scaled = np.rint(np.clip((pixels - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return list(np.repeat(scaled[..., None], 3, -1))


def video_file(suffix: str, codec: str, **options: str) -> Subject:
    name = f"clip{suffix}"

    def make(folder: Path) -> None:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25, options={"threads": "1", "g": "6", **options})
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for frame in moving_video(20, 64, 96):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())

    def read(folder: Path) -> list[np.ndarray]:
        with closing(VideoFileSource(folder / name)) as source:
            return _all(source)

    def ffmpeg(folder: Path) -> list[np.ndarray]:
        with av.open(str(folder / name)) as container:
            frames = list(container.decode(video=0))
        assert not any(frame.is_corrupt for frame in frames)
        return [frame.to_ndarray(format="rgb24") for frame in frames]

    return Subject(f"video {suffix[1:]} ({codec})", make, read, {name: 1}, {name: ffmpeg}, flips=60)


def _make_masks(folder: Path) -> None:
    for t in range(FRAMES):
        write_mask(folder / f"{t:05d}.png", square_mask(t, 40, 60).astype(np.uint8) * 3)


def _read_masks(folder: Path) -> Any:
    masks = MaskFolder(folder)
    return masks.stems, masks.object_ids(), [masks.labels(stem) for stem in masks.stems]


def _read_set(folder: Path) -> Any:
    dataset = DavisDataset(folder, "val")
    return [(name, _all(video.frames), [video.mask(t) for t in range(len(video))]) for name, video in dataset.items()]


def _split_as_text(folder: Path) -> bool:
    """Whether the list is text whose names are those of sequences: then whoever wrote it meant that."""
    names = (folder / "ImageSets/2017/val.txt").read_text().split()
    return all((folder / "JPEGImages/480p" / name).is_dir() for name in names)


def _make_evaluation(folder: Path) -> None:
    for part, shift in (("truth", 0), ("predicted", 2)):
        for t in range(FRAMES):
            mask = np.roll(square_mask(t, 40, 60), shift, 1).astype(np.uint8)
            write_mask(folder / part / "cat" / f"{t:05d}.png", mask)


def _make_clips(folder: Path) -> None:
    layout_trees.davis(folder / "davis")
    order = ClipSpec("obscuration", lengths=(2, 2, 2))
    make_dataset(DavisDataset(folder / "davis"), folder / "clips", order, 2, workers=1)


def _read_clips(folder: Path) -> Any:
    dataset = DavisDataset(folder / "clips", "val")
    truth = read_all_truth(folder / "clips" / "frames.csv")
    return list(dataset), truth, [dataset[name].truth for name in dataset]


def _make_run(folder: Path) -> None:
    ClipRuns(folder).run("interjection", (1, 2), name="run")


def _read_run(folder: Path) -> Any:
    run = open_run(folder / "runs" / "run")
    arrays = [run.object_ids, run.object_pointers, run.object_pointers_raw, run.object_scores, run.predicted_iou]
    arrays += [run.prompted, run.tracked, run.object_present, run.masks[:], run.masks_per_object[:]]
    maps = {key: (run.maps(key, "mean")[:], run.maps(key, "variance")[:], run.status(key)) for key in run.map_keys}
    return arrays, maps, {key: run.vectors(key) for key in run.vector_keys}, run.features


def _make_recorded(folder: Path) -> None:
    """A run with tables of banks and attention."""
    rng = np.random.default_rng(0)
    writer = ClipRuns(folder).begin("clean", name="run")
    rows = 200
    numbers = {name: rng.integers(0, 12, rows) for name in BANK_COLUMNS}
    words = {"kind": rng.choice(["memory", "pointer"], rows), "role": rng.choice(["conditioning", "recent"], rows)}
    writer.write_table(BANK, pd.DataFrame({**numbers, **words}))
    numbers = {name: rng.integers(0, 12, rows) for name in ATTENTION_COLUMNS}
    words = {"kind": pd.Categorical(words["kind"]), "queries": pd.Categorical(rng.choice(["all", "ring"], rows))}
    writer.write_table(ATTENTION, pd.DataFrame({**numbers, **words, "share": rng.random(rows).astype(np.float32)}))
    writer.finish()


def _read_tables(folder: Path) -> Any:
    run = open_run(folder / "runs" / "run")
    return [read_table(run, name) for name in (BANK, ATTENTION)]


def _make_experiment(folder: Path) -> None:
    write_synthetic_experiment(folder / "exp", kinds=("clean", "interjection"), samples=2, with_clips=False)


def _read_experiment(folder: Path) -> Any:
    results = open_experiment(folder / "exp")
    clips = [(kind, clip) for kind in results.kinds for clip in results.clips(kind)]
    vectors = [(results.pointers(*of), results.pointers(*of, raw=True), results.masks(*of)) for of in clips]
    return results.kinds, clips, results.frames, results.features, vectors


def _json(name: str) -> Callable[[Path], bool]:
    return lambda folder: bool(json.loads((folder / name).read_bytes().decode("utf-8-sig")) or True)


def _make_prompts(folder: Path) -> None:
    write_mask(folder / "mask.png", square_mask(0, 40, 60).astype(np.uint8))
    prompts = [
        {"frame": 0, "object_id": 1, "points": [[12.5, 8]], "labels": [1]},
        {"frame": 2, "object_id": 2, "box": [1, 2, 30, 31.5]},
        {"frame": 3, "object_id": 3, "mask": "mask.png"},
    ]
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1))


def _make_edits(folder: Path) -> None:
    edits = [
        {"edit": "drop", "target": "pointer", "entries": {"role": "recent"}, "at": [3, 4]},
        {"edit": "drop", "target": "memory", "object": 2},
    ]
    (folder / "edits.json").write_text(json.dumps(edits, indent=1))


def _make_settings(folder: Path) -> None:
    (folder / "settings.toml").write_text(
        'davis = "somewhere"\nkinds = ["clean", "interjection"]\nsamples = 12\nseed = 3\nlengths = [4, 2, 4]\n'
        'then = ["gaussian-noise:sigma=25"]\n[model]\ncheckpoint = "sample"\n[features]\nepsilon = 1e-6\n'
    )


def _toml(folder: Path) -> bool:
    return bool(tomllib.loads((folder / "settings.toml").read_bytes().decode("utf-8-sig")) or True)


def _make_config(folder: Path) -> None:
    (folder / "model.yaml").write_bytes(SMALL_CONFIG.read_bytes())


def _yaml(folder: Path) -> bool:
    return bool(yaml.safe_load((folder / "model.yaml").read_bytes().decode("utf-8-sig")) or True)


def _make_decoder(folder: Path) -> None:
    options = DecoderOptions(hidden=(8,), iterations=3, weight_decay=1.0, num_resamples=10)
    save_decoder(fit_decoder(made_tracks(6, 12), "sample", "0" * 64, options), folder / "d.safetensors")


def _weights() -> dict[str, Any]:
    import torch

    rng = torch.Generator().manual_seed(0)
    return {"a": torch.randn(40, 30, generator=rng), "b": torch.randn(64, generator=rng)}


def _make_pt(folder: Path) -> None:
    import torch

    torch.save({"model": _weights()}, folder / "m.pt")


def _make_safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(_weights(), folder / "m.safetensors")


def _read_weights(name: str) -> Callable[[Path], Any]:
    from napari_sam2_probe.families.loading import read_weights

    return lambda folder: {key: value.numpy() for key, value in read_weights(folder / name).items()}


def _plain_safetensors(folder: Path) -> Any:
    from safetensors.numpy import load_file

    return dict(load_file(folder / "m.safetensors"))


_JOB = Job("sample", "semi-supervised", "mask", "cat")


def _make_protocols(folder: Path) -> None:
    row = JobRow(1, 1, {"J_mean": 0.5, "F_mean": 0.25})
    store = ResultStore(folder / "out")
    store.write(_JOB, {"model": "x"}, "abc", JobResult((row,), ({"frame": 0},), ()))


def _read_protocols(folder: Path) -> Any:
    result = ResultStore(folder / "out").read(_JOB, {"model": "x"}, "abc")
    if result is None:
        # It is computed again.
        raise InputError("There is no such result: it is computed again.")
    return result


SUBJECTS: tuple[Subject, ...] = (
    image_folder(".jpg", quality=90),
    image_folder(".png"),
    image_folder(".bmp"),
    image_folder(".webp", lossless=True),
    Subject("folder of 16-bit tif", _make_deep, _read_deep, {"*.tif": 1}, {"*.tif": _deep_as_tifffile}, listed=False),
    video_file(".mp4", "libx264"),
    video_file(".mov", "mpeg4"),
    video_file(".mkv", "libx264"),
    video_file(".avi", "mpeg4"),
    video_file(".webm", "libvpx", deadline="realtime"),
    Subject("folder of masks", _make_masks, _read_masks, {"*.png": 2}, flips=30, listed=False),
    Subject(
        "data set (DAVIS layout)",
        lambda folder: layout_trees.davis(folder, 3),
        _read_set,
        {"ImageSets/2017/val.txt": 1, "Annotations/480p/*/*.png": 1},
        {"ImageSets/2017/val.txt": _split_as_text},
        listed=False,
    ),
    Subject(
        "evaluation",
        _make_evaluation,
        lambda folder: evaluate_folders(folder / "truth", folder / "predicted").rows(),
        {"truth/cat/00001.png": 1, "predicted/cat/00002.png": 1},
        listed=False,
    ),
    Subject(
        "data set of clips",
        _make_clips,
        _read_clips,
        {"clips/frames.csv": 1, "clips/clips.jsonl": 1, "clips/dataset.json": 1},
        {"clips/dataset.json": _json("clips/dataset.json")},
    ),
    Subject(
        "run",
        _make_run,
        _read_run,
        {
            "runs/run/run.json": 1,
            "runs/run/features.csv": 1,
            "runs/run/probe.zarr/**/zarr.json": 14,
            "runs/run/probe.zarr/*/c/**/*": 12,
            "runs/run/probe.zarr/maps/**/c/**/*": 6,
            "runs/run/probe.zarr/status/**/c/**/*": 3,
        },
        {"runs/run/run.json": _json("runs/run/run.json")},
        flips=8,
    ),
    Subject("tables of a run", _make_recorded, _read_tables, {"runs/run/*.parquet": 2}, flips=40),
    Subject(
        "experiment",
        _make_experiment,
        _read_experiment,
        {
            "exp/experiment.toml": 1,
            "exp/plan.json": 1,
            "exp/provenance.json": 1,
            "exp/*.parquet": 2,
            "exp/results.zarr/**/zarr.json": 5,
            "exp/results.zarr/**/c/**/*": 5,
        },
        {"exp/provenance.json": _json("exp/provenance.json")},
        flips=10,
    ),
    Subject("results of protocols", _make_protocols, _read_protocols, {"out/results/**/*.json": 1}, flips=40),
    Subject(
        "prompts",
        _make_prompts,
        lambda folder: read_prompts(folder / "prompts.json"),
        {"prompts.json": 1, "mask.png": 1},
        {"prompts.json": _json("prompts.json")},
        flips=40,
    ),
    Subject(
        "interventions",
        _make_edits,
        lambda folder: read_edits(folder / "edits.json"),
        {"edits.json": 1},
        {"edits.json": _json("edits.json")},
        flips=40,
    ),
    Subject(
        "settings (TOML)",
        _make_settings,
        lambda folder: read_config(folder / "settings.toml"),
        {"settings.toml": 1},
        {"settings.toml": _toml},
        flips=60,
    ),
    Subject(
        "model configuration (YAML)",
        _make_config,
        lambda folder: model_config(folder / "model.yaml", ModelFlags()),
        {"model.yaml": 1},
        {"model.yaml": _yaml},
        flips=60,
    ),
    Subject("weights (.pt)", _make_pt, _read_weights("m.pt"), {"m.pt": 1}, flips=80),
    Subject(
        "weights (.safetensors)",
        _make_safetensors,
        _read_weights("m.safetensors"),
        {"m.safetensors": 1},
        {"m.safetensors": _plain_safetensors},
        flips=40,
    ),
    Subject(
        "decoder", _make_decoder, lambda folder: load_decoder(folder / "d.safetensors"), {"d.safetensors": 1}, flips=80
    ),
)
