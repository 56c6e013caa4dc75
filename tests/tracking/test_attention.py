"""Shares of attention equal a float64 softmax of queries and keys that separate code takes from the stock model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from helpers.scenarios import SCENARIOS, assert_equal, moving_video, run_session, run_stock, write_video
from helpers.twins import stock_class
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loading import build_model
from napari_sam2_probe.models.checkpoints import resolve
from napari_sam2_probe.models.config import ModelFlags, predictor_flags
from napari_sam2_probe.tracking.attention import (
    GROUPS,
    MOST_QUERIES,
    LayerAttention,
    _layer_shares,
    draw_queries,
    query_groups,
    token_shares,
)
from napari_sam2_probe.tracking.engine import ATTENTION_SHARES
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

T = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(T))


class Shares:
    """Keeps the shares that are shown, the latest of each object and frame."""

    def __init__(self):
        self.shown = {}

    def observe(self, at, key, tensor):
        if key == ATTENTION_SHARES:
            self.shown[at.obj_id, at.frame_idx] = tensor[0].numpy()

    def frame_committed(self, *_, **__): ...
    def pass_copied(self, *_): ...
    def required_references(self, *_):
        return ()


class StockAttention:
    """Inputs of every cross-attention of the stock predictor, by (object, frame); softmax in float64 with NumPy."""

    def __init__(self, stock, monkeypatch):
        self.inputs: dict[tuple[int, int], list] = {}
        self._at = (0, 0)
        single = stock._run_single_frame_inference

        def run_single(inference_state, output_dict, frame_idx, **kwargs):
            [idx] = [i for i, d in inference_state["output_dict_per_obj"].items() if d is output_dict]
            self._at = (inference_state["obj_idx_to_id"][idx], frame_idx)
            self.inputs[self._at] = []
            return single(inference_state=inference_state, output_dict=output_dict, frame_idx=frame_idx, **kwargs)

        monkeypatch.setattr(stock, "_run_single_frame_inference", run_single)
        for layer in stock.memory_attention.layers:
            monkeypatch.setattr(layer.cross_attn_image, "forward", self._taking(layer.cross_attn_image))

    def _taking(self, module):
        forward = module.forward

        def run(q, k, v, num_k_exclude_rope=0):
            self.inputs[self._at].append((module, q.clone(), k.clone(), num_k_exclude_rope))
            return forward(q=q, k=k, v=v, num_k_exclude_rope=num_k_exclude_rope)

        return run

    def weights(self, at) -> list[np.ndarray]:
        """(tokens, keys) of each layer."""
        result = []
        for module, q, k, num_k_exclude_rope in self.inputs[at]:
            queries = _projected(module.q_proj, q)
            keys = _projected(module.k_proj, k)
            queries = _rotated(queries)
            end = len(keys) - num_k_exclude_rope
            keys = np.concatenate([*(_rotated(part) for part in np.split(keys[:end], end // len(queries))), keys[end:]])
            logits = queries @ keys.T / math.sqrt(queries.shape[1])
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            result.append(weights / weights.sum(axis=1, keepdims=True))
        return result

    def shares(self, at, entry_tokens) -> np.ndarray:
        """(layers, tokens, entries) of a frame."""
        ends = np.cumsum(entry_tokens)[:-1]
        return np.stack(
            [
                np.stack([part.sum(axis=1) for part in np.split(weights, ends, axis=1)], axis=1)
                for weights in self.weights(at)
            ]
        )


def _projected(linear, x) -> np.ndarray:
    weight, bias = (p.detach().numpy().astype(np.float64) for p in (linear.weight, linear.bias))
    return x[0].numpy().astype(np.float64) @ weight.T + bias


def _rotated(x: np.ndarray) -> np.ndarray:
    """Axial rotary encoding: the first half of the pairs turn with x, the second with y."""
    count, channels = x.shape
    side = math.isqrt(count)
    frequencies = 1.0 / 10000.0 ** (np.arange(0, channels, 4)[: channels // 4] / channels)
    column, row = np.arange(count) % side, np.arange(count) // side
    angles = np.concatenate([np.outer(column, frequencies), np.outer(row, frequencies)], axis=1)
    turned = (x[:, 0::2] + 1j * x[:, 1::2]) * np.exp(1j * angles)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(count, channels)


@pytest.mark.parametrize("detail", ["sampled", "exact"])
@pytest.mark.parametrize("scenario", ["mask", "two objects", "correction by clicks"])
def test_shares_are_those_of_the_stock_model(scenario, detail, folder, twins, monkeypatch):
    groups_seen = compare(*twins(gate="open"), SCENARIOS[scenario], detail, folder, monkeypatch)
    assert groups_seen >= {1, 2}


@pytest.fixture(scope="module")
def trained():
    """The stock predictor and our model with the sample model's weights: masks that lie on things."""
    checkpoint, device, flags = resolve("sample"), torch.device("cpu"), ModelFlags()
    stock = build_model(None, checkpoint, device, flags, model_class=stock_class())
    return stock, build_model(None, checkpoint, device, flags), predictor_flags(flags)


