"""``sam2-probe decoder``: fit and look at decoders from object pointer to bounding box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.cli.model_options import add_model_options

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the three actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fit = actions.add_parser("fit", help="fit one to clean videos with true masks")
    fit.add_argument("--davis", type=Path, required=True, metavar="ROOT", help="clean videos with masks, DAVIS layout")
    fit.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the file to write (default: your own folder, where runs of the same checkpoint find it)",
    )
    fit.add_argument("--install", action="store_true", help="with --out: put it into your own folder too")
    fit.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    fit.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    fit.add_argument(
        "--max-frames", type=int, metavar="N", help="take only the first N frames of each sequence (default all)"
    )
    fit.add_argument(
        "--held-out",
        type=float,
        default=0.25,
        metavar="SHARE",
        help="share of the sequences that it is judged on and not fitted to (default %(default)s)",
    )
    fit.add_argument("--hidden", default="64", metavar="N[,N]", help="units of the hidden layers (default %(default)s)")
    fit.add_argument(
        "--weight-decay",
        type=float,
        metavar="X",
        help="penalty on squared weights (default: chosen by cross-validation)",
    )
    fit.add_argument("--seed", type=int, default=0, help="draws held-out sequences and first weights (default 0)")
    add_model_options(fit)
    lead = actions.add_parser(
        "lead", help="measure whether decoded centres lead the motion, with videos backwards beside"
    )
    lead.add_argument("--davis", type=Path, required=True, metavar="ROOT", help="clean videos with masks, DAVIS layout")
    lead.add_argument("--split", metavar="NAME", help="take only the sequences of this split (default all)")
    lead.add_argument("--decoder", type=Path, metavar="FILE", help="default: the one installed for the checkpoint")
    lead.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the result to this .json, or the lead of each sequence to this .csv (default: your own folder, "
        "where reports on the same checkpoint find it)",
    )
    add_model_options(lead)
    show = actions.add_parser("show", help="show what a decoder was fitted to and how good it is")
    show.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> None:
    """Do what was asked."""
    if arguments.action == "show":
        from napari_sam2_probe.decoder.file import load_decoder

        print(describe(load_decoder(arguments.file)))  # noqa: T201
    elif arguments.action == "fit":
        _fit(arguments)
    else:
        _lead(arguments)


def describe(decoder: BoxDecoder) -> str:
    """Return what there is to say of a decoder, a few lines."""
    model = f"SHA-256 {decoder.sha256}" if decoder.sha256 else "untrained: its boxes mean nothing"
    layers = [decoder.num_channels, *(len(biases) for biases in decoder.biases)]
    lines = [
        f"Decodes object pointers of the checkpoint {decoder.checkpoint} ({model}).",
        f"Layers: {' -> '.join(map(str, layers))}, weight decay {decoder.options.weight_decay}, "
        f"seed {decoder.options.seed}.",
    ]
    if decoder.report is not None:
        lines += [str(decoder.report), f"held out            {', '.join(decoder.report.held_out_sequences)}"]
    return "\n".join(lines)


def _fit(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.common.files import check_file
    from napari_sam2_probe.common.paths import check_name
    from napari_sam2_probe.decoder.file import save_decoder
    from napari_sam2_probe.decoder.library import fit_to_dataset, install_decoder
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.video.davis import DavisDataset

    options = _options(arguments)
    out: Path | None = arguments.out
    if out is not None:
        check_name(out)
    if out is not None and out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of a file.")
    if out is not None:
        check_file(out)
    if out is not None and out.exists() and not arguments.overwrite:
        raise InputError(f"{out} exists already: choose another name, or allow it to be replaced with --overwrite.")
    dataset = DavisDataset(arguments.davis, arguments.split)
    loaded = load_model(model_choice(arguments))
    if loaded.checkpoint.sha256 is None and (out is None or arguments.install):
        raise InputError(
            f"The model {loaded.checkpoint.name} is untrained, so its decoder can't be found again: name a file with "
            "--out, without --install."
        )
    with progress_bars() as progress:
        decoder = fit_to_dataset(loaded, dataset, options, max_frames=arguments.max_frames, progress=progress)
    written = []
    if out is not None:
        save_decoder(decoder, out)
        written.append(out)
    if out is None or arguments.install:
        written.append(install_decoder(decoder))
    print(describe(decoder))  # noqa: T201
    print(f"\nWrote {' and '.join(map(str, written))}.")  # noqa: T201


def _lead(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.common.files import atomic_path, check_file
    from napari_sam2_probe.common.paths import check_name
    from napari_sam2_probe.decoder.file import load_decoder
    from napari_sam2_probe.decoder.lead_file import save_lead
    from napari_sam2_probe.decoder.library import find_decoder, lead_path
    from napari_sam2_probe.decoder.measure_lead import lead_of_dataset
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.video.davis import DavisDataset

    out: Path | None = arguments.out
    if out is not None:
        check_name(out)
    if out is not None and (out.is_dir() or out.suffix.lower() not in (".json", ".csv")):
        raise InputError(f"--out {out}: give the name of a .json or .csv file.")
    if out is not None:
        check_file(out)
    given = None if arguments.decoder is None else load_decoder(arguments.decoder)
    dataset = DavisDataset(arguments.davis, arguments.split)
    loaded = load_model(model_choice(arguments))
    sha256 = loaded.checkpoint.sha256
    decoder = given or find_decoder(sha256)
    if decoder is None:
        raise InputError(
            f"There is no decoder for the checkpoint {loaded.checkpoint.name}: fit one with 'sam2-probe decoder fit', "
            "or name a file with --decoder."
        )
    if out is None and sha256 is None:
        raise InputError(f"The model {loaded.checkpoint.name} is untrained: name a file for the result with --out.")
    with progress_bars() as progress:
        result = lead_of_dataset(loaded, dataset, decoder, progress=progress)
    print(result)  # noqa: T201
    if out is not None and out.suffix.lower() == ".csv":
        with atomic_path(out) as temporary:
            result.table().to_csv(temporary, index=False, lineterminator="\n")
    else:
        out = out or lead_path(str(sha256))
        save_lead(result, out)
    print(f"\nWrote {out}.")  # noqa: T201


def _options(arguments: argparse.Namespace) -> DecoderOptions:
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.decoder.fit import DecoderOptions

    try:
        hidden = tuple(int(part) for part in arguments.hidden.split(","))
    except ValueError:
        hidden = ()
    if not hidden or min(hidden) < 1:
        raise InputError(f"--hidden {arguments.hidden}: give whole numbers from 1, such as 64 or 128,32.")
    if not 0 < arguments.held_out < 1:
        raise InputError(f"--held-out {arguments.held_out:g}: give a share between 0 and 1.")
    if not 0 <= arguments.seed < 2**32:
        raise InputError(f"--seed {arguments.seed} can't be used: give a whole number from 0 to {2**32 - 1}.")
    decay = arguments.weight_decay
    if decay is not None and not 0 <= decay < float("inf"):
        raise InputError(f"--weight-decay {decay:g}: give a number that is not negative.")
    if arguments.max_frames is not None and arguments.max_frames < 2:
        raise InputError(f"--max-frames {arguments.max_frames}: the first frame is prompted, so give at least 2.")
    return DecoderOptions(hidden=hidden, weight_decay=decay, held_out_share=arguments.held_out, seed=arguments.seed)
