"""EdgeTAM and SAM 3's tracker through ``transformers``: against its own video inference, and with everything we add."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import napari_sam2_probe as sp
from helpers import ported_models
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.clip_view import composite_positions
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.models.config import ModelFlags
from napari_sam2_probe.probe.positions import BY_KEY, recorded_positions
from napari_sam2_probe.probe.statistics import check_shape
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.frames import FrameReader
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource

transformers = pytest.importorskip("transformers")
pytest.importorskip("timm")

pytestmark = [
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread_in_module"),
]

NUM_FRAMES, FIRST = 6, 2
POINTS, BOX = ([[48, 48], [100, 10]], [1, 0]), [30, 32, 68, 64]
FAMILIES = {
    "edgetam": (ported_models.edgetam, transformers.EdgeTamVideoModel),
    "sam3": (ported_models.sam3_tracker, transformers.Sam3TrackerVideoModel),
}

SHAPES = {
    "edgetam": {
        "image_embedding": (32, 64, 64),
        "memory_attention": (256, 16, 16),
        "prompt_attention": (256, 16, 16),
        "object_pointer": (256,),
        "object_pointer_raw": (256,),
        "memory_features": (32, 64),
        "memory_features_raw": (64, 16, 16),
        "memory_features_dense": (64, 16, 16),
    },
    "sam3": {
        "image_embedding": (32, 40, 40),
        "memory_attention": (256, 10, 10),
        "prompt_attention": (256, 10, 10),
        "object_pointer": (256,),
        "object_pointer_raw": (256,),
        "memory_features": (64, 10, 10),
        "memory_features_raw": (64, 10, 10),
    },
}


@pytest.fixture(scope="module")
def video():
    return ArraySource(moving_video(NUM_FRAMES), name="moving")


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return ported_models.saved(FAMILIES[name][0](), tmp_path_factory.mktemp("models") / name)


@pytest.fixture(scope="module")
def loaded(folder):
    return load_model(ModelChoice(str(folder), device="cpu"))


class Seen:
    """Keeps what is shown, by frame, object and position."""

    def __init__(self):
        self.shown = {}

    def observe(self, at, key, tensor):
        self.shown[at.frame_idx, at.obj_id, key] = tensor.clone()

    def frame_committed(self, *_, **__): ...

    def required_references(self, *_):
        return ()


def tracked(loaded, video, observer=None):
    """Two objects, from a frame in the middle forward and backward; what is stored of every frame."""
    options = SessionOptions.for_model(loaded)
    stored = {}
    with VideoSession(loaded.model, video, options, observer) as session:
        session.add_prompt(Prompt.from_points(FIRST, 1, *POINTS))
        session.add_prompt(Prompt.from_points(FIRST, 2, [], [], BOX))
        for direction in ("forward", "backward"):
            for result in session.propagate(direction, start=FIRST):
                for obj_id in (1, 2):
                    stored[result.frame_idx, obj_id] = session.stored_output(result.frame_idx, obj_id)
    return stored


def test_the_folder_is_recognised(loaded, name):
    described = loaded.describe()
    assert (described["family"], described["architecture"]) == ("transformers", FAMILIES[name][1].__name__)
    json.dumps(described)


def test_what_is_shown_is_what_the_table_of_positions_says(loaded, video, name):
    seen = Seen()
    tracked(loaded, video, seen)
    positions = {p.key: p for p in recorded_positions(model=loaded.model)}
    assert positions.keys() == SHAPES[name].keys()
    for (t, obj_id, key), tensor in seen.shown.items():
        if key in positions:
            check_shape(positions[key], tensor)
            assert tuple(tensor.shape[1:]) == SHAPES[name][key], (t, obj_id, key)
    shown = {(t, obj_id) for t, obj_id, key in seen.shown if key in positions}
    assert len(shown) == 2 * NUM_FRAMES
    assert {key for t, obj_id, key in seen.shown if (t, obj_id) == (4, 2)} >= positions.keys()


def test_watching_changes_nothing(loaded, video):
    plain, watched = tracked(loaded, video), tracked(loaded, video, Seen())
    for at, output in plain.items():
        for a, b in zip(output.tensors, watched[at].tensors, strict=True):
            assert torch.equal(a, b), at


def test_transformers_own_inference_gives_the_same(loaded, video, folder, name):
    """The same folder by ``from_pretrained``, driven by its own session, on the frames as we prepare them."""
    own = tracked(load_model(ModelChoice(str(folder), device="cpu", flags=ModelFlags())), video)
    port = FAMILIES[name][1].from_pretrained(folder).eval()
    size = loaded.model.image_size
    reader = FrameReader(video, size, normalisation=loaded.model.normalisation)
    frames = torch.stack([reader.read(t, 0) for t in range(NUM_FRAMES)])
    reader.close()
    module = __import__(type(port).__module__, fromlist=["x"])
    session_class = getattr(module, type(port).__name__.replace("Model", "InferenceSession"))
    session = session_class(video=frames, video_height=video.height, video_width=video.width, dtype=torch.float32)
    scale = torch.tensor([size / video.width, size / video.height])
    for obj_id, points, labels in ((1, *POINTS), (2, np.reshape(BOX, (2, 2)).tolist(), [2, 3])):
        index = session.obj_id_to_idx(obj_id)
        inputs = {
            "point_coords": torch.tensor([[points]], dtype=torch.float32) * scale,
            "point_labels": torch.tensor([[labels]]).int(),
        }
        session.add_point_inputs(index, FIRST, inputs)
        session.obj_with_new_inputs.append(obj_id)
    passes = [(t, False) for t in range(FIRST, NUM_FRAMES)] + [(t, True) for t in range(FIRST - 1, -1, -1)]
    compared = 0
    with torch.inference_mode():
        for t, reverse in passes:
            port(session, frame_idx=t, reverse=reverse)
            for obj_id in (1, 2):
                kind = "cond_frame_outputs" if t == FIRST else "non_cond_frame_outputs"
                theirs = session.output_dict_per_obj[session.obj_id_to_idx(obj_id)][kind][t]
                ours = own[t, obj_id]
                close(ours.pred_masks.flatten(), theirs["pred_masks"].flatten(), 1e-5, (t, obj_id, "masks"))
                close(ours.obj_ptr.flatten(), theirs["object_pointer"].flatten(), 1e-5, (t, obj_id, "pointer"))
                close(memory_tokens(ours.maskmem_features), theirs["maskmem_features"].flatten(0, 1), 1e-3, (t, obj_id))
                compared += 1
    assert compared == 2 * NUM_FRAMES
    assert any((output.pred_masks > 0).any() for output in own.values())
    assert any((output.pred_masks < 0).any() for output in own.values())


def memory_tokens(memory):
    return memory[0] if memory.ndim == 3 else memory[0].flatten(1).T


def close(a, b, limit, what):
    """Root mean square of the difference in units of the values' own."""
    off = float((a.float() - b.float()).square().mean().sqrt() / b.float().square().mean().sqrt())
    assert math.isfinite(off), what
    assert off < limit, (what, off)