def test_shares_of_a_trained_model(trained, folder, monkeypatch):
    assert compare(*trained, SCENARIOS["mask"], "sampled", folder, monkeypatch) == {1, 2, 3}


def compare(stock, ours, flags, steps, detail, folder, monkeypatch) -> set[int]:
    """Compare shares by group of queries; return the groups that any frame has."""
    seen, observer = StockAttention(stock, monkeypatch), Shares()
    expected_outcome = run_stock(stock, folder, steps)
    options = SessionOptions(flags=flags, attention=detail)
    with VideoSession(ours, FolderSource(folder), options, observer) as session:
        outcome = run_session(session, steps)
        banks = {at: session.bank(at[1], at[0]) for at in observer.shown}
        masks = {at: session.stored_output(at[1], at[0]).pred_masks for at in observer.shown}
    assert_equal(outcome, expected_outcome)
    assert observer.shown.keys() == {at for at, inputs in seen.inputs.items() if inputs}
    assert len(observer.shown) >= 4
    groups_seen = set()
    for at, shares in observer.shown.items():
        entry_tokens = [256 if entry.kind == "memory" else 4 for entry in banks[at].entries]
        by_token = seen.shares(at, entry_tokens)
        groups = query_groups(masks[at], 16)
        np.testing.assert_allclose(by_token.sum(axis=2), 1, atol=1e-12)
        assert shares.shape == (2, len(GROUPS), len(entry_tokens))
        # The model has as many tokens as are drawn at most, so that both details must be exact.
        assert MOST_QUERIES == groups.shape[1] == 256
        np.testing.assert_allclose(shares[:, 0], by_token.mean(axis=1), atol=1e-5, rtol=1e-5)
        for group, mask in enumerate(groups.numpy(), 1):
            if not mask.any():
                assert np.isnan(shares[:, group]).all()
                continue
            groups_seen.add(group)
            np.testing.assert_allclose(shares[:, group], by_token[:, mask].mean(axis=1), atol=1e-5, rtol=1e-5)
            np.testing.assert_allclose(shares[:, group].sum(axis=-1), 1, atol=1e-5)
    return groups_seen


class StockDecoder:
    """Attention from tokens to image in the stock decoder, by (object, frame); softmax by head in float64."""

    def __init__(self, stock, monkeypatch):
        self.maps: dict[tuple[int, int], list[np.ndarray]] = {}
        self._at = (0, 0)
        single = stock._run_single_frame_inference

        def run_single(inference_state, output_dict, frame_idx, **kwargs):
            [idx] = [i for i, d in inference_state["output_dict_per_obj"].items() if d is output_dict]
            self._at = (inference_state["obj_idx_to_id"][idx], frame_idx)
            self.maps[self._at] = []
            return single(inference_state=inference_state, output_dict=output_dict, frame_idx=frame_idx, **kwargs)

        monkeypatch.setattr(stock, "_run_single_frame_inference", run_single)
        two_way = stock.sam_mask_decoder.transformer
        modules = [*(layer.cross_attn_token_to_image for layer in two_way.layers), two_way.final_attn_token_to_image]
        for module in modules:
            monkeypatch.setattr(module, "forward", self._taking(module))

    def _taking(self, module):
        forward = module.forward

        def run(q, k, v):
            heads = module.num_heads
            queries, keys = _projected(module.q_proj, q), _projected(module.k_proj, k)
            parts = zip(np.split(queries, heads, axis=1), np.split(keys, heads, axis=1), strict=True)
            weights = []
            for one, other in parts:
                logits = one @ other.T / math.sqrt(one.shape[1])
                exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
                weights.append(exponentials / exponentials.sum(axis=1, keepdims=True))
            self.maps[self._at].append(np.mean(weights, axis=0))
            return forward(q=q, k=k, v=v)

        return run


