"""``sam2-probe run``: track objects through a video and record what SAM 2 sees."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth

_LARGEST = 2**31
"""No image is as large; float32 and int32 hold what is smaller."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    from napari_sam2_probe.cli.model_options import add_model_options

    parser.add_argument(
        "video", nargs="?", metavar="VIDEO", help="a folder of frames, a video file, or DAVIS_ROOT/sequence"
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="the folder to make")
    parser.add_argument(
        "--again",
        metavar="RUN",
        help="make this run again, equal to the last bit; give VIDEO and --checkpoint only if they lie elsewhere now",
    )
    parser.add_argument(
        "--video",
        dest="video_elsewhere",
        metavar="VIDEO",
        help="with --again: where the video lies now, if it has moved",
    )
    parser.add_argument(
        "--keep-frames",
        action="store_true",
        help="copy the video into the run's folder, so that the run can be sent and made again elsewhere",
    )
    prompt = parser.add_argument_group("prompt", "one of these says what to track")
    prompt.add_argument("--mask", metavar="PNG", help="a mask; several ids in it are several objects")
    prompt.add_argument(
        "--mask-threshold",
        type=float,
        metavar="SHARE",
        help="with --mask: it is one object, of pixels at least as bright; for soft edges, such as 0.5",
    )
    prompt.add_argument(
        "--point",
        action="extend",
        nargs="+",
        metavar="X,Y[,0|1]",
        help="a point in pixels, on the object (1, the default) or off it (0); can be repeated",
    )
    prompt.add_argument("--box", metavar="X0,Y0,X1,Y1", help="a box in pixels")
    prompt.add_argument("--prompts", metavar="JSON", help="a file of prompts on any frames for any objects")
    prompt.add_argument("--frame", type=int, default=0, help="the prompted frame (default: %(default)s)")
    prompt.add_argument(
        "--object", type=int, metavar="ID", help="the object's id (default: 1, or all objects of the mask)"
    )
    parser.add_argument(
        "--frames-csv",
        metavar="CSV",
        help="what is known of the frames (default: the frames.csv of the data set of clips that VIDEO lies in)",
    )
    parser.add_argument("--direction", choices=("forward", "backward", "both"), default="forward")
    parser.add_argument("--start", type=int, metavar="N", help="the first frame to track (default: the prompted one)")
    parser.add_argument("--end", type=int, metavar="N", help="the last frame to track (default: the video's)")
    parser.add_argument(
        "--policy",
        default="stock",
        metavar="NAME[:K=V,...]",
        help="which memories a frame reads: stock, stride:r=5, confident:score=0,iou=0.5, random:seed=0, or another "
        "package's (default: %(default)s)",
    )
    parser.add_argument(
        "--intervene",
        type=Path,
        metavar="JSON",
        help="a list of edits of what SAM 2 reads, stores and computes, such as "
        '[{"edit": "drop", "target": "pointer", "at": [16, 27]}]',
    )
    parser.add_argument(
        "--attention",
        choices=("none", "sampled", "exact"),
        default="sampled",
        help="record where memory attention looks, from 256 queries or from all (default: %(default)s)",
    )
    features = parser.add_argument_group("features over time")
    features.add_argument(
        "--no-prompted-references", action="store_true", help="leave prompted frames out of the references"
    )
    features.add_argument(
        "--denominator",
        choices=("variance", "standard-deviation"),
        default="variance",
        help="what divides the differences in the long-term distance (default: %(default)s, as in the paper)",
    )
    features.add_argument("--epsilon", type=float, default=1e-6, help="added to it (default: %(default)s)")
    features.add_argument(
        "--unblanked", action="store_true", help="record position 5u too: memory of the mask before SAM 2 blanks it"
    )
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_sam2_probe.common.errors import InputError

    _sort_video(arguments)
    if arguments.again is not None:
        _run_again(arguments)
        return
    if arguments.video is None:
        raise InputError("There is no video to track in: give VIDEO, or --again RUN.")
    from napari_sam2_probe.cli.model_options import model_choice
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.families.loaded import load_model
    from napari_sam2_probe.probe.distance import FeatureOptions
    from napari_sam2_probe.runs.donors import read_intervention
    from napari_sam2_probe.runs.kept_video import keep_video
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.record import check_job, record_run
    from napari_sam2_probe.video.open import open_video

    _refuse_inline(arguments)
    options = RunOptions(
        direction=arguments.direction,
        start=arguments.start,
        end=arguments.end,
        features=FeatureOptions(
            denominator="variance" if arguments.denominator == "variance" else "standard deviation",
            epsilon=arguments.epsilon,
            prompted_references=not arguments.no_prompted_references,
        ),
        unblanked=arguments.unblanked,
        policy=arguments.policy,
        intervene=() if arguments.intervene is None else read_intervention(arguments.intervene),
        attention=arguments.attention,
    )
    with closing(open_video(arguments.video)) as source:
        prompts = _prompts(arguments, source)
        check_job(source, prompts, arguments.out, options)
        # Before the model is loaded, so that a table that can't be used is refused at once.
        truth = source.truth if arguments.frames_csv is None else _truth(arguments.frames_csv, source)
        loaded = load_model(model_choice(arguments))
        with progress_bars() as progress, _telling_what_is_kept(Path(arguments.out)):
            finished = record_run(source, prompts, arguments.out, loaded, options, truth=truth, progress=progress)
            if arguments.keep_frames:
                finished = keep_video(finished, source, progress=progress)
    _tell(finished, source.name, arguments.out)


