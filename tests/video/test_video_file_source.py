from __future__ import annotations

import io
import random
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.file import VideoFileSource
from napari_sam2_probe.video.source import FrameSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUM_FRAMES = 70
WIDTH, HEIGHT = 96, 64

# Every way in which timestamps, keyframes and frame counts have been seen to surprise.
ENCODINGS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"codec": "libx264", "options": {"g": "20", "bf": "3"}},
    "open-gop.mp4": {"codec": "libx264", "options": {"x264-params": "open-gop=1:keyint=20"}},
    "intra-refresh.mp4": {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:keyint=20"}},
    "seek-lands-on-no-picture.mp4": {
        "codec": "libx264",
        "options": {"x264-params": "intra-refresh=1:keyint=20", "forced-idr": "1"},
        "keyframes": (60,),
    },
    "one-keyframe.mov": {"codec": "libx264", "options": {"g": "1000"}},
    "every-keyframe.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "variable-rate.mkv": {"codec": "libx264", "options": {"g": "20"}, "variable_rate": True},
    "timestamps-in-decoding-order.avi": {"codec": "libx264", "options": {"g": "20"}},
    "b-frames.avi": {"codec": "mpeg4", "options": {"g": "20", "bf": "2"}},
    "timestamps-missing.avi": {"codec": "mpeg4", "options": {"g": "20", "bf": "2"}, "variable_rate": True},
    "hidden-frames.webm": {
        "codec": "libvpx-vp9",
        "options": {"g": "30", "lag-in-frames": "16", "deadline": "realtime"},
    },
    "no-count.webm": {"codec": "libvpx", "options": {"g": "30", "deadline": "realtime"}},
}


