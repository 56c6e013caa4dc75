"""The bank says what memory attention of the stock predictor is given, token by token, in order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sam2.modeling.sam2_utils import get_1d_sine_pe

from helpers.rounding import IS_INTEL
from helpers.scenarios import SCENARIOS, moving_video, run_session, run_stock, write_video
from napari_sam2_probe.tracking.bank import BankRule, Reading, memory_slots, stock_bank
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(11))


class Seen:
    """What memory attention of the stock predictor is given, the latest of each object and frame."""

    def __init__(self, stock, monkeypatch):
        self.given: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor, int]] = {}
        self.outputs: dict[tuple[int, int], dict] = {}
        self._at = (0, 0)
        single, attention = stock._run_single_frame_inference, stock.memory_attention.forward

        def run_single(inference_state, output_dict, frame_idx, **kwargs):
            [idx] = [i for i, d in inference_state["output_dict_per_obj"].items() if d is output_dict]
            self._at = (inference_state["obj_idx_to_id"][idx], frame_idx)
            # What is stored now is what this frame can read, whatever replaces it later.
            now = self.outputs[self._at] = dict(output_dict["non_cond_frame_outputs"])
            now |= output_dict["cond_frame_outputs"]
            return single(inference_state=inference_state, output_dict=output_dict, frame_idx=frame_idx, **kwargs)

        def attend(**kwargs):
            tokens, positions = kwargs["memory"].clone(), kwargs["memory_pos"].clone()
            self.given[self._at] = (tokens, positions, kwargs["num_obj_ptr_tokens"])
            return attention(**kwargs)

        monkeypatch.setattr(stock, "_run_single_frame_inference", run_single)
        monkeypatch.setattr(stock.memory_attention, "forward", attend)


LONG = [("mask", {"frame": 0, "obj": 1}), ("track", {})]
SIX_FRAME_SCENARIOS = ("two objects", "correction by clicks", "both directions", "correction while going back")


@pytest.mark.parametrize("scenario", [*SIX_FRAME_SCENARIOS, "long"])
def test_a_bank_is_what_attention_is_given(scenario, folder, twins, monkeypatch):
    stock, ours, flags = twins(gate="open")
    steps = LONG if scenario == "long" else SCENARIOS[scenario]
    seen = Seen(stock, monkeypatch)
    run_stock(stock, folder, steps)
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, steps)
        banks = {at: session.bank(at[1], at[0]) for at in seen.given}
        # Nothing else read anything.
        for obj_id in session.obj_ids:
            reading = {t for t in range(11) if session.bank(t, obj_id) is not None}
            assert reading == {t for of, t in seen.given if of == obj_id}
    assert len(banks) >= 8
    for at, bank in banks.items():
        tokens, positions, num_pointer_tokens = seen.given[at]
        stored = seen.outputs[at]
        expected_tokens, expected_positions = [], []
        for entry in bank.entries:
            assert entry.age == abs(entry.frame - at[1])
            if entry.kind == "memory":
                features = stored[entry.frame]["maskmem_features"].float()
                spatial = stored[entry.frame]["maskmem_pos_enc"][-1]
                expected_tokens.append(features.flatten(2).permute(2, 0, 1))
                slot = stock.maskmem_tpos_enc[6 - entry.temporal_position]
                expected_positions.append(spatial.flatten(2).permute(2, 0, 1) + slot)
            else:
                expected_tokens.append(stored[entry.frame]["obj_ptr"].reshape(4, 1, 64))
                encoding = get_1d_sine_pe(torch.tensor([entry.temporal_position]) / 10, dim=256)
                expected_positions.append(stock.obj_ptr_tpos_proj(encoding)[:, None].repeat_interleave(4, dim=0))
        assert torch.equal(tokens, torch.cat(expected_tokens)), at
        np.testing.assert_allclose(
            # One projection at a time rounds unlike all at once, by how much depends on the processor.
            positions.detach().numpy(),
            torch.cat(expected_positions).detach().numpy(),
            rtol=1e-7 if IS_INTEL else 2e-6,
            atol=1e-6 if IS_INTEL else 5e-6,
            err_msg=str(at),
        )
        assert num_pointer_tokens == 4 * len(bank.pointers)
        assert bank.entries == bank.memories + bank.pointers


def test_the_sizes_of_a_full_bank(folder, twins):
    _, ours, flags = twins(gate="open")
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, LONG)
        bank = session.bank(10, 1)
    assert [(e.frame, e.role, e.temporal_position) for e in bank.memories] == [
        (0, "conditioning", 0),
        *((t, "recent", t - 3) for t in range(4, 10)),
    ]
    assert [(e.frame, e.role, e.temporal_position) for e in bank.pointers] == [
        (0, "conditioning", 10),
        *((10 - d, "recent", d) for d in range(1, 10)),
    ]


def test_reading_from_disk_is_not_needed(folder, twins):
    _, ours, flags = twins(gate="open")
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags, output_budget=1)) as session:
        run_session(session, LONG)
        assert session.bank(1, 1).frames == {0}
        assert session.bank(0, 1) is None


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_the_bank_with_other_rules_equals_what_sam2_looks_up(twins, reverse, stride):
    """Limits and strides that no official configuration sets: compared with what the stock method asks for."""
    stock, _, _ = twins(gate="open")
    asked: list[int] = []

    class Tracked(dict):
        def get(self, frame, default=None):
            asked.append(frame)
            return super().get(frame, default)

    frame_idx, num_frames, conditioning = 20, 40, (0, 12, 18, 22, 30, 39)
    tracked = set(range(40)) - set(conditioning) - {17, 25}
    rule = BankRule(7, stride, 3, True, 16, True, True)
    names = ("memory_temporal_stride_for_eval", "max_cond_frames_in_attn")
    before = {name: getattr(stock, name) for name in names}
    made = []

    def output(t):
        return {
            "maskmem_features": torch.full((1, 64, 1, 1), float(t)),
            "maskmem_pos_enc": [torch.zeros(1, 64, 1, 1)],
            "obj_ptr": torch.full((1, 256), float(t)),
        }

    attention = stock.memory_attention.forward
    try:
        stock.memory_temporal_stride_for_eval, stock.max_cond_frames_in_attn = stride, 3
        stock.memory_attention.forward = lambda **kwargs: made.append(kwargs["memory"]) or torch.zeros(1, 1, 256)
        with torch.inference_mode():
            stock._prepare_memory_conditioned_features(
                frame_idx,
                False,
                [torch.zeros(1, 1, 256)],
                [torch.zeros(1, 1, 256)],
                [(1, 1)],
                {
                    "cond_frame_outputs": {t: output(t) for t in conditioning},
                    "non_cond_frame_outputs": Tracked({t: output(t) for t in tracked}),
                },
                num_frames,
                reverse,
            )
    finally:
        stock.memory_attention.forward = attention
        for name, value in before.items():
            setattr(stock, name, value)
    reading = Reading(frame_idx, num_frames, reverse)
    bank = stock_bank(rule, reading, conditioning, tracked.__contains__)
    expected = [float(e.frame) for e in bank.memories] + [float(e.frame) for e in bank.pointers for _ in range(4)]
    assert made[0][:, 0, 0].tolist() == expected
    assert list(memory_slots(rule, reading).values()) == asked[:6]
