"""Pointers for decoders: those that a run records, beside the boxes of true masks; and where decoders are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder import library as decoders
from napari_sam2_probe.decoder.boxes import box_edges
from napari_sam2_probe.decoder.file import save_decoder
from napari_sam2_probe.decoder.fit import BoxDecoder
from napari_sam2_probe.decoder.library import find_decoder, install_decoder
from napari_sam2_probe.decoder.record import collect_pointers, iterate_pointers, track_pointers
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.masks import write_mask

pytestmark = [
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread_in_module"),
]

T, H, W = 6, 90, 160


@pytest.fixture(scope="module")
def loaded(seeded):
    return seeded("changing")


class Film:
    """Object 7 from the start, object 3 from frame 2 to 4; frame 3 is not annotated."""

    def __init__(self):
        self.frames = ArraySource(moving_video(T, H, W), name="film")

    def mask(self, frame_idx):
        if frame_idx == 3:
            return None
        labels = square_mask(frame_idx).astype(np.uint8) * 7
        if 2 <= frame_idx <= 4:
            labels[60:80, 100:130] = 3
        return labels


@pytest.fixture(scope="module")
def film():
    return Film()


@pytest.fixture(scope="module")
def tracks(loaded, film, one_thread_in_module):
    return track_pointers(loaded, film)


def test_frames_that_are_neither_prompted_nor_absent_nor_unknown(tracks):
    assert [(t.object_id, t.frames.tolist()) for t in tracks] == [(3, [4]), (7, [1, 2, 4, 5])]
    for track in tracks:
        assert (track.sequence, track.height, track.width) == ("film", H, W)
        assert track.pointers.shape == (len(track.frames), 256)


def test_boxes_are_those_of_true_masks(film, tracks):
    for track in tracks:
        for t, edges in zip(track.frames.tolist(), track.boxes, strict=True):
            np.testing.assert_array_equal(edges, box_edges(film.mask(t) == track.object_id))


def test_pointers_and_scores_are_those_of_a_run(loaded, film, tracks, tmp_path):
    prompts = [Prompt.from_mask(first, obj_id, film.mask(first) == obj_id) for first, obj_id in ((0, 7), (2, 3))]
    run = record_run(film.frames, prompts, tmp_path / "run", loaded)
    for track in tracks:
        of_run = run.object_ids.tolist().index(track.object_id)
        np.testing.assert_array_equal(track.pointers, run.object_pointers[of_run, track.frames])
        np.testing.assert_array_equal(track.object_scores, run.object_scores[of_run, track.frames])


def test_only_the_first_frames(loaded, film, tracks):
    [few] = track_pointers(loaded, film, "other name", max_frames=3)
    assert (few.sequence, few.object_id, few.frames.tolist()) == ("other name", 7, [1, 2])
    # The video keeps its length, which SAM 2's temporal encoding of pointers depends on.
    np.testing.assert_array_equal(few.pointers, tracks[1].pointers[:2])
    with pytest.raises(InputError, match="too few"):
        track_pointers(loaded, film, max_frames=1)


def test_can_be_stopped(loaded, film):
    steps = iterate_pointers(loaded, film)
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()
    assert next(steps, None) is None


def test_a_video_without_objects(loaded):
    class Bare:
        frames = ArraySource(moving_video(3, H, W), name="bare")

        def mask(self, frame_idx):
            return np.zeros((H, W), np.uint8)

    assert track_pointers(loaded, Bare()) == []


def test_a_data_set_with_progress(loaded, tmp_path):
    for name in ("a", "b"):
        write_video(tmp_path / "JPEGImages" / "480p" / name, moving_video(3, H, W))
        for t in range(3):
            write_mask(tmp_path / "Annotations" / "480p" / name / f"{t:05d}.png", square_mask(t).astype(np.uint8))
    events = []
    tracks = collect_pointers(loaded, DavisDataset(tmp_path), progress=events.append)
    assert [t.sequence for t in tracks] == ["a", "b"]
    # Frames are counted, of all sequences together.
    done = [e.done for e in events]
    assert done == sorted(done)
    assert set(done) >= {1, 2, 3, 4, 5, 6}
    assert {(e.total, e.unit) for e in events} == {(6, "frame")}


class TestFinding:
    @pytest.fixture
    def folders(self, tmp_path, monkeypatch):
        monkeypatch.setenv(decoders.FOLDER_VARIABLE, str(tmp_path / "own"))
        monkeypatch.setattr(decoders, "sample_data_folder", lambda: tmp_path / "data")
        return tmp_path

    @pytest.fixture
    def decoder(self):
        arrays = (np.zeros(3), np.ones(3), (np.zeros((3, 4)),), (np.zeros(4),), np.zeros(4), np.ones(4))
        return BoxDecoder("made", "ab" * 32, *arrays)

    def test_beside_the_sample_model_or_ones_own(self, folders, decoder):
        assert find_decoder(decoder.sha256) is None
        save_decoder(decoder, folders / "data" / "sample_model" / decoders.SHIPPED)
        assert find_decoder(decoder.sha256).checkpoint == "made"
        assert find_decoder("cd" * 32) is None
        install_decoder(replace(decoder, checkpoint="mine"))
        assert find_decoder(decoder.sha256).checkpoint == "mine"

    def test_for_an_untrained_model_there_is_none(self, folders, decoder):
        assert find_decoder(None) is None
        with pytest.raises(InputError, match="untrained"):
            install_decoder(replace(decoder, sha256=None))

    def test_a_damaged_one_is_said(self, folders, decoder):
        install_decoder(decoder).write_bytes(b"no decoder")
        with pytest.raises(InputError, match="is no decoder"):
            find_decoder(decoder.sha256)