def test_attention_is_the_models_own(loaded, video):
    """Shares against the weights that the layer itself gives with eager attention, of the same step."""
    layers = [layer.cross_attn_image for layer in loaded.model.memory_attention.network.layers]
    weights = []
    config = layers[0].config
    before, config._attn_implementation = config._attn_implementation, "eager"
    try:
        with VideoSession(loaded.model, video, SessionOptions.for_model(loaded)) as session:
            session.add_prompt(Prompt.from_points(0, 1, *POINTS))
            list(session.propagate(end=3))
            handles = [layer.register_forward_hook(lambda *call: weights.append(call[-1][1])) for layer in layers]
            look = session.look(3, 1)
    finally:
        config._attn_implementation = before
        for handle in handles:
            handle.remove()
    assert len(weights) == len(layers)
    expected = torch.stack([w.flatten(0, -3).mean(dim=0) for w in weights])
    ends = np.cumsum(look.entry_tokens)
    for token in (0, look.side + 3):
        for entry, end, count, part in zip(look.entries, ends, look.entry_tokens, look.from_token(token), strict=True):
            own = expected[:, token, end - count : end].numpy()
            if entry.kind == "pointer":
                np.testing.assert_allclose(part, own.sum(axis=-1), atol=1e-5)
            else:
                np.testing.assert_allclose(part.reshape(len(part), -1), own[:, look.placeless :], atol=1e-5)
    region = np.zeros((video.height, video.width), bool)
    region[: video.height // 2] = True
    inside = look.tokens_in(region, look.memory_side)
    first = look.placeless + np.flatnonzero(inside)
    np.testing.assert_allclose(
        look.readers(0, inside).reshape(len(layers), -1), expected[:, :, first].sum(dim=-1).numpy(), atol=1e-5
    )


@pytest.fixture(scope="module")
def run(loaded, video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    prompts = sp.points(POINTS[0], POINTS[1])
    return sp.track(write_video(folder / "video", moving_video(NUM_FRAMES)), prompts, model=loaded, out=folder / "run")


def test_a_run_records_and_explains(run, loaded, name):
    keys = set(SHAPES[name])
    maps = {key for key in keys if len(SHAPES[name][key]) == 3}
    assert set(run.maps) == maps
    for key in maps:
        assert run.maps[key].shape[-2:] == SHAPES[name][key][1:]
    features = run.features
    numbers = {BY_KEY[key].number for key in keys}
    assert set(features["position"]) == numbers
    later = features[features["frame"] >= 2].groupby("position")["short_term_l2"]
    assert (later.min() > 0).all()
    assert set(later.groups) == numbers
    assert run.info["model"]["architecture"] == FAMILIES[name][1].__name__
    blame = run.explain(4, model=loaded)
    assert {"memory", "pointer"} <= set(blame["kind"])
    assert (blame["delta_pointer"] > 0).any()
    shown = composite_positions(open_run(run.path))
    assert shown == (["1", "2", "3", "5p"] if name == "edgetam" else ["1", "2", "3", "5"])
    assert run.plot.composite(3) is not None


def test_it_is_made_again_from_its_record(run, tmp_path):
    again = sp.repeat(run.path, out=tmp_path / "again")
    np.testing.assert_array_equal(again.pointers, run.pointers)
    np.testing.assert_array_equal(again.features["long_term_l2"], run.features["long_term_l2"])


def test_interventions_and_policies(loaded, video, name):
    plain = tracked(loaded, video)
    target = "memory_features"
    edits = {
        "drop": {"edit": "drop", "target": "memory", "entries": {"role": "recent"}, "at": [4, 5]},
        "noise": {"edit": "noise", "target": target, "scale": 0.5, "at": [3, 3]},
    }
    for edit in edits.values():
        with loaded.model.intervene([edit]):
            edited = tracked(loaded, video)
        assert torch.equal(edited[2, 1].obj_ptr, plain[2, 1].obj_ptr)
        assert not torch.equal(edited[5, 1].obj_ptr, plain[5, 1].obj_ptr)
    inside = {"edit": "noise", "target": target, "scale": 0.5, "at": [3, 3], "mask": "inside"}
    if name == "edgetam":
        with (
            loaded.model.intervene([inside]),
            pytest.raises(InputError, match="tokens without a place in the image, so no edit of it can be limited"),
        ):
            tracked(loaded, video)
    else:
        with loaded.model.intervene([inside]):
            edited = tracked(loaded, video)
        assert not torch.equal(edited[5, 1].obj_ptr, plain[5, 1].obj_ptr)


def test_a_correction_and_its_undo(loaded, video):
    with VideoSession(loaded.model, video, SessionOptions.for_model(loaded)) as session:
        session.add_prompt(Prompt.from_points(0, 1, *POINTS))
        list(session.propagate())
        before = session.stored_output(4, 1).pred_masks.clone()
        session.add_prompt(Prompt.from_points(3, 1, [[20, 70]], [0]))
        list(session.propagate(start=3))
        assert not torch.equal(session.stored_output(4, 1).pred_masks, before)
        session.undo()
        assert session.prompted_frames() == [0]
        list(session.propagate(start=0))
        torch.testing.assert_close(session.stored_output(4, 1).pred_masks, before, rtol=0, atol=0)


def test_a_batch_of_clips_is_as_one_by_one(loaded):
    clips = [ArraySource(moving_video(NUM_FRAMES), name="a"), ArraySource(moving_video(NUM_FRAMES)[::-1], name="b")]
    masks = [square_mask(0), square_mask(NUM_FRAMES - 1)]
    alone = []
    for clip, mask in zip(clips, masks, strict=True):
        with VideoSession(loaded.model, clip, SessionOptions.for_model(loaded)) as session:
            session.add_prompt(Prompt.from_mask(0, 1, mask))
            alone.append([result.masks()[0] for result in session.propagate()])
    with BatchTracker(loaded.model, clips, masks, SessionOptions.for_model(loaded)) as tracker:
        together = [frame.masks() for frame in tracker.track()]
    for t in range(NUM_FRAMES):
        for k in range(2):
            a, b = alone[k][t], np.asarray(together[t][k])
            assert (a & b).sum() >= 0.99 * (a | b).sum()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "EdgeTamVideo",
            {"image": [(32, 256, 256), (64, 128, 128), (256, 64, 64)], "5p": (64, 64, 64), "5": (512, 64)},
        ),
        ("Sam3TrackerVideo", {"image": [(32, 288, 288), (64, 144, 144), (256, 72, 72)], "5": (64, 72, 72)}),
    ],
)
def test_shapes_at_full_size(name, shapes):
    """Of the published sizes, without weights or numbers."""
    from napari_sam2_probe.families.port_kinds import KINDS

    kind = next(kind for kind in KINDS.values() if kind.name == name)
    module, ported = kind.ported
    with torch.device("meta"):
        config = getattr(transformers, f"{name}Config")()
        port = getattr(transformers, kind.class_name)(config)
        model = getattr(__import__(module, fromlist=[ported]), ported)(port, ModelFlags()).eval()
        side = model.image_size
        shown = {}
        with torch.inference_mode(), model.tapped(lambda key, tensor: shown.update({key: tuple(tensor.shape[1:])})):
            backbone = model.forward_image(torch.zeros(1, 3, side, side))
            assert [tuple(m.shape[1:]) for m in backbone["backbone_fpn"]] == shapes["image"]
            _, features, _, sizes = model._prepare_backbone_features(backbone)
            masks = torch.zeros(1, 1, side, side)
            model._encode_new_memory(features, sizes, masks, torch.ones(1, 1), is_mask_from_pts=False)
    assert shown["memory_features"] == shapes["5"]
    assert shown.get("memory_features_dense") == shapes.get("5p")


def test_two_models_on_one_video(run, loaded, name):
    """Against the sample model: nothing is subtracted, distances are in own units, maps are compared by CKA."""
    sample = sp.load_model("sample", device="cpu")
    other = sp.track(run.video, sp.points(POINTS[0], POINTS[1]), model=sample)
    comparison = sp.compare(run, other)
    with pytest.raises(InputError, match=f"are of two models .*{FAMILIES[name][1].__name__}; sample"):
        _ = comparison.distances
    table = comparison.features
    shared = {"1", "2", "3", "4", "4r", "5", "5r"}
    assert set(table["position"]) == shared
    alike = comparison.cka(loaded, sample)
    assert alike["cka"].notna().all()
    assert (alike["cka"] < 0.999).all()
    np.testing.assert_allclose(sp.compare(run, run).cka(loaded, loaded)["cka"], 1)
