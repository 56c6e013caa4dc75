"""The runs that an intervention takes from: other runs by their paths, and the run itself without edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.options import plan_passes
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.tracking.donors import SessionDonor
from napari_sam2_probe.tracking.intervening import Intervention, no_donors
from napari_sam2_probe.tracking.interventions import Edit, edits_as_json, parse_edits, read_edits, sources
from napari_sam2_probe.tracking.policies import STOCK, make_policy
from napari_sam2_probe.tracking.repeating import planned_steps
from napari_sam2_probe.tracking.results import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.attention import AttentionDetail
    from napari_sam2_probe.tracking.intervening import Donor
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.source import FrameSource


class RunDonors:
    """The edits of a run with the runs they take from.

    Other runs are made again as far as they are needed.

    Parameters
    ----------
    source, prompts, loaded, options
        Those of the run that is edited.
    is_present
        Whether an object is in a frame, by object, frame and object score.
    around
        The intervention of a block around the run, whose edits come first.
    remake
        Makes another run again with the model, keeping whole tensors of some positions.

    Attributes
    ----------
    intervention
        What the run's session is given.
    """

    def __init__(
        self,
        source: FrameSource,
        prompts: Sequence[Prompt],
        loaded: Model,
        options: RunOptions,
        is_present: Callable[[int, int, float], bool],
        around: Intervention | None = None,
        *,
        remake: Callable[[ProbeRun, Model, Sequence[str]], SessionDonor],
    ) -> None:
        self._source, self._prompts, self._loaded, self._options = source, prompts, loaded, options
        self._is_present = is_present
        self._remake = remake
        around = around or Intervention()
        self._given = around.donors
        self._made: dict[str | None, SessionDonor] = {}
        self.intervention = Intervention(around.edits + parse_edits(options.intervene), self)

    def __call__(self, name: str | None) -> Donor:
        """Return the run that edits call by this name; see `Donors`."""
        if name in self._made:
            return self._made[name]
        if self._given is not no_donors:
            try:
                return self._given(name)
            except InputError:
                pass
        self._made[name] = self._own() if name is None else self._other(name)
        return self._made[name]

    def prepare(self) -> None:
        """Do now what can't be done once the video is being read: means need the whole run without edits.

        Raises
        ------
        InputError
            If an edit takes from what is no run, or from one that can't be made again.
        """
        for name in sources(self.intervention.edits):
            self(name)
        for edit in self.intervention.edits:
            if edit.edit != "mean":
                continue
            own = self(None)
            for obj_id in dict.fromkeys(prompt.obj_id for prompt in self._prompts):
                if edit.object not in (None, obj_id):
                    continue
                if edit.is_of_bank:
                    for kind in edit.kinds:
                        own.mean_entry(kind, obj_id)
                elif edit.target == "image_embedding":
                    own.mean_image_features(obj_id)
                else:
                    own.mean_tensor(edit.target, obj_id)

    def close(self) -> None:
        """Remove temporary files."""
        for donor in self._made.values():
            donor.close()
        self._made.clear()

    def _own(self) -> SessionDonor:
        options = replace(self._options, intervene=())
        return SessionDonor(
            "The run without edits",
            self._loaded.model,
            self._source,
            plain_session_options(self._loaded, options),
            planned_steps(self._prompts, plan_passes(self._prompts, self._source, options)),
            keys=_keys(self.intervention.edits, None),
            is_present=self._is_present,
        )

    def _other(self, name: str) -> SessionDonor:
        return self._remake(open_run(Path(name)), self._loaded, _keys(self.intervention.edits, name))


def plain_session_options(
    loaded: Model,
    options: RunOptions,
    *,
    intervention: Intervention | None = None,
    attention: AttentionDetail = "none",
) -> SessionOptions:
    """Return options for a session that does what a run's options say, and nothing that a block around it says."""
    return SessionOptions.for_model(
        loaded,
        observe_unblanked=options.unblanked,
        policy=None if options.policy == STOCK else make_policy(options.policy),
        intervention=intervention or Intervention(),
        attention=attention,
    )


def check_sources(edits: Sequence[Edit]) -> None:
    """Make sure that what edits take from is there; names without a path may be those of the model's donors.

    Raises
    ------
    InputError
        If one is no run.
    """
    for name in sources(edits):
        if not is_run(Path(name)):
            raise InputError(f"{name} is not a probe run that an edit could take from: give the folder of a run.")


def read_intervention(path: Path) -> tuple[dict[str, Any], ...]:
    """Return the edits of a JSON file, as `RunOptions.intervene` takes them.

    The runs they take from are looked for beside the file, then where the program runs, and named by their full paths.

    Raises
    ------
    InputError
        If it is no such file.
    """
    entries = edits_as_json(read_edits(path))
    for entry in entries:
        if "from" in entry:
            beside = path.parent / entry["from"]
            entry["from"] = str((beside if is_run(beside) else Path(entry["from"])).resolve())
    return tuple(entries)


def _keys(edits: Sequence[Edit], source: str | None) -> tuple[str, ...]:
    """Return the positions of which whole tensors are needed of a run."""
    takes = [e for e in edits if not e.is_of_bank and e.source == source and e.edit != "noise"]
    return tuple(dict.fromkeys(e.target for e in takes if e.target != "image_embedding"))