@pytest.mark.parametrize("scenario", ["mask", "two objects"])
def test_maps_are_those_of_the_stock_model(scenario, folder, twins, monkeypatch):
    stock, ours, flags = twins(gate="open")
    seen, decoder = StockAttention(stock, monkeypatch), StockDecoder(stock, monkeypatch)
    run_stock(stock, folder, SCENARIOS[scenario])
    decoder_names = ("1", "2", "final")
    rng = np.random.default_rng(0)
    compared = 0
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, SCENARIOS[scenario])
        for (obj_id, frame), maps in decoder.maps.items():
            look = session.look(frame, obj_id)
            assert (look.side, look.decoder_names) == (16, decoder_names)
            assert look.tokens[:6] == ("object score", "IoU", "mask 0", "mask 1", "mask 2", "mask 3")
            np.testing.assert_allclose(look.decoder_maps().reshape(3, -1, 256), np.stack(maps), atol=1e-5)
            if not seen.inputs[obj_id, frame]:
                with pytest.raises(InputError, match=f"Frame {frame} read no memory"):
                    look.from_token(0)
                continue
            compared += 1
            assert look.tokens[6:] == ("padding", "padding")
            assert look.entries == session.bank(frame, obj_id).entries
            weights = np.stack(seen.weights((obj_id, frame)))
            ends = np.cumsum(look.entry_tokens)
            token = int(rng.integers(256))
            for entry, end, part in zip(look.entries, ends, look.from_token(token), strict=True):
                length = 256 if entry.kind == "memory" else 4
                expected = weights[:, token, end - length : end]
                if entry.kind == "pointer":
                    np.testing.assert_allclose(part, expected.sum(axis=1), atol=1e-5)
                else:
                    np.testing.assert_allclose(part.reshape(-1, 256), expected, atol=1e-5)
            region = rng.random(256) < 0.1
            index = look.memory_frames.index(look.memory_frames[-1])
            columns = np.flatnonzero(region) + 256 * index
            readers = look.readers(look.memory_frames[-1], region)
            np.testing.assert_allclose(readers.reshape(-1, 256), weights[:, :, columns].sum(axis=2), atol=1e-5)
            whole = look.readers(look.memory_frames[0])
            np.testing.assert_allclose(whole.reshape(-1, 256), weights[:, :, :256].sum(axis=2), atol=1e-5)
            with pytest.raises(InputError, match=f"read no memory of frame {T + 3} "):
                look.readers(T + 3)
    assert compared >= 4