def _sort_video(arguments: argparse.Namespace) -> None:
    """Find the video where argparse takes it for a point, or where it stands behind ``--video``."""
    from napari_sam2_probe.common.errors import InputError

    last = arguments.point[-1] if arguments.point else ""
    # "--point 10,20 VIDEO": all that follows an option of several values is taken for one.
    if arguments.video is None and arguments.video_elsewhere is None and re.search(r"[^\d\s.,;:+-]", last):
        arguments.video = arguments.point.pop()
        arguments.point = arguments.point or None
    if arguments.video_elsewhere is not None:
        if arguments.video is not None:
            raise InputError(f"There are two videos, {arguments.video} and {arguments.video_elsewhere}: give one.")
        arguments.video, arguments.video_elsewhere = arguments.video_elsewhere, None


def _refuse_inline(arguments: argparse.Namespace) -> None:
    """Say what to do about JSON that was given where a file of it belongs."""
    from napari_sam2_probe.common.errors import InputError

    for option, name in (("--intervene", "edits.json"), ("--prompts", "prompts.json")):
        given = getattr(arguments, option[2:])
        if str(given).lstrip().startswith(("[", "{")):
            raise InputError(f"{option} takes a file, not JSON itself: save it as {name} and give {option} {name}.")


def _run_again(arguments: argparse.Namespace) -> None:
    from napari_sam2_probe.cli.progress import progress_bars
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.live.repeat import repeat_run
    from napari_sam2_probe.runs.kept_video import keep_video
    from napari_sam2_probe.runs.recorded import recorded_source

    given = [name for name, value in _defaults().items() if getattr(arguments, name) != value]
    for name in given:
        if name not in ("video", "out", "again", "checkpoint", "keep_frames"):
            option = name.replace("_", "-")
            raise InputError(f"--again takes everything from the run itself: leave out --{option}.")
    out = Path(arguments.out)
    with progress_bars() as progress, _telling_what_is_kept(out):
        finished = repeat_run(arguments.again, out, arguments.video, checkpoint=arguments.checkpoint, progress=progress)
        if arguments.keep_frames:
            with closing(recorded_source(finished)) as source:
                finished = keep_video(finished, source, progress=progress)
    _tell(finished, finished.info["video"]["name"], arguments.out)


def _defaults() -> dict[str, object]:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return vars(parser.parse_args(["--out", ""]))


def _tell(finished: ProbeRun, video: str, out: str) -> None:
    model = finished.info["model"]
    untrained = "" if model["trained"] else " (UNTRAINED: its masks mean nothing)"
    print(  # noqa: T201
        f"Tracked {int(finished.tracked.any(axis=0).sum())} frames and {len(finished.object_ids)} object(s) of "
        f"{video} with {model['checkpoint']}{untrained}. The run is in {out}; look at it with 'sam2-probe view {out}'."
    )


def _prompts(arguments: argparse.Namespace, source: FrameSource) -> list[Prompt]:
    from napari_sam2_probe.common.errors import InputError
    from napari_sam2_probe.runs.prompts_file import read_prompts
    from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels
    from napari_sam2_probe.video.masks import check_mask_size, read_mask

    clicked = arguments.point is not None or arguments.box is not None
    if sum((arguments.mask is not None, clicked, arguments.prompts is not None)) != 1:
        raise InputError("Give what to track in one way: --mask, --point and --box, or --prompts.")
    if arguments.mask_threshold is not None and arguments.mask is None:
        raise InputError("--mask-threshold cuts the mask of --mask: give one, or leave it out.")
    if arguments.prompts is not None:
        if arguments.frame or arguments.object is not None:
            raise InputError("--prompts names frames and objects itself: leave out --frame and --object.")
        return read_prompts(arguments.prompts)
    if arguments.mask is not None:
        labels = read_mask(arguments.mask, threshold=arguments.mask_threshold)
        check_mask_size(labels, source, where=arguments.mask)
        wanted = None if arguments.object is None else [arguments.object]
        return prompts_from_labels(arguments.frame, labels, wanted)
    points = [_numbers(text, "--point", (2, 3), "X,Y or X,Y,0") for text in arguments.point or ()]
    box = _numbers(arguments.box, "--box", (4,), "X0,Y0,X1,Y1") if arguments.box is not None else None
    signs = [point[2] if len(point) == 3 else 1.0 for point in points]
    for text, sign in zip(arguments.point or (), signs, strict=True):
        if sign not in (0, 1):
            raise InputError(f"--point {text}: the third number is 1 for a point on the object or 0 for one off it.")
    obj_id = 1 if arguments.object is None else arguments.object
    return [Prompt.from_points(arguments.frame, obj_id, [point[:2] for point in points], signs, box)]


def _numbers(text: str, option: str, lengths: tuple[int, ...], form: str) -> list[float]:
    from napari_sam2_probe.common.errors import InputError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    # Written so that NaN is refused too.
    if len(numbers) not in lengths or not all(abs(number) < _LARGEST for number in numbers):
        raise InputError(f"{option} {text}: give numbers as {form}.")
    return numbers


def _truth(frames_csv: str, source: FrameSource) -> ClipTruth:
    from napari_sam2_probe.video.truth import read_truth

    return read_truth(frames_csv, source.name, source.num_frames)


@contextmanager
def _telling_what_is_kept(out: Path) -> Iterator[None]:
    """Add to the message of a run that failed half-way where its finished frames are."""
    from napari_sam2_probe.common.errors import ProbeError

    was_there = out.exists()
    try:
        yield
    except ProbeError as error:
        if was_there or not out.exists():
            raise
        raise type(error)(f"{error} The frames before are in {out}, marked as unfinished.") from error
