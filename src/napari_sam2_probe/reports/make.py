"""Make the report of one or of several experiments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.made_folder import check_made_folder, made_folder
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.progress import ProgressCallback, ignore_progress
from napari_sam2_probe.common.words import count, listing
from napari_sam2_probe.experiments.folder import CONFIG
from napari_sam2_probe.experiments.results import find_experiments, open_experiment
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.reports.demo_text import describe_model
from napari_sam2_probe.reports.folder import FORMATS, ReportFolder
from napari_sam2_probe.reports.page import Page, Section, write_page
from napari_sam2_probe.reports.sections import (
    causes,
    claims,
    contrast,
    decoder,
    films,
    lead,
    masks,
    models,
    pointers,
    positions,
    protocols,
    representations,
    separability,
    trends,
    warning,
)
from napari_sam2_probe.reports.subject import Subject, make_subjects
from napari_sam2_probe.reports.words import kind_label
from napari_sam2_probe.runs.describe import software_versions
from napari_sam2_probe.transforms.registry import paper_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.maps import When
    from napari_sam2_probe.reports.part import Part

INDEX = "index.html"
_REPORT = "report"


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made.

    Attributes
    ----------
    dpi
        Pixels per inch of pictures.
    formats
        Formats of every figure besides PNG.
    composites
        Whether example clips may be probed again where no maps were kept.
    decoder
        A box decoder; None: the one that belongs to the checkpoint, where there is one.
    num_resamples, seed
        Of every bootstrap.
    """

    dpi: float = 200
    formats: tuple[str, ...] = FORMATS
    composites: When = "auto"
    decoder: Path | None = None
    num_resamples: int = 1000
    seed: int = 0


