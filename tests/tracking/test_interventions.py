"""Interventions equal, to the last bit, the stock predictor whose ``output_dict`` a test edits itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.scenarios import SCENARIOS, assert_equal, moving_video, run_session, run_stock, square_mask, write_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

T = 7
TRACK = [("mask", {"frame": 0, "obj": 1}), ("track", {})]
TWO = [("mask", {"frame": 0, "obj": 1}), ("points", {"frame": 0, "obj": 2, "box": [90, 10, 140, 60]}), ("track", {})]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(T))


@pytest.fixture(scope="module")
def other_folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "other", moving_video(T, seed=1))


@pytest.fixture
def edited_stock(twins, folder, monkeypatch):
    """``edited_stock(edit, steps)``: the stock predictor, each frame reading ``edit(frame_idx, obj_id, outputs)``.

    `edit` gets the two mappings of ``output_dict`` as copies, and changes them.
    """
    stock, _, _ = twins(gate="open")
    single = stock._run_single_frame_inference

    def run(edit, steps=TRACK, video=folder):
        def run_single(inference_state, output_dict, frame_idx, **kwargs):
            [idx] = [i for i, d in inference_state["output_dict_per_obj"].items() if d is output_dict]
            copy = {
                kind: {t: dict(out) for t, out in outputs.items()}
                for kind, outputs in output_dict.items()
                if kind in ("cond_frame_outputs", "non_cond_frame_outputs")
            }
            edit(frame_idx, inference_state["obj_idx_to_id"][idx], copy)
            return single(inference_state=inference_state, output_dict=copy, frame_idx=frame_idx, **kwargs)

        monkeypatch.setattr(stock, "_run_single_frame_inference", run_single)
        return run_stock(stock, video, steps)

    return run


@pytest.fixture
def intervened(twins, folder):
    """``intervened(edits, steps, donors)``: a session's outcome under edits."""
    _, ours, flags = twins(gate="open")

    def run(edits, steps=TRACK, donors=None, video=folder, banks=None, observer=None):
        with VideoSession(ours, FolderSource(video), SessionOptions(flags=flags), observer) as session:
            with ours.intervene(edits, donors):
                outcome = run_session(session, steps)
            if banks is not None:
                banks.update({t: session.bank(t, 1) for t in range(T)})
        return outcome

    return run


class Kept:
    """A donor made of tensors that a test has kept."""

    def __init__(self, entries=None, tensors=None, images=None):
        self.entries, self.tensors, self.images = entries, tensors, images

    def entry(self, kind, frame_idx, obj_id):
        return self.entries[kind, frame_idx, obj_id]

    def tensor(self, key, frame_idx, obj_id):
        return self.tensors[key, frame_idx, obj_id]

    def image_features(self, frame_idx):
        return self.images[frame_idx]


class Keeper:
    """Keeps the tensors of all positions."""

    def __init__(self):
        self.tensors = {}

    def observe(self, at, key, tensor):
        self.tensors[key, at.frame_idx, at.obj_id] = tensor.clone()

    def frame_committed(self, *_, **__): ...
    def pass_copied(self, *_): ...
    def required_references(self, *_):
        return ()


def donor_of(twins, video, steps=TRACK) -> Kept:
    _, ours, flags = twins(gate="open")
    keeper = Keeper()
    with VideoSession(ours, FolderSource(video), SessionOptions(flags=flags), keeper) as session:
        run_session(session, steps)
        entries = {}
        for obj_id, obj in session._objects.items():
            for t in obj.visited:
                output = obj.settled_output(t)
                entries["memory", t, obj_id], entries["pointer", t, obj_id] = output.maskmem_features, output.obj_ptr
        with session._engine.running():
            images = {t: session._engine.image_maps(t) for t in range(T)}
    return Kept(entries, keeper.tensors, images)


def differs(a, b) -> bool:
    return any(not np.array_equal(x, y) for (_, x), (_, y) in zip(a.mask_logits, b.mask_logits, strict=True))


@pytest.mark.parametrize("scenario", ["two objects", "correction by clicks"])
def test_no_edit_changes_nothing(scenario, intervened, edited_stock):
    steps = SCENARIOS[scenario]
    assert_equal(intervened([], steps), edited_stock(lambda *_: None, steps))