def pictures(num_frames: int = NUM_FRAMES) -> Iterator[np.ndarray]:
    """Smooth stripes that move, with a bright bar: no two frames are alike."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for i in range(num_frames):
        picture = np.stack([127 + 100 * np.sin((x * k + y + i * 3) / 9) for k in (1, 2, 3)], axis=-1).astype(np.uint8)
        picture[:, i : i + 8] = (255, 0, 0)
        yield picture


def encode(
    file: Path,
    codec: str = "libx264",
    *,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    variable_rate: bool = False,
    first_timestamp: int = 0,
    keyframes: tuple[int, ...] = (),
    container_options: dict[str, str] | None = None,
    num_frames: int = NUM_FRAMES,
) -> Path:
    with av.open(str(file), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if variable_rate:
            stream.codec_context.time_base = Fraction(1, 1000)
        timestamp = 0
        for i, picture in enumerate(pictures(num_frames)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if variable_rate:
                frame.pts, frame.time_base = timestamp, Fraction(1, 1000)
                timestamp += 40 + i % 3 * 13
            else:
                frame.pts, frame.time_base = first_timestamp + i, Fraction(1, 25)
            if i in keyframes:
                frame.pict_type = av.video.frame.PictureType.I
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file


def decode_in_order(file: Path) -> list[np.ndarray]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("video") / "clip.mp4", options={"g": "20", "bf": "3"})


@pytest.mark.parametrize("name", ENCODINGS)
def test_any_frame_at_any_time_is_the_one_that_decoding_in_order_gives(tmp_path: Path, name: str) -> None:
    file = encode(tmp_path / name, **ENCODINGS[name])
    expected = decode_in_order(file)
    assert len(expected) == NUM_FRAMES
    source = VideoFileSource(file)
    assert isinstance(source, FrameSource)
    assert (source.num_frames, source.width, source.height) == (NUM_FRAMES, WIDTH, HEIGHT)
    assert source.name == name.rsplit(".", 1)[0]
    jumps = [*range(NUM_FRAMES), *reversed(range(NUM_FRAMES)), *random.Random(0).choices(range(NUM_FRAMES), k=40)]
    for i in jumps:
        np.testing.assert_array_equal(source.read(i), expected[i], err_msg=f"frame {i}")
    source.close()


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    file = encode(
        tmp_path / "trimmed.mp4",
        options={"g": "20", "bf": "0"},
        first_timestamp=-10,
        container_options={"avoid_negative_ts": "disabled"},
    )
    expected = decode_in_order(file)
    assert len(expected) == NUM_FRAMES - 10
    source = VideoFileSource(file)
    assert source.num_frames == NUM_FRAMES - 10
    for i in (0, 59, 30, 7):
        np.testing.assert_array_equal(source.read(i), expected[i])
    source.close()


def test_a_last_packet_without_a_picture_is_no_frame(clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "clip.mkv"
    with av.open(str(clip)) as recorded, av.open(str(file), "w") as container:
        stream = container.add_stream_from_template(recorded.streams.video[0])
        for packet in recorded.demux(video=0):
            if packet.size:
                last = packet.pts, packet.time_base
                packet.stream = stream
                container.mux(packet)
        # An "end of sequence" and no picture.
        packet = av.Packet(b"\x00\x00\x00\x01\x0a")
        packet.stream, packet.time_base = stream, last[1]
        packet.pts = packet.dts = last[0] + 10 * int(Fraction(1, 25) / last[1])
        container.mux(packet)
    expected = decode_in_order(file)
    assert len(expected) == NUM_FRAMES
    source = VideoFileSource(file)
    assert source.num_frames == NUM_FRAMES
    np.testing.assert_array_equal(source.read(NUM_FRAMES - 1), expected[-1])
    source.close()


@pytest.mark.parametrize("name", ["cut.mkv", "cut.avi", "cut.webm", "cut.mp4"])
def test_a_copy_that_broke_off_is_refused_wherever_it_did(tmp_path: Path, name: str) -> None:
    codec = "libvpx" if name.endswith("webm") else "mpeg4"
    written = encode(
        tmp_path / name,
        codec,
        options={"g": "20", "deadline": "realtime"},
        container_options={"movflags": "faststart"} if name.endswith("mp4") else {},
    )
    whole = written.read_bytes()
    for length in range(len(whole) // 2, len(whole) - 16, len(whole) // 7):
        written.write_bytes(whole[:length])
        with pytest.raises(InputError, match=rf"cut off: {len(whole) - length} bytes are missing at its end; copy"):
            VideoFileSource(written)


@pytest.mark.parametrize("name", ["recorded.mkv", "recorded.webm", "recorded.avi"])
def test_a_recorder_that_never_came_back_to_say_how_long_it_is_gives_the_frames_there_are(
    tmp_path: Path, name: str
) -> None:
    codec = "libvpx" if name.endswith("webm") else "mpeg4"
    options = {"live": "1"} if not name.endswith("avi") else {}
    file = encode(tmp_path / name, codec, options={"g": "20", "deadline": "realtime"}, container_options=options)
    content = bytearray(file.read_bytes())
    if name.endswith("avi"):
        content[4:8] = bytes(4)
    opened = 0
    for length in range(len(content) * 2 // 3, len(content), len(content) // 11):
        file.write_bytes(content[:length])
        try:
            source = VideoFileSource(file)
        except InputError:
            # The cut went through a frame, which says how long it is.
            continue
        opened += 1
        expected = decode_in_order(file)
        assert source.num_frames == len(expected)
        np.testing.assert_array_equal(source.read(len(expected) - 1), expected[-1])
        source.close()
    assert opened or not name.endswith("avi")
    file.write_bytes(content)
    with closing(VideoFileSource(file)) as source:
        assert source.num_frames == NUM_FRAMES


def test_a_trimmed_video_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    file = encode(
        tmp_path / "trimmed.mp4",
        options={"g": "10", "bf": "0"},
        first_timestamp=-25,
        container_options={"avoid_negative_ts": "disabled"},
        num_frames=60,
    )
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        # What makes it look damaged: two groups of pictures are in the table and not in the index.
        assert stream.frames == 60
        assert sum(1 for packet in container.demux(stream) if packet.size) == 40
    expected = decode_in_order(file)
    with closing(VideoFileSource(file)) as source:
        assert source.num_frames == len(expected) == 35
        for i in (0, 34, 7, 20):
            np.testing.assert_array_equal(source.read(i), expected[i])


@pytest.mark.parametrize("name", ["b-frames.mp4", "variable-rate.mkv", "b-frames.avi", "one-keyframe.mov"])
def test_what_the_decoder_could_only_guess_is_refused_and_all_else_is_right(tmp_path: Path, name: str) -> None:
    file = encode(tmp_path / name, **ENCODINGS[name])
    whole = file.read_bytes()
    refused = 0
    for seed in range(6):
        content = bytearray(whole)
        start = random.Random(seed).randrange(len(whole) // 5, len(whole) * 4 // 5)
        for i in range(start, start + 20):
            content[i] ^= 0xFF
        file.write_bytes(content)
        try:
            with av.open(str(file)) as container:
                container.streams.video[0].thread_type = "AUTO"
                frames = list(container.decode(video=0))
        except av.FFmpegError:
            frames = []
        try:
            source = VideoFileSource(file)
        except InputError:
            refused += 1
            continue
        for i in range(source.num_frames):
            try:
                picture = source.read(i)
            except InputError:
                refused += 1
                continue
            if frames:
                assert not frames[i].is_corrupt
                np.testing.assert_array_equal(picture, frames[i].to_ndarray(format="rgb24"))
        source.close()
    assert refused or name != "b-frames.avi"


def test_frames_that_the_decoder_drops_do_not_move_the_later_ones_up(tmp_path: Path) -> None:
    file = encode(tmp_path / "clip.avi", **ENCODINGS["timestamps-in-decoding-order.avi"])
    with av.open(str(file)) as container:
        packet = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][33]
    content = bytearray(file.read_bytes())
    content[packet[0] : packet[0] + packet[1]] = bytes(packet[1])
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"^(The video|Frame \d+).*clip\.avi.*damaged"):
        _read_all(file)


def _read_all(file: Path) -> None:
    with closing(VideoFileSource(file)) as source:
        for i in range(source.num_frames):
            source.read(i)


def test_frames_of_a_variable_rate_have_the_times_of_the_file(tmp_path: Path) -> None:
    file = encode(tmp_path / "clip.mkv", variable_rate=True, options={"bf": "2"})
    with av.open(str(file)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    with closing(VideoFileSource(file)) as source:
        np.testing.assert_allclose(source.frame_times, np.array(times) - times[0], atol=1e-9)
    assert np.ptp(np.diff(times)) > 0.02


def test_real_clip(real_clip: Path) -> None:
    expected = {}
    with av.open(str(real_clip)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i % 60 == 0 or i >= 287:
                expected[i] = frame.to_ndarray(format="rgb24")
    source = VideoFileSource(real_clip)
    assert (source.num_frames, source.width, source.height) == (289, 1280, 720)
    assert source.fps == pytest.approx(30000 / 1001)
    for i in sorted(expected, key=lambda i: (i * 7) % 11):
        np.testing.assert_array_equal(source.read(i), expected[i])
    source.close()


class CountingContainer:
    """A real container that notes how often it is sought in and how many frames it gives."""

    counts: dict[str, int]

    def __init__(self, container: Any, counts: dict[str, int]) -> None:
        self._container, self.counts = container, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def seek(self, *args: Any, **kwargs: Any) -> None:
        self.counts["seeks"] += 1
        self._container.seek(*args, **kwargs)

    def decode(self, *args: Any) -> Iterator[Any]:
        for frame in self._container.decode(*args):
            self.counts["frames"] += 1
            yield frame

    def __enter__(self) -> CountingContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()


def test_reading_in_order_decodes_each_frame_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"seeks": 0, "frames": 0}
    real_open = av.open
    monkeypatch.setattr(av, "open", lambda *args, **kwargs: CountingContainer(real_open(*args, **kwargs), counts))
    source = VideoFileSource(clip)
    assert counts["frames"] <= 32 + 20 + 1, "both ends are read, not all of the video"
    counts.update(seeks=0, frames=0)
    for i in range(1, NUM_FRAMES):
        source.read(i)
        source.read(i)
    assert counts == {"seeks": 0, "frames": NUM_FRAMES - 1}
    source.read(45)
    assert counts["seeks"] == 1
    assert counts["frames"] <= NUM_FRAMES - 1 + 6, "a jump begins at the keyframe before"
    source.close()


def test_threads_share_a_source(clip: Path) -> None:
    expected = decode_in_order(clip)
    source = VideoFileSource(clip)
    order = random.Random(0).choices(range(NUM_FRAMES), k=120)
    with ThreadPoolExecutor(8) as threads:
        for i, frame in zip(order, threads.map(source.read, order), strict=True):
            np.testing.assert_array_equal(frame, expected[i])
    source.close()


@pytest.mark.parametrize(("degrees_clockwise", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_rotation_is_applied(clip: Path, tmp_path: Path, degrees_clockwise: int, turns: int) -> None:
    # The matrix of the track header, as a camera writes it that was held upright; 16.16 fixed point, last column 2.30.
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees_clockwise]
    one = 1 << 16
    matrix = [cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30]
    content = bytearray(clip.read_bytes())
    start = content.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    content[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    rotated = tmp_path / "rotated.mp4"
    rotated.write_bytes(content)
    source, upright = VideoFileSource(rotated), VideoFileSource(clip)
    expected = np.rot90(upright.read(30), turns)
    assert (source.height, source.width) == expected.shape[:2]
    np.testing.assert_array_equal(source.read(30), expected)
    assert source.read(30).flags.c_contiguous
    source.close()
    upright.close()


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: p.swapaxes(0, 1)[::-1, ::-1]),
    ],
    ids=["left to right", "upside down", "axes swapped", "axes swapped, both mirrored"],
)
def test_mirroring_is_applied(clip: Path, tmp_path: Path, matrix: tuple[int, ...], shown: Any) -> None:
    # A point (x, y) goes to (a x + c y, b x + d y).
    mirrored = _with_display_matrix(clip, tmp_path / "mirrored.mp4", *(value << 16 for value in matrix))
    with closing(VideoFileSource(mirrored)) as source, closing(VideoFileSource(clip)) as upright:
        expected = shown(upright.read(30))
        assert (source.height, source.width) == expected.shape[:2]
        np.testing.assert_array_equal(source.read(30), expected)
        assert source.read(30).flags.c_contiguous


@pytest.mark.parametrize(
    "matrix", [(46341, 46341, -46341, 46341), (2 << 16, 0, 0, 2 << 16), (1 << 16, 0, 9000, 1 << 16)]
)
def test_what_is_to_be_shown_askew_is_refused(clip: Path, tmp_path: Path, matrix: tuple[int, ...]) -> None:
    file = _with_display_matrix(clip, tmp_path / "askew.mp4", *matrix)
    with pytest.raises(InputError, match=r"turns by other than quarters, scales or shears its pictures; export it upr"):
        VideoFileSource(file)


def _with_display_matrix(clip: Path, file: Path, *abcd: int) -> Path:
    a, b, c, d = abcd
    content = bytearray(clip.read_bytes())
    start = content.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    file.write_bytes(content)
    return file


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^There is no video file .*gone\.mp4: give the path of an mp4"):
        VideoFileSource(tmp_path / "gone.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv", ".webm"])
@pytest.mark.parametrize("content", [b"", b"Dear diary, this is no video.\n" * 200, bytes(range(256)) * 100])
def test_what_is_no_video(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"clip{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"^The video .*clip{suffix} can't be decoded \(.+\): it may be damaged"):
        VideoFileSource(file)


def test_a_damaged_frame_is_named_and_the_others_can_be_read(tmp_path: Path) -> None:
    file = encode(tmp_path / "clip.mov", "mjpeg", pix_fmt="yuvj420p")
    with av.open(str(file)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    expected = decode_in_order(file)
    content = bytearray(file.read_bytes())
    start, size = packets[40]
    content[start : start + size] = bytes(size)
    file.write_bytes(content)
    source = VideoFileSource(file)
    assert source.num_frames == NUM_FRAMES
    for i in (*range(36, 40), 41, 42):
        np.testing.assert_array_equal(source.read(i), expected[i])
    with pytest.raises(InputError, match=r"^Frame 40 of the video .*clip\.mov can't be decoded"):
        source.read(40)
    np.testing.assert_array_equal(source.read(41), expected[41])
    source.close()


def test_sound_without_pictures(tmp_path: Path) -> None:
    file = tmp_path / "song.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(InputError, match=r"song\.mp4 holds no pictures, only sound or data"):
        VideoFileSource(file)


def _mux_jpegs(file: Path, sizes: list[tuple[int, int]]) -> Path:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuvj420p"
        for i, size in enumerate(sizes):
            jpeg = io.BytesIO()
            Image.new("RGB", size, (i * 9, 99, 99)).save(jpeg, "JPEG")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, i, i, True
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    return file


def test_a_frame_of_another_size_is_named(tmp_path: Path) -> None:
    source = VideoFileSource(_mux_jpegs(tmp_path / "clip.mkv", [(64, 48)] * 40 + [(32, 16)] + [(64, 48)] * 5))
    assert source.read(39).shape == (48, 64, 3)
    with pytest.raises(InputError, match=r"^Frame 40 of the video .* is 32x16 but the first one is 64x48"):
        source.read(40)
    source.close()


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "song.mp4"
    with av.open(str(file), "w") as container:
        sound = container.add_stream("aac", rate=44100)
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
        for packet in [*cover.encode(picture), *cover.encode(), *sound.encode(frame), *sound.encode()]:
            container.mux(packet)
    with av.open(str(file)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(InputError, match=r"song\.mp4 holds no pictures, only sound or data"):
        VideoFileSource(file)


def test_a_playlist_dressed_up_as_a_video_opens_no_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        file = tmp_path / "clip.mp4"
        url = f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts"
        file.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n")
        with pytest.raises(InputError):
            VideoFileSource(file)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("frame_idx", [-1, NUM_FRAMES])
def test_no_such_frame(clip: Path, frame_idx: int) -> None:
    source = VideoFileSource(clip)
    with pytest.raises(InputError, match=f"Frame {frame_idx} is not in clip: it has the frames 0 to 69"):
        source.read(frame_idx)
    source.close()


def test_closing_twice_is_harmless_and_a_closed_source_says_so(clip: Path) -> None:
    source = VideoFileSource(clip)
    source.read(3)
    source.close()
    source.close()
    with pytest.raises(ValueError, match="is closed"):
        source.read(3)


def test_fingerprint_follows_the_content_not_the_place(clip: Path, tmp_path: Path) -> None:
    content = clip.read_bytes()
    copy, changed = tmp_path / "copy.mp4", tmp_path / "changed.mp4"
    copy.write_bytes(content)
    changed.write_bytes(content + b"\0")
    prints = [VideoFileSource(file).fingerprint() for file in (clip, copy, changed)]
    assert prints[0] == prints[1] != prints[2]
