"""``sam2-probe experiment``: make, track and score whole data sets of clips; run again, it goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.cli.model_options import add_model_options, given_flags
from napari_sam2_probe.cli.transform import describe_all, parse_lengths
from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.results import ExperimentResults


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to make, or to go on with after a stop"
    )
    parser.add_argument("--settings", type=Path, metavar="TOML", help="settings in a file; options here go first")
    clips = parser.add_argument_group("clips")
    clips.add_argument("--davis", metavar="ROOT", help="the DAVIS folder to make clips from")
    clips.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    clips.add_argument(
        "--kinds",
        nargs="+",
        action="extend",
        metavar="KIND",
        help="kinds of clips, see below (default: the six of the paper, and object-kept)",
    )
    clips.add_argument("--samples", type=int, metavar="N", help="clips of each kind (default 500)")
    clips.add_argument("--seed", type=int, help="clip k of every kind has the same base (default 0)")
    clips.add_argument(
        "--lengths",
        type=parse_lengths,
        metavar="P,I,S",
        help="frames of prefix, interjection and suffix (default 12,4,12)",
    )
    clips.add_argument(
        "--option", action="append", metavar="K=V", help="an option of the kinds that have it; may be repeated"
    )
    clips.add_argument(
        "--then",
        action="append",
        metavar="CORRUPTION",
        help="a corruption that all clips go through, as for 'sam2-probe transform'; may be repeated",
    )
    clips.add_argument("--lossless", action="store_true", default=None, help="write PNG frames instead of JPEG")
    what = parser.add_argument_group("what is kept")
    what.add_argument(
        "--keep-maps", action="store_true", default=None, help="keep mean and variance maps too (0.65 MB a frame)"
    )
    what.add_argument(
        "--causes",
        action="store_true",
        default=None,
        help="find out what caused the masks: entries of memory taken away, tensors of the twin put in; slow, its "
        "cost is said before it starts; may be asked for later",
    )
    what.add_argument(
        "--no-embeddings",
        action="store_false",
        default=None,
        dest="keep_embeddings",
        help="leave out embeddings of object, context and frame (30 KB a frame), which linear probes need",
    )
    what.add_argument("--label", metavar="TEXT", help="a name for tables and figures (default: the model's)")
    features = parser.add_argument_group("features over time")
    features.add_argument(
        "--no-prompted-references",
        action="store_false",
        default=None,
        dest="prompted_references",
        help="leave prompted frames out of the references",
    )
    features.add_argument(
        "--denominator",
        choices=("variance", "standard-deviation"),
        help="what divides the differences in the long-term distance (default: variance, as in the paper)",
    )
    features.add_argument("--epsilon", type=float, help="added to it (default 1e-6)")
    add_model_options(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--batch-size", type=int, metavar="N", help="clips that go through SAM 2 together")
    place = work.add_mutually_exclusive_group()
    place.add_argument(
        "--workers", type=int, metavar="N", help="track in N processes of this machine, one a GPU if it has some"
    )
    place.add_argument("--scheduler", metavar="ADDRESS", help="track on the workers of this Dask scheduler")
    other = parser.add_argument_group("another system")
    other.add_argument(
        "--predictions",
        metavar="NAME=DIR",
        help="evaluate masks predicted elsewhere for the same clips, DIR/[<kind>/]<clip>/%%05d.png, and track nothing",
    )


def epilog() -> str:
    """Return what the help ends with: all kinds, with their options, and how to go on."""
    from napari_sam2_probe.transforms.registry import KINDS

    return "\n".join(
        [
            *describe_all("kinds", KINDS),
            "",
            "An experiment may be stopped, or killed, at any moment: run the same command again, or only",
            "'sam2-probe experiment --out DIR', and it goes on. Then 'sam2-probe report DIR' makes figures and tables.",
        ]
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.experiments.causes import cost_in_words
    from napari_sam2_probe.experiments.execute import run_experiment

    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers} can't be used: give at least 1.")
    config = _config(arguments)
    if config.causes:
        print(cost_in_words(config), file=sys.stderr, flush=True)  # noqa: T201
    with progress_bars() as progress:
        results = run_experiment(
            config,
            arguments.out,
            workers=arguments.workers,
            scheduler=arguments.scheduler,
            command=arguments.command_line,
            progress=progress,
        )
    print(_summary(results))  # noqa: T201


def _config(arguments: argparse.Namespace) -> ExperimentConfig:
    from napari_sam2_probe.experiments.config import make_config, read_config, read_settings
    from napari_sam2_probe.experiments.folder import ExperimentFolder, is_experiment

    given = _given(arguments)
    if not given and arguments.settings is None:
        if not is_experiment(arguments.out):
            raise InputError(f"{arguments.out} holds no experiment to go on with: begin one with --davis ROOT.")
        return read_config(ExperimentFolder(arguments.out).config)
    settings = {} if arguments.settings is None else read_settings(arguments.settings)
    options = given.pop("option", None)
    fields = _merged(settings, given)
    if options:
        from napari_sam2_probe.transforms.registry import default_kinds

        fields["options"] = _merged(fields.get("options", {}), _options(options, fields.get("kinds", default_kinds())))
    if "davis" not in fields:
        raise InputError("--davis is missing: name the DAVIS folder that clips are made from.")
    return make_config(**fields)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were named on the command line."""
    denominator = arguments.denominator and arguments.denominator.replace("-", " ")
    fields: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in (
            *("davis", "split", "kinds", "samples", "seed", "lengths", "option", "then", "lossless"),
            *("keep_maps", "keep_embeddings", "causes", "label", "batch_size"),
        )
    }
    fields["features"] = {
        "denominator": denominator,
        "epsilon": arguments.epsilon,
        "prompted_references": arguments.prompted_references,
    }
    # Options of every command that tracks have defaults; only what is not one was named.
    fields["model"] = {
        "checkpoint": arguments.checkpoint,
        "config": arguments.config,
        "family": arguments.family,
        "device": arguments.device if arguments.device != "auto" else None,
        "dtype": arguments.dtype if arguments.dtype != "auto" else None,
        "flags": given_flags(arguments),
    }
    if arguments.predictions is not None:
        name, equals, folder = arguments.predictions.partition("=")
        if not (name and equals and folder):
            raise InputError(f"--predictions {arguments.predictions}: write it as NAME=DIR.")
        fields["predictions"] = {"name": name, "folder": folder}
    return _without_none(fields)


def _options(texts: list[str], kinds: list[str] | tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Give every option to the kinds that have it."""
    from napari_sam2_probe.transforms.options import split_assignments
    from napari_sam2_probe.transforms.registry import KINDS

    options: dict[str, dict[str, str]] = {}
    for name, value in split_assignments(texts, "--option").items():
        owners = [kind for kind in kinds if name in KINDS.find(kind).options]
        if not owners:
            known = ", ".join(f"{option} ({kind})" for kind in kinds for option in KINDS.find(kind).options)
            raise InputError(f"--option {name}: no chosen kind has it; there is {known or 'none'}.")
        for kind in owners:
            options.setdefault(kind, {})[name] = value
    return options


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _without_none(value) if isinstance(value, dict) else value for name, value in fields.items()}
    return {name: value for name, value in kept.items() if value is not None and value != {}}


def _summary(results: ExperimentResults) -> str:
    untrained = "" if results.trained else " (UNTRAINED: its masks mean nothing)"
    clips = sum(len(results.clips(kind)) for kind in results.kinds)
    return (
        f"{clips} clip(s) of {len(results.kinds)} kind(s) with {results.label}{untrained} are in {results.path}; make "
        f"figures and tables with 'sam2-probe report {results.path}'."
    )
