"""Fitting the decoder that ships beside the sample model."""

import numpy as np
import pytest

from napari_sam2_probe.decoder.boxes import box_edges
from napari_sam2_probe.decoder.fit import DecoderOptions
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from tools.sample_model import decoder as tool


@pytest.fixture(scope="module")
def loaded():
    return load_model(ModelChoice(checkpoint="sample", device="cpu"))


@pytest.fixture(scope="module")
def tracks(loaded, bank):
    videos = [*tool.rendered_videos(bank, "train", 3, 4), *tool.rendered_videos(bank, tool.HELD_OUT, 2, 4)]
    return videos, [track for video in videos for track in tool.track_pointers(loaded, video)]


def test_tracks_hold_the_true_boxes_of_tracked_frames(tracks):
    videos, found = tracks
    assert [track.sequence for track in found] == [video.frames.name for video in videos]
    for video, track in zip(videos, found, strict=True):
        assert track.frames.tolist() == [t for t in range(1, 4) if video.masks[t].any()]
        np.testing.assert_array_equal(track.boxes, [box_edges(video.masks[t]) for t in track.frames])
        assert track.pointers.shape == (len(track.frames), 256)


def test_tracks_survive_their_file(tracks, tmp_path):
    tool.write_tracks(tracks[1], tmp_path / "tracks.npz")
    again = {track.sequence: track for track in tool.read_tracks(tmp_path / "tracks.npz")}
    assert set(again) == {track.sequence for track in tracks[1]}
    for track in tracks[1]:
        np.testing.assert_array_equal(again[track.sequence].pointers, track.pointers)
        np.testing.assert_array_equal(again[track.sequence].object_scores, track.object_scores)


def test_the_decoder_is_judged_on_clips_of_the_held_out_bank(tracks, loaded):
    decoder = tool.fit(tracks[1], loaded, DecoderOptions(hidden=(4,), iterations=5, num_resamples=10))
    assert decoder.sha256 == loaded.checkpoint.sha256
    assert decoder.report.held_out_sequences == ("held-out-00000", "held-out-00001")
    assert decoder.report.fitted_sequences == ("train-00000", "train-00001", "train-00002")
