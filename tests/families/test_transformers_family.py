"""SAM 2 through ``transformers`` against ``sam2``, and against transformers' own video inference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.scenarios import moving_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.keys import to_transformers
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.families.loading import seeded_model
from napari_sam2_probe.families.port_config import port_config
from napari_sam2_probe.families.port_loading import convert
from napari_sam2_probe.models.checkpoints import sample_checkpoint
from napari_sam2_probe.models.config import OFFICIAL_CONFIGS, ModelFlags, predictor_flags
from napari_sam2_probe.tracking.frames import FrameReader
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.observer import Tap
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource

transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread"),
]

NUM_FRAMES = 7


@pytest.fixture(scope="module")
def video():
    return ArraySource(moving_video(NUM_FRAMES), name="moving")


@pytest.fixture(scope="module")
def both():
    """The sample model through each family."""
    return tuple(load_model(ModelChoice("sample", device="cpu", family=name)) for name in ("sam2", "transformers"))


class Seen:
    """Keeps what is shown, by frame and position."""

    def __init__(self):
        self.shown = {}

    def observe(self, at, key, tensor):
        self.shown[at.frame_idx, key] = tensor.float().numpy().copy()

    def frame_committed(self, *_, **__): ...

    def required_references(self, *_):
        return ()


def tracked(loaded, video, edits=(), clicks=True):
    intervention = Intervention().then(parse_edits(list(edits)), None) if edits else None
    options = SessionOptions.for_model(loaded, attention="exact", intervention=intervention, observe_unblanked=True)
    seen = Seen()
    with VideoSession(loaded.model, video, options, seen) as session:
        if clicks:
            session.add_prompt(Prompt.from_points(3, 1, [[48, 48]], [1], [30, 32, 68, 64]))
        else:
            session.add_prompt(Prompt.from_mask(3, 1, moving_video(NUM_FRAMES)[3, :, :, 2] == 30))
        masks = [result.masks()[0] for result in session.propagate()]
        masks += [result.masks()[0] for result in session.propagate("backward", start=3)]
        banks = [session.bank(t, 1) for t in range(NUM_FRAMES)]
        look = session.look(5, 1)
    return masks, seen.shown, banks, look


def iou(a, b):
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


DROP = {"edit": "drop", "target": "memory", "entries": {"role": "recent"}, "at": [4, 6]}
MEAN = {"edit": "noise", "target": "prompt_attention", "scale": 0.5, "seed": 1, "at": [5, 5]}


@pytest.mark.parametrize(
    ("edits", "clicks"), [((), True), ((), False), ((DROP, MEAN), True)], ids=["clicks", "mask", "edited"]
)
def test_the_sample_model_is_the_same_through_both(both, video, edits, clicks):
    (masks, shown, banks, look), (ported, ported_shown, ported_banks, ported_look) = (
        tracked(loaded, video, edits, clicks) for loaded in both
    )
    assert any(mask.any() for mask in masks)
    assert min(iou(a, b) for a, b in zip(masks, ported, strict=True)) >= 0.99
    assert ported_banks == banks
    assert ported_shown.keys() == shown.keys()
    for (t, key), expected in shown.items():
        got = ported_shown[t, key]
        assert got.shape == expected.shape, key
        scale = np.sqrt(np.nanmean(np.square(expected))) or 1.0
        off = np.sqrt(np.nanmean(np.square(got - expected))) / scale
        assert off < 1e-2, (t, key, off)
    assert ported_look.tokens == look.tokens
    assert ported_look.entry_tokens == look.entry_tokens
    np.testing.assert_allclose(ported_look.decoder_maps(), look.decoder_maps(), atol=1e-3)
    for a, b in zip(ported_look.from_token(40), look.from_token(40), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_an_edit_does_something(both, video):
    plain, edited = (tracked(both[1], video, edits)[1] for edits in ((), (DROP,)))
    key = "memory_attention"
    np.testing.assert_array_equal(plain[3, "object_pointer"], edited[3, "object_pointer"])
    assert np.abs(plain[5, key] - edited[5, key]).max() > 1e-3


def test_transformers_own_inference_gives_the_same(both, video):
    """The port driven by its own session, on the frames as we prepare them; clicks, since it takes masks otherwise."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    checkpoint = sample_checkpoint()
    weights = to_transformers(seeded_or_trained(checkpoint))
    config = transformers.Sam2VideoConfig(**port_config(checkpoint.config, weights))
    port = transformers.Sam2VideoModel(config).eval()
    port.load_state_dict(weights)
    loaded = both[1]
    size = loaded.model.image_size
    reader = FrameReader(video, size)
    frames = torch.stack([reader.read(t, 0) for t in range(NUM_FRAMES)])
    reader.close()
    theirs = Sam2VideoInferenceSession(
        video=frames, video_height=video.height, video_width=video.width, dtype=torch.float32
    )
    index = theirs.obj_id_to_idx(1)
    scale = torch.tensor([size / video.width, size / video.height])
    points = torch.tensor([[[[48.0, 48.0], [100.0, 10.0]]]]) * scale
    theirs.add_point_inputs(index, 0, {"point_coords": points, "point_labels": torch.tensor([[[1, 0]]]).int()})
    theirs.obj_with_new_inputs.append(1)
    flags = replace(predictor_flags(ModelFlags()), fill_hole_area=0)
    options = SessionOptions(flags=flags)
    with VideoSession(loaded.model, video, options) as session, torch.inference_mode():
        session.add_prompt(Prompt.from_points(0, 1, [[48, 48], [100, 10]], [1, 0]))
        results = list(session.propagate())
        for t in range(NUM_FRAMES):
            answer = port(theirs, frame_idx=t)
            own = session.stored_output(t, 1)
            np.testing.assert_allclose(answer.pred_masks[0, 0], own.pred_masks[0, 0], atol=2e-2)
            kind = "cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"
            pointer = theirs.output_dict_per_obj[index][kind][t]["object_pointer"]
            np.testing.assert_allclose(pointer.reshape(-1), own.obj_ptr.reshape(-1), atol=2e-3)
    assert any(result.masks().any() for result in results)