def make_report(
    folders: Sequence[Path | str],
    out: Path | str,
    options: ReportOptions | None = None,
    *,
    command: str = "",
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Make a report.

    Parameters
    ----------
    folders
        Experiments, folders that hold experiments right below, and folders with results of protocols.
    out
        The folder to make. An earlier report there is replaced; anything else is left alone.
    options
        How.
    command
        How the report was asked for, for the page.
    progress
        Called after every figure.

    Returns
    -------
    pathlib.Path
        The page, ``out/index.html``.

    Raises
    ------
    InputError
        If a folder holds neither an experiment nor results of protocols, an experiment is damaged, or `out` holds
        something that is not a report.
    ResourceError
        If the disk is full.
    """
    options = options or ReportOptions()
    out = Path(out)
    experiments, others = _find([Path(folder) for folder in folders])
    check_made_folder(out, _REPORT)
    opened = [open_experiment(path) for path in experiments]
    subjects = make_subjects(opened, num_resamples=options.num_resamples, seed=options.seed)
    places = [(s.name, s.results.path) for s in subjects] + [(path.resolve().name, path) for path in others]
    caveat = banner({s.name: s.results.provenance.get("model") for s in subjects} | protocols.recorded_models(places))
    with made_folder(out, _REPORT) as made:
        folder = ReportFolder(made, dpi=options.dpi, formats=options.formats, remark=caveat, progress=progress)
        scores = masks.make(subjects, folder)
        parts = [
            claims.make(subjects, folder),
            films.make(subjects, folder),
            positions.make(subjects, folder, options.composites, progress),
            contrast.make(subjects, folder),
            pointers.make(subjects, folder),
            decoder.make(subjects, folder, options.decoder),
            lead.make(subjects, folder),
            trends.make(subjects, folder),
            models.make(subjects, folder),
            separability.make(subjects, folder),
            causes.make(subjects, folder),
            representations.make(subjects, folder),
            scores,
            warning.make(subjects, folder),
            protocols.make(places, folder),
        ]
        page = _page(subjects, parts, scores, caveat, _provenance(subjects, options, command))
        write_page(page, made / INDEX, embed=True)
    return out / INDEX


def _find(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the experiments and the folders with nothing but results of protocols."""
    experiments: list[Path] = []
    others: list[Path] = []
    for folder in folders:
        found = find_experiments(folder)
        experiments += [path for path in found if path.resolve() not in {e.resolve() for e in experiments}]
        if not found:
            if not is_file(folder / protocols.PROTOCOLS):
                raise InputError(
                    f"{folder} is no experiment: give a folder that 'sam2-probe experiment' made ({CONFIG} in it)."
                )
            others.append(folder)
        elif found != [folder] and is_file(folder / protocols.PROTOCOLS):
            others.append(folder)
    return experiments, others


def _page(
    subjects: Sequence[Subject],
    parts: Sequence[Part],
    first: Part,
    caveat: str,
    provenance: tuple[tuple[str, str], ...],
) -> Page:
    headlines = tuple(sentence for part in (first, *parts) for sentence in part.headlines)
    headlines = tuple(dict.fromkeys(headlines))
    found = (Section("At a glance", headlines),) if headlines else ()
    sections = (*found, *(part.section for part in parts if part.section is not None))
    missing = [sentence for part in parts for sentence in part.missing]
    if not sections:
        missing.append("Nothing is done yet: there is no clip to report on. Run the experiment again; it goes on.")
    names = listing([subject.name for subject in subjects])
    return Page(
        title=f"What SAM 2 sees: {names}" if names else "Evaluation protocols",
        lead=_lead(subjects),
        sections=sections,
        provenance=provenance,
        warning=caveat,
        notes=(*_unfinished(subjects), *_thin(subjects), *_without(subjects), *missing),
        contents=True,
    )


def _lead(subjects: Sequence[Subject]) -> str:
    if not subjects:
        return "Results of evaluation protocols."
    clips = sum(len(subject.results.clips(kind)) for subject in subjects for kind in subject.kinds)
    kinds = list(dict.fromkeys(kind for subject in subjects for kind in subject.kinds))
    what = listing([kind_label(kind).lower() for kind in kinds]) or "no kind yet"
    return (
        f"{count(clips, 'clip')} ({what}) of {count(subjects[0].num_frames, 'frame')} each, prompted with the true "
        "mask on the first frame. Figure numbers are those of Bromley et al., An Analysis of Segment Anything 2 (2025; "
        "arXiv 2503.00042v2, An Analysis of Data Transformation Effects on Segment Anything 2)."
    )


def _unfinished(subjects: Sequence[Subject]) -> list[str]:
    """Return the sentence on which experiments are half done."""
    said = []
    for subject in subjects:
        results = subject.results
        if results.complete:
            continue
        done = [f"{len(results.clips(kind))} {kind_label(kind).lower()}" for kind in results.kinds]
        wanted = results.config.samples
        said.append(
            f"HALF DONE: {subject.name} has finished {results.done} of {results.total} batches; clips so far: "
            f"{listing(done)} of {wanted} each. Everything below is of these clips."
        )
    return said


def _thin(subjects: Sequence[Subject]) -> list[str]:
    """Warn where there is too little for intervals, and where a table is missing for good."""
    said = []
    for subject in subjects:
        if not subject.results.has_model:
            said.append(
                f"{subject.name}: masks of another system, so there are no features, pointers and scores, and none of "
                "the figures made of them."
            )
        sequences = subject.results.frames["base_sequence"].nunique()
        if len(subject.results.frames) and sequences < 2:
            said.append(
                f"{subject.name}: all clips come from one source sequence, so there are no intervals and no "
                "cross-validated linear combination."
            )
        elif 0 < sequences < 10:
            said.append(
                f"{subject.name}: the clips come from only {sequences} source sequences; intervals that rest on so few "
                "are rough, and often too narrow."
            )
    return said


def _without(subjects: Sequence[Subject]) -> list[str]:
    """Return the sentence on which kinds of clips an experiment was made without."""
    said = []
    for subject in subjects:
        lacking = [kind_label(kind).lower() for kind in paper_kinds() if kind not in subject.results.kinds]
        if lacking:
            said.append(
                f"{subject.name} was made without clips of the kinds {listing(lacking)}, so what is made of them is "
                "not here."
            )
    return said


def _provenance(subjects: Sequence[Subject], options: ReportOptions, command: str) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = [("Report", command or "made from Python")]
    rows.append(("Intervals", f"{options.num_resamples} resamples, seed {options.seed}"))
    rows.append(("Report's versions", ", ".join(f"{name} {version}" for name, version in software_versions().items())))
    for subject in subjects:
        prefix = f"{subject.name}: " if len(subjects) > 1 else ""
        rows += [(prefix + name, value) for name, value in _describe(subject)]
    return tuple(rows)


def _describe(subject: Subject) -> list[tuple[str, str]]:
    results, found = subject.results, subject.results.provenance
    rows: list[tuple[str, str]] = []
    commands = list(dict.fromkeys(str(session.get("command")) for session in found.get("sessions", ())))
    if commands:
        rows.append(("Command", "; ".join(commands)))
    model: dict[str, Any] = found.get("model") or {}
    if model:
        rows.append(("Model", describe_model(model)))
        rows.append(("Device", f"{model.get('device_name')}, {model.get('dtype')}, {model.get('threads')} threads"))
        if model.get("flags"):
            rows.append(("Flags", ", ".join(f"{name}={value}" for name, value in model["flags"].items())))
    if results.config.predictions is not None:
        rows.append(("Masks of", results.config.predictions.name))
    data: dict[str, Any] = found.get("data") or {}
    if data:
        split = f", split {data['split']}" if data.get("split") else ""
        rows.append(("Made from", f"{data.get('name')}{split}, fingerprint {data.get('fingerprint')}"))
    config = results.config
    lengths = ", ".join(map(str, config.lengths))
    extras = f"; then {', '.join(config.then)}" if config.then else ""
    rows.append(("Clips", f"{config.samples} of each kind, seed {config.seed}, lengths {lengths}{extras}"))
    rows.append(("Features", ", ".join(f"{k} {v}" for k, v in config.features.model_dump().items())))
    if found.get("software"):
        rows.append(("Versions", ", ".join(f"{name} {version}" for name, version in found["software"].items())))
    frames, seconds = _effort(found)
    if frames:
        rows.append(("Effort", f"{count(frames, 'frame')} in {seconds / 60:.1f} min, {seconds / frames:.3f} s a frame"))
    return rows


def _effort(found: dict[str, Any]) -> tuple[int, float]:
    sessions = [s for s in found.get("sessions", ()) if s.get("frames") and s.get("seconds")]
    return sum(int(s["frames"]) for s in sessions), sum(float(s["seconds"]) for s in sessions)