def test_drop_is_the_entry_removed_from_output_dict(intervened, edited_stock):
    def edit(frame_idx, obj_id, outputs):
        if 3 <= frame_idx <= 5 and obj_id == 2:
            outputs["non_cond_frame_outputs"].pop(2, None)
            outputs["non_cond_frame_outputs"].pop(1, None)

    drop = {"edit": "drop", "target": "both", "entries": {"frames": [1, 2]}, "at": [3, 5], "object": 2}
    dropped = intervened([drop], TWO)
    assert_equal(dropped, edited_stock(edit, TWO))
    assert differs(dropped, intervened([], TWO))


def test_drop_of_all_recent_by_role_and_by_age(intervened, edited_stock):
    expected = edited_stock(lambda t, _, outputs: outputs["non_cond_frame_outputs"].clear())
    assert_equal(intervened([{"edit": "drop", "target": "both", "entries": {"role": "recent"}}]), expected)

    def young(frame_idx, _, outputs):
        for t in (frame_idx - 1, frame_idx - 2):
            outputs["non_cond_frame_outputs"].pop(t, None)

    banks = {}
    by_age = intervened([{"edit": "drop", "target": "both", "entries": {"age": [1, 2]}, "at": [3, 27]}], banks=banks)
    assert_equal(by_age, edited_stock(lambda t, *rest: young(t, *rest) if t >= 3 else None))
    assert {entry.age for entry in banks[6].entries} == {3, 4, 5, 6}, "what is recorded is what was read"


def test_freeze_is_the_entry_replaced(intervened, edited_stock):
    def edit(frame_idx, _, outputs):
        tracked = outputs["non_cond_frame_outputs"]
        if frame_idx >= 4:
            frozen = dict(tracked[2])
            for t in (frame_idx - 1, frame_idx - 2):
                tracked[t] = {
                    **tracked[t],
                    "maskmem_features": frozen["maskmem_features"],
                    "obj_ptr": frozen["obj_ptr"],
                }

    freeze = {"edit": "freeze", "target": "both", "entries": {"age": [1, 2]}, "frame": 2, "at": [4, 27]}
    frozen = intervened([freeze])
    assert_equal(frozen, edited_stock(edit))
    assert differs(frozen, intervened([]))


@pytest.mark.parametrize("target", ["memory", "pointer", "both"])
def test_swap_is_the_entry_of_the_other_run(target, twins, other_folder, intervened, edited_stock):
    twin = donor_of(twins, other_folder)

    def edit(frame_idx, _, outputs):
        for kind in outputs.values():
            for t, out in kind.items():
                if t in (0, 2, 3):
                    if target != "pointer":
                        out["maskmem_features"] = twin.entries["memory", t, 1]
                    if target != "memory":
                        out["obj_ptr"] = twin.entries["pointer", t, 1]

    swap = {"edit": "swap", "target": target, "entries": {"frames": [0, 2, 3]}, "from": "TWIN"}
    swapped = intervened([swap], donors={"TWIN": twin})
    assert_equal(swapped, edited_stock(edit))
    assert differs(swapped, intervened([]))


def test_swap_with_itself_changes_nothing(twins, folder, intervened):
    swap = {"edit": "swap", "target": "both", "from": "SELF"}
    assert_equal(intervened([swap], donors={"SELF": donor_of(twins, folder)}), intervened([]))


def test_without_pointers_it_is_the_model_built_without(twins, intervened, edited_stock, monkeypatch):
    stock, _, _ = twins(gate="open")
    dropped = intervened([{"edit": "drop", "target": "pointer"}])
    built = stock._prepare_memory_conditioned_features

    def without_pointers(**kwargs):
        # The mask prompt's pointer is still made, so that pointers can be compared.
        stock.use_obj_ptrs_in_encoder = False
        try:
            return built(**kwargs)
        finally:
            stock.use_obj_ptrs_in_encoder = True

    def lift(_frame_idx, _obj_id, outputs):
        for kind in outputs.values():
            for out in kind.values():
                out["maskmem_features"] = out["maskmem_features"].float()

    monkeypatch.setattr(stock, "_prepare_memory_conditioned_features", without_pointers)
    assert_equal(dropped, edited_stock(lift))