def test_a_pixel_lies_in_the_token_that_covers_it(folder, twins):
    _, ours, flags = twins(gate="open")
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, SCENARIOS["one click"])
        assert session.look(0, 1).tokens[6:] == ("prompt 1", "padding")
        look = session.look(1, session.obj_ids[0])
        size = session.source.height, session.source.width
        for token in (0, 15, 16, 100, 255):
            # The centre of a token, in pixels whose centres are whole numbers.
            y, x = ((token // 16 + 0.5) / 16 * size[0] - 0.5), ((token % 16 + 0.5) / 16 * size[1] - 0.5)
            assert look.token_at(x, y, size) == token
        region = np.zeros(size, bool)
        region[: size[0] // 2] = True
        assert look.tokens_in(region).reshape(16, 16)[:8].all()
        assert not look.tokens_in(region).reshape(16, 16)[8:].any()
        region[:] = False
        region[-1, -1] = True
        assert np.flatnonzero(look.tokens_in(region)).tolist() == [255]
        for wrong in ((-1, 0), (0, size[0]), (size[1], 0)):
            with pytest.raises(InputError, match="is not in the frame"):
                look.token_at(*wrong, size)
        with pytest.raises(InputError, match="Frame 6 is not in moving"):
            session.look(T + 1, session.obj_ids[0])


@pytest.mark.parametrize(
    ("scenario", "frame", "complaint"),
    [
        ("clicks added one by one", 0, "was prompted several times for object 1"),
        ("correction by clicks", 4, "was corrected for object 1"),
    ],
)
def test_passes_that_cant_be_repeated_are_refused(scenario, frame, complaint, folder, twins):
    _, ours, flags = twins(gate="open")
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, SCENARIOS[scenario])
        with pytest.raises(InputError, match=complaint):
            session.look(frame, 1)
        assert session.look(3, 1).memory_frames[0] == 0


def test_looking_changes_nothing_and_nobody_looks_unasked(folder, twins):
    _, ours, flags = twins(gate="open")
    steps = SCENARIOS["both directions"]

    def outcome(detail):
        observer = Shares()
        options = SessionOptions(flags=flags, attention=detail)
        with VideoSession(ours, FolderSource(folder), options, observer) as session:
            return run_session(session, steps), observer.shown

    (plain, nothing), (looked_at, shown) = outcome("none"), outcome("sampled")
    assert_equal(looked_at, plain)
    assert not nothing
    assert len(shown) == T - 1
    assert not any(module._forward_hooks for module in ours.modules())


def test_groups_cover_the_frame():
    logits = torch.full((1, 1, 256, 256), -1.0)
    logits[:, :, 64:96, 64:128] = 1
    groups = query_groups(logits, 64)
    assert (groups.sum(dim=0) == 1).all()
    assert groups.sum(dim=1).tolist() == [8 * 16, 12 * 20 - 8 * 16, 4096 - 12 * 20]
    nowhere = query_groups(torch.full((1, 1, 256, 256), -1.0), 64)
    assert nowhere.sum(dim=1).tolist() == [0, 0, 4096]


def test_queries_are_spread_evenly_and_drawn_alike():
    groups = torch.zeros(3, 4096, dtype=torch.bool)
    groups[0, 100:110] = groups[1, 110:610] = True
    groups[2] = ~groups[:2].any(dim=0)
    drawn = draw_queries(groups, 256)
    assert [len(tokens) for tokens in drawn] == [10, 123, 123]
    for tokens, group in zip(drawn, groups, strict=True):
        assert group[tokens].all()
        assert len(set(tokens.tolist())) == len(tokens)
    assert set(drawn[1].diff().tolist()) <= {4, 5}
    assert all(torch.equal(a, b) for a, b in zip(drawn, draw_queries(groups, 256), strict=True))
    assert [len(tokens) for tokens in draw_queries(groups, 4096)] == [10, 500, 3586]


def test_shares_are_float32_under_mixed_precision_too():
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(1, 1, n, 64, generator=generator) for n in (256, 516))
    layer = LayerAttention(queries.bfloat16(), keys.bfloat16())
    tokens, entry_tokens = torch.arange(256), [256, 256, 4]
    with torch.autocast("cpu", torch.bfloat16):
        shares = token_shares(layer, tokens, entry_tokens)
    q, k = (x[0, 0].double().numpy() for x in (layer.queries, layer.keys))
    weights = np.exp(q @ k.T / 8)
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.stack([part.sum(axis=1) for part in np.split(weights, [256, 512], axis=1)], axis=1)
    assert shares.dtype == torch.float32
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_all_is_the_mean_over_all_tokens_not_over_those_drawn():
    # Each query looks at one of two entries: those of the first quarter at the first.
    queries = torch.zeros(1, 1, 4096, 2)
    queries[:, :, :1024, 0] = queries[:, :, 1024:, 1] = 100.0
    layer = LayerAttention(queries, torch.eye(2)[None, None])
    groups = torch.zeros(3, 4096, dtype=torch.bool)
    groups[0, :1024] = groups[2, 1024:] = True
    shares = _layer_shares(layer, groups, draw_queries(groups, 256), [1, 1])
    np.testing.assert_allclose(shares[0], [0.25, 0.75], atol=1e-6)
    np.testing.assert_allclose(shares[1], [1, 0], atol=1e-6)
    assert torch.isnan(shares[2]).all()
