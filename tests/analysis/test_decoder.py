"""The box decoder: plain NumPy equals scikit-learn, files are read back and checked, held-out frames are held out."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from helpers.made_tracks import CHANNELS, made_tracks, pointers_of
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.analysis.box_verdict import verdict
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder.boxes import box_edges, box_iou, boxes_to_pixels
from napari_sam2_probe.decoder.file import load_decoder, save_decoder
from napari_sam2_probe.decoder.fit import (
    DEFAULT_WEIGHT_DECAY,
    WEIGHT_DECAYS,
    DecoderOptions,
    choose_weight_decay,
    decoder_of_estimator,
    fit_decoder,
    fit_estimator,
)

OPTIONS = DecoderOptions(hidden=(16, 8), weight_decay=0.001, iterations=200, num_resamples=200)
SHA = "ab" * 32


@pytest.fixture(scope="module")
def tracks():
    return made_tracks()


@pytest.fixture(scope="module")
def decoder(tracks):
    return fit_decoder(tracks, "made", SHA, OPTIONS)


class TestDecoding:
    @pytest.mark.parametrize("hidden", [(8,), (16, 8), (4, 4, 4)])
    def test_equals_sklearn(self, tracks, hidden):
        pointers = np.concatenate([track.pointers for track in tracks])
        boxes = np.concatenate([track.boxes for track in tracks])
        estimator = fit_estimator(pointers, boxes, replace(OPTIONS, hidden=hidden))
        others = np.random.default_rng(0).normal(0, 3, (50, CHANNELS)).astype(np.float32)
        ours = decoder_of_estimator(estimator, "made", SHA).decode(others)
        np.testing.assert_allclose(ours, estimator.predict(others.astype(np.float64)), atol=1e-6)

    def test_channels_that_never_vary(self, tracks):
        still = [replace(track, pointers=track.pointers * (np.arange(CHANNELS) > 3)) for track in tracks]
        decoded = fit_decoder(still, "made", SHA, OPTIONS).decode(still[0].pointers)
        assert np.isfinite(decoded).all()

    def test_no_pointer_gives_no_box(self, decoder):
        pointers = np.zeros((3, CHANNELS), np.float32)
        pointers[1, 5] = np.nan
        decoded = decoder.decode(pointers)
        assert decoded.shape == (3, 4)
        np.testing.assert_array_equal(np.isnan(decoded).all(axis=1), [False, True, False])
        assert decoder.decode(np.empty((0, CHANNELS))).shape == (0, 4)

    def test_other_lengths_are_refused(self, decoder):
        with pytest.raises(InputError, match="takes pointers of 24 numbers, not 7"):
            decoder.decode(np.zeros((2, 7)))

    def test_other_models_are_refused(self, decoder):
        decoder.check_made_for("made", SHA)
        with pytest.raises(InputError, match="was fitted for the checkpoint made"):
            decoder.check_made_for("other", "cd" * 32)
        with pytest.raises(InputError, match="untrained"):
            decoder.check_made_for("other", None)


class TestFitting:
    def test_finds_what_pointers_know(self, decoder):
        report = decoder.report
        assert report.iou.value > 0.6
        assert report.gain.low > 0.2
        assert report.gain.value == pytest.approx(report.iou.value - report.baseline_iou.value)
        assert max(report.side_error) < min(report.baseline_side_error)
        assert (report.fitted_frames, report.held_out_frames, report.lost_frames) == (270, 90, 3)

    def test_held_out_sequences_are_not_seen(self, tracks, decoder):
        """Whatever the held-out sequences hold, the same decoder comes out."""
        away = set(decoder.report.held_out_sequences)
        assert len(away) == 3
        assert not away & set(decoder.report.fitted_sequences)
        changed = [replace(t, boxes=t.boxes[::-1]) if t.sequence in away else t for t in tracks]
        again = fit_decoder(changed, "made", SHA, OPTIONS)
        np.testing.assert_array_equal(again.weights[0], decoder.weights[0])
        assert again.report.iou.value < decoder.report.iou.value

    def test_pointers_that_know_nothing_gain_nothing(self, tracks):
        rng = np.random.default_rng(0)
        deaf = [replace(t, pointers=rng.normal(0, 1, t.pointers.shape).astype(np.float32)) for t in tracks]
        assert fit_decoder(deaf, "made", SHA, replace(OPTIONS, weight_decay=1.0)).report.gain.value < 0.05

    def test_weight_decay_follows_what_pointers_know(self, tracks):
        rng = np.random.default_rng(0)
        deaf = [replace(t, pointers=rng.normal(0, 1, t.pointers.shape).astype(np.float32)) for t in tracks]
        open_options = replace(OPTIONS, weight_decay=None, iterations=60)
        of_clear, of_deaf = (fit_decoder(t, "made", SHA, open_options).options.weight_decay for t in (tracks, deaf))
        assert of_clear < of_deaf
        assert {of_clear, of_deaf} <= set(WEIGHT_DECAYS)
        assert choose_weight_decay(tracks[:1], open_options) == DEFAULT_WEIGHT_DECAY

    def test_report_is_about_the_held_out(self, tracks):
        chosen = fit_decoder(tracks, "made", SHA, OPTIONS, held_out=["sequence-02", "sequence-05", "elsewhere"])
        assert chosen.report.held_out_sequences == ("sequence-02", "sequence-05")
        of_held_out = [t for t in tracks if t.sequence in chosen.report.held_out_sequences]
        decoded = np.concatenate([np.clip(chosen.decode(t.pointers), 0, 1) for t in of_held_out])
        truth = np.concatenate([t.boxes for t in of_held_out])
        assert chosen.report.iou.value == pytest.approx(box_iou(decoded, truth).mean())
        np.testing.assert_allclose(chosen.report.side_error, np.abs(decoded - truth).mean(axis=0))
        mean_box = np.concatenate([t.boxes for t in tracks if t not in of_held_out]).mean(axis=0)
        assert chosen.report.baseline_iou.value == pytest.approx(box_iou(mean_box, truth).mean())
        np.testing.assert_allclose(chosen.mean_box, mean_box)
        assert "difference" in str(chosen.report)
        assert "better than always guessing the mean box" in str(chosen.report)

    def test_the_seed_decides(self, tracks, decoder):
        same = fit_decoder(tracks, "made", SHA, OPTIONS)
        np.testing.assert_array_equal(same.weights[0], decoder.weights[0])
        assert same.report == decoder.report
        other = fit_decoder(tracks, "made", SHA, replace(OPTIONS, seed=1))
        assert other.report.held_out_sequences != decoder.report.held_out_sequences

    def test_one_held_out_sequence_has_no_interval(self, tracks):
        report = fit_decoder(tracks[:2], "made", SHA, OPTIONS).report
        assert np.isnan(report.iou.low)
        assert "only one source sequence" in str(report)

    @pytest.mark.parametrize(
        ("number", "held_out", "words"),
        [(0, None, "none has"), (1, None, "only sequence-00 has"), (3, ["elsewhere"], "none to judge")],
    )
    def test_too_little_to_fit(self, tracks, number, held_out, words):
        with pytest.raises(InputError, match=words):
            fit_decoder(tracks[:number], "made", SHA, OPTIONS, held_out=held_out)
        with pytest.raises(InputError, match="none to fit the decoder to"):
            fit_decoder(tracks[:3], "made", SHA, OPTIONS, held_out=[t.sequence for t in tracks])


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (-0.066, -0.09, -0.04, "worse than always guessing the mean box"),
        (0.1, 0.02, 0.2, "better than always guessing the mean box"),
        (0.1, -0.02, 0.2, "no better than always guessing the mean box, as far as can be told"),
        (-0.1, -0.2, 0.02, "no better than always guessing the mean box, as far as can be told"),
        (-0.1, np.nan, np.nan, "worse than always guessing the mean box here, but there is too little"),
        (0.1, np.nan, np.nan, "better than always guessing the mean box here, but there is too little"),
        (np.nan, np.nan, np.nan, "nothing to judge"),
    ],
)
def test_a_decoder_worse_than_guessing_is_called_so(value, low, high, words):
    said = verdict(Estimate(value, low, high, 3))
    assert said == words if words.endswith(("box", "told")) else words in said


class TestFiles:
    def test_read_back(self, decoder, tracks, tmp_path):
        save_decoder(decoder, tmp_path / "new" / "decoder.safetensors")
        read = load_decoder(tmp_path / "new" / "decoder.safetensors")
        np.testing.assert_array_equal(read.decode(tracks[0].pointers), decoder.decode(tracks[0].pointers))
        assert (read.checkpoint, read.sha256, read.report, read.options) == ("made", SHA, decoder.report, OPTIONS)

    def test_missing_estimates_are_read_back(self, tracks, tmp_path):
        alone = fit_decoder(tracks[:2], "made", None, OPTIONS)
        save_decoder(alone, tmp_path / "d.safetensors")
        read = load_decoder(tmp_path / "d.safetensors")
        assert read.sha256 is None
        assert np.isnan(read.report.iou.low)
        assert str(read.report) == str(alone.report)

    def test_same_decoder_same_bytes(self, decoder, tmp_path):
        for name in ("a", "b"):
            save_decoder(decoder, tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_no_pickle(self, decoder, tmp_path):
        save_decoder(decoder, tmp_path / "d.safetensors")
        header = (tmp_path / "d.safetensors").read_bytes()
        length = int.from_bytes(header[:8], "little")
        assert json.loads(header[8 : 8 + length])["weights_0"]["dtype"] == "F64"

    def refused(self, path):
        with pytest.raises(InputError) as error, warnings.catch_warnings():
            load_decoder(path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)
        return str(error.value)

    def test_what_is_no_decoder(self, tmp_path):
        assert "There is no decoder" in self.refused(tmp_path / "nowhere")
        path = tmp_path / "d.safetensors"
        for content in (b"", b"text", b"\xff" * 100, (10**15).to_bytes(8, "little")):
            path.write_bytes(content)
            assert "is no decoder" in self.refused(path)
        save_file({"a": np.zeros(3)}, path)
        assert "is no decoder" in self.refused(path)
        save_file({"a": np.zeros(3)}, path, {"decoder": "[1"})
        assert "is no decoder" in self.refused(path)

    def damaged(self, decoder, path, change=None, **about):
        save_decoder(decoder, path)
        arrays = load_file(path)
        length = int.from_bytes(path.read_bytes()[:8], "little")
        metadata = json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]
        header = json.loads(metadata["decoder"]) | about
        # As an earlier version wrote it: the checksum would tell before anything else does.
        header = {name: value for name, value in header.items() if name not in ("arrays", "checksum")}
        if change is not None:
            change(arrays)
        save_file(arrays, path, {"decoder": json.dumps(header)})
        return self.refused(path)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda a: a.pop("biases_1"), "biases_1"),
            (lambda a: a.update(extra=np.zeros(2)), "arrays are not those"),
            (lambda a: a.update(weights_0=a["weights_0"][:-1]), "shapes"),
            (lambda a: a.update(output_mean=np.zeros(3)), "shapes"),
            (lambda a: a.update(biases_0=a["biases_0"] * np.nan), "not finite"),
            (lambda a: a.update(input_scale=a["input_scale"] * 0), "not positive"),
            (lambda a: a.update(input_mean=a["input_mean"].astype(np.float32)), "not finite"),
        ],
    )
    def test_damaged_arrays(self, decoder, tmp_path, change, words):
        assert words in self.damaged(decoder, tmp_path / "d.safetensors", change)

    def test_damaged_headers(self, decoder, tmp_path):
        path = tmp_path / "d.safetensors"
        assert "format version 9" in self.damaged(decoder, path, version=9)
        assert "is no decoder" in self.damaged(decoder, path, format="other")
        assert "damaged" in self.damaged(decoder, path, checkpoint=5)
        assert "damaged" in self.damaged(decoder, path, report={"iou": 3})
        assert "damaged" in self.damaged(decoder, path, options={"hidden": [3], "surprise": 1})


class TestBoxes:
    def test_pixels_are_those_of_the_mask(self):
        mask = np.zeros((30, 50), bool)
        mask[4:9, 11:40] = True
        np.testing.assert_allclose(boxes_to_pixels(box_edges(mask), 30, 50), [11, 4, 39, 8])
        np.testing.assert_allclose(boxes_to_pixels(np.array([[-1, 0.5, 2, 1.1]]), 10, 20), [[0, 5, 19, 9]])
        assert np.isnan(boxes_to_pixels(np.full(4, np.nan), 3, 3)).all()

    def test_iou(self):
        box = np.array([0.2, 0.2, 0.6, 0.6])
        others = np.array([box, [0.4, 0.2, 0.8, 0.6], [0.6, 0.6, 1, 1], [0.6, 0.6, 0.2, 0.2], [np.nan] * 4])
        np.testing.assert_allclose(box_iou(box, others), [1, 1 / 3, 0, 0, np.nan])
        np.testing.assert_allclose(box_iou(others, box), [1, 1 / 3, 0, 0, np.nan])
        assert box_iou(others[3], others[3]) == 0

    def test_iou_equals_that_of_masks(self):
        rng = np.random.default_rng(0)
        for _ in range(20):
            masks = np.zeros((2, 40, 60), bool)
            for mask in masks:
                (y, h), (x, w) = sorted(rng.integers(0, 41, 2)), sorted(rng.integers(0, 61, 2))
                mask[y : h + 1, x : w + 1] = True
            first, second = (box_edges(mask) for mask in masks)
            assert box_iou(first, second) == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def test_made_pointers_are_bent(tracks):
    """What the tests decode is not a linear map, or hidden layers were not needed."""
    boxes = np.concatenate([t.boxes for t in tracks])
    pointers = pointers_of(boxes, np.random.default_rng(0), noise=0)
    inputs = np.c_[boxes, np.ones(len(boxes))]
    residual = pointers - inputs @ np.linalg.lstsq(inputs, pointers, rcond=None)[0]
    assert residual.std() > 0.02