def test_stored_is_what_all_later_frames_read(intervened, edited_stock):
    def edit(frame_idx, _, outputs):
        for t in (2, 3):
            outputs["non_cond_frame_outputs"].pop(t, None)

    banks = {}
    dropped = intervened([{"edit": "drop", "target": "both", "stored": True, "at": [2, 3]}], banks=banks)
    assert_equal(dropped, edited_stock(edit))
    assert banks[6].frames == {0, 1, 4, 5}

    def frozen(frame_idx, _, outputs):
        tracked = outputs["non_cond_frame_outputs"]
        for t in {3, 4} & tracked.keys():
            tracked[t]["maskmem_features"] = tracked[1]["maskmem_features"]

    freeze = {"edit": "freeze", "target": "memory", "frame": 1, "stored": True, "at": [3, 4]}
    ours, stock = intervened([freeze]), edited_stock(frozen)
    for t in (3, 4):
        assert np.array_equal(ours.memories.pop((1, t)), ours.memories[1, 1]), "it is stored, too"
        del stock.memories[1, t]
    assert_equal(ours, stock)


def test_edits_compose_in_order(intervened):
    drop = {"edit": "drop", "target": "both", "entries": {"frames": [2]}}
    noise = {"edit": "noise", "target": "memory", "entries": {"frames": [3]}, "seed": 5}
    freeze = {"edit": "freeze", "target": "memory", "entries": {"frames": [3]}, "frame": 1, "at": [4, 9]}
    banks = {}
    both = intervened([noise, freeze, drop], banks=banks)
    assert 2 not in banks[6].frames
    # What is frozen last hides the noise; the other way round the frozen memory is noisy.
    assert_equal(both, intervened([drop, freeze]))
    assert differs(intervened([drop, freeze, noise]), both)


def test_noise_is_in_units_of_the_entry_and_repeats(twins, folder):
    _, ours, flags = twins(gate="open")
    seen = []
    attention = ours.memory_attention.forward

    def attend(**kwargs):
        seen.append(kwargs["memory"].clone())
        return attention(**kwargs)

    def run(edits):
        seen.clear()
        with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session, ours.intervene(edits):
            session.add_prompt(_prompt())
            list(session.propagate(end=1))
        return seen[-1][:256, 0]

    ours.memory_attention.forward = attend
    try:
        plain = run([])
        noise = [{"edit": "noise", "target": "memory", "scale": 0.5, "seed": 1}]
        noisy, again, other = run(noise), run(noise), run([{**noise[0], "seed": 2}])
    finally:
        ours.memory_attention.forward = attention
    assert torch.equal(noisy, again)
    assert not torch.equal(noisy, other)
    added = (noisy - plain) / plain.std(correction=0)
    assert abs(float(added.mean())) < 0.02
    assert abs(float(added.std()) - 0.5) < 0.02


def test_a_frame_that_reads_nothing_is_as_one_without_memory(twins, intervened, edited_stock, monkeypatch):
    stock, _, _ = twins(gate="open")
    built = stock._prepare_memory_conditioned_features

    def alone(**kwargs):
        return built(**{**kwargs, "is_init_cond_frame": kwargs["is_init_cond_frame"] or kwargs["frame_idx"] == 4})

    monkeypatch.setattr(stock, "_prepare_memory_conditioned_features", alone)
    assert_equal(intervened([{"edit": "drop", "target": "both", "at": [4, 4]}]), edited_stock(lambda *_: None))


KEYS = ("image_embedding", "memory_attention", "prompt_attention", "object_pointer", "memory_features")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("mask", [None, "inside"])
def test_a_patch_with_its_own_tensor_changes_nothing(key, mask, twins, folder, intervened):
    if mask and key == "object_pointer":
        return
    patch = {"edit": "patch", "target": key, "from": "SELF"} | ({"mask": mask} if mask else {})
    assert_equal(intervened([patch], TWO, donors={"SELF": donor_of(twins, folder, TWO)}), intervened([], TWO))


def test_all_image_features_of_the_twin_give_the_twins_run(twins, other_folder, intervened):
    patch = {"edit": "patch", "target": "image_embedding", "from": "TWIN"}
    twin = donor_of(twins, other_folder)
    assert_equal(intervened([patch], donors={"TWIN": twin}), intervened([], video=other_folder))
    fine = intervened([{**patch, "levels": [4]}], donors={"TWIN": twin})
    assert differs(fine, intervened([]))
    assert differs(fine, intervened([], video=other_folder))


