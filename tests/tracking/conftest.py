"""Videos that the tests of sessions share."""

from __future__ import annotations

import pytest

from helpers.scenarios import moving_video, write_video


@pytest.fixture(scope="session")
def short_folder(tmp_path_factory):
    """Four frames as JPEGs."""
    return write_video(tmp_path_factory.mktemp("video") / "short", moving_video(4))


@pytest.fixture(scope="session")
def short_source():
    """Four frames in memory."""
    from napari_sam2_probe.video.array import ArraySource

    return ArraySource(moving_video(4), name="short")


@pytest.fixture(scope="session")
def source():
    """Eight frames in memory."""
    from napari_sam2_probe.video.array import ArraySource

    return ArraySource(moving_video(8), name="moving")


@pytest.fixture
def session_of(twins):
    """``session_of(source, observer=None, gate="open", flags={}, **options)`` -> a session, closed afterwards."""
    from napari_sam2_probe.tracking.results import SessionOptions
    from napari_sam2_probe.tracking.session import VideoSession

    sessions = []

    def make(source, observer=None, *, gate="open", flags=None, **options):
        _, model, predictor_flags = twins(gate=gate, **(flags or {}))
        sessions.append(VideoSession(model, source, SessionOptions(flags=predictor_flags, **options), observer))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()