def seeded_or_trained(checkpoint):
    from napari_sam2_probe.families.loading import read_weights

    return read_weights(checkpoint.path)


@pytest.mark.parametrize("name", ["sam2.1_hiera_t", "sam2_hiera_t", "sam2.1_hiera_b+"])
def test_official_configurations_have_the_ports_names_and_shapes(name):
    config = next(one for one in OFFICIAL_CONFIGS if one.endswith(f"/{name}.yaml"))
    weights = to_transformers(seeded_model(config).state_dict())
    with torch.device("meta"):
        port = transformers.Sam2VideoModel(transformers.Sam2VideoConfig(**port_config(config, weights)))
    expected = {key: value.shape for key, value in port.state_dict().items()}
    assert {key: value.shape for key, value in weights.items()} == expected


def test_a_folder_is_recognised_and_tracks_alike(both, video, tmp_path):
    convert(sample_checkpoint(), tmp_path / "ported")
    loaded = load_model(ModelChoice(str(tmp_path / "ported"), device="cpu"))
    described = loaded.describe()
    assert (described["family"], described["config"]) == ("transformers", "config.json")
    assert described["versions"] == {"transformers": transformers.__version__}
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, both[1].model.state_dict()[name]), name
    with pytest.raises(InputError, match="--config small can't be used"):
        load_model(ModelChoice(str(tmp_path / "ported"), config="small"))
    settings = (tmp_path / "ported" / "config.json").read_text()
    (tmp_path / "ported" / "config.json").write_text(settings.replace('"num_maskmem": 7', '"num_maskmem": 5'))
    with pytest.raises(InputError, match="no Sam2VideoModel can be built from it"):
        load_model(ModelChoice(str(tmp_path / "ported")))


def test_positions_from_outside_are_named_as_in_sam2(both, video):
    """Taps of the examples: on the decoder's transformer, and on a module inside the memory encoder."""
    taps = {
        "score_token": Tap("sam_mask_decoder.transformer", lambda output: output[0][:, 0]),
        "downsampled": Tap("memory_encoder.mask_downsampler", lambda output: output),
    }
    shown = []
    for loaded in both:
        seen = Seen()
        seen.taps = taps
        with VideoSession(loaded.model, video, SessionOptions.for_model(loaded), seen) as session:
            session.add_prompt(Prompt.from_points(0, 1, [[48, 48]], [1]))
            list(session.propagate(end=2))
        shown.append({at: value for at, value in seen.shown.items() if at[1] in taps})
    assert {key for _, key in shown[0]} == set(taps)
    for at, expected in shown[0].items():
        assert shown[1][at].shape == expected.shape
        np.testing.assert_allclose(shown[1][at], expected, atol=1e-2 * np.abs(expected).max())
    seen = Seen()
    seen.taps = {"nowhere": Tap("memory_encoder.nowhere", lambda output: output)}
    with (
        VideoSession(both[1].model, video, SessionOptions.for_model(both[1]), seen) as session,
        pytest.raises(InputError, match=r"at 'memory_encoder\.nowhere', a module that this model doesn't have"),
    ):
        session.add_prompt(Prompt.from_points(0, 1, [[48, 48]], [1]))


def test_an_experiment_runs_through_the_family_that_is_asked_for():
    from napari_sam2_probe.experiments.config import make_config

    model = {"checkpoint": "sample", "device": "cpu", "family": "transformers"}
    config = make_config(davis="sample_data", kinds=["clean"], samples=1, model=model)
    assert load_model(config.model.choice()).family == "transformers"