@pytest.mark.parametrize("key", KEYS)
def test_a_patch_is_what_arises_and_what_goes_on(key, twins, other_folder, intervened):
    twin, keeper = donor_of(twins, other_folder), Keeper()
    patch = {"edit": "patch", "target": key, "from": "TWIN", "at": [3, 3]}
    patched = intervened([patch], donors={"TWIN": twin}, observer=keeper)
    plain = intervened([])
    for t in (0, 1, 2):
        assert np.array_equal(patched.mask_logits[t + 1][1], plain.mask_logits[t + 1][1])
    expected = twin.images[3][0] if key == "image_embedding" else twin.tensors[key, 3, 1]
    assert torch.equal(keeper.tensors[key, 3, 1], expected)
    this_frame, later = (not np.array_equal(patched.mask_logits[t][1], plain.mask_logits[t][1]) for t in (4, 5))
    assert this_frame == (key in ("image_embedding", "memory_attention", "prompt_attention"))
    assert later
    if key == "object_pointer":
        assert np.array_equal(patched.pointers[1, 3], twin.entries["pointer", 3, 1].numpy())
    if key == "memory_features":
        assert np.array_equal(patched.memories[1, 3], twin.entries["memory", 3, 1].float().numpy())


def test_inside_and_outside_of_the_mask(twins, folder, other_folder, intervened):
    twin, own = donor_of(twins, other_folder), donor_of(twins, folder)
    logits = {t: torch.from_numpy(m) for t, m in intervened([]).mask_logits}
    for key in ("memory_attention", "memory_features"):
        for where in ("inside", "outside"):
            keeper = Keeper()
            patch = {"edit": "patch", "target": key, "from": "TWIN", "at": [3, 3], "mask": where}
            intervened([patch], donors={"TWIN": twin}, observer=keeper)
            theirs = (keeper.tensors[key, 3, 1] == twin.tensors[key, 3, 1]).all(dim=1)[0]
            mine = (keeper.tensors[key, 3, 1] == own.tensors[key, 3, 1]).all(dim=1)[0]
            assert torch.equal(theirs, ~mine)
            assert 0 < int(theirs.sum()) < 256
            # The predicted mask, coarsely, is where the tensor was replaced, or the rest.
            mask = torch.nn.functional.adaptive_avg_pool2d((logits[3] > 0).float(), (16, 16))[0, 0]
            inside = theirs if where == "inside" else mine
            assert (inside == (mask >= 0.5)).float().mean() > 0.9


def test_blocks_add_up_and_end(twins, folder):
    _, ours, _ = twins(gate="open")
    with ours.intervene([{"edit": "drop", "target": "pointer"}]):
        with ours.intervene([{"edit": "noise", "target": "memory"}]):
            assert [edit.edit for edit in ours.intervention.edits] == ["drop", "noise"]
        assert [edit.edit for edit in ours.intervention.edits] == ["drop"]
    assert ours.intervention is None


def test_a_sweep_shows_what_the_edited_passes_showed(twins, folder):
    _, ours, flags = twins(gate="open")
    shown: dict = {}

    class All(Keeper):
        def observe(self, at, key, tensor):
            shown.setdefault((key, at.frame_idx), []).append(tensor)

    edits = parse_edits([{"edit": "noise", "target": "memory"}, {"edit": "noise", "target": "memory_attention"}])
    options = SessionOptions(flags=flags, intervention=Intervention(edits))
    with VideoSession(ours, FolderSource(folder), options, All()) as session:
        run_session(session, TRACK)
        list(session.sweep())
    for (key, t), tensors in shown.items():
        if t > 0:
            assert len(tensors) == 2, (key, t)
            assert torch.equal(*tensors), (key, t)


def test_mistakes(twins, folder, intervened):
    with pytest.raises(InputError, match="There is no run 'NOSUCH' to take from"):
        intervened([{"edit": "swap", "target": "memory", "from": "NOSUCH"}])
    with pytest.raises(InputError, match="'mean' needs the run itself"):
        intervened([{"edit": "mean", "target": "memory"}])
    with pytest.raises(InputError, match="Frame 1 can't read the memory of frame 5 for object 1: nothing is stored"):
        intervened([{"edit": "freeze", "target": "memory", "frame": 5}])
    narrow = Kept({("memory", 0, 1): torch.zeros(1, 64, 8, 8)})
    with pytest.raises(InputError, match="The run TWIN has another shape at memory"):
        intervened([{"edit": "swap", "target": "memory", "from": "TWIN"}], donors={"TWIN": narrow})
    _, ours, flags = twins(gate="open")
    with (
        ours.intervene([{"edit": "drop", "target": "memory"}]),
        pytest.raises(InputError, match="can't be intervened on"),
    ):
        BatchTracker(ours, [ArraySource(moving_video(3))], [square_mask(0)], SessionOptions(flags=flags))


def _prompt():
    from napari_sam2_probe.tracking.prompts import Prompt

    return Prompt.from_mask(0, 1, square_mask(0))
