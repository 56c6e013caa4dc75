"""Downloads from a real server on this machine: whole, resumed, broken off, wrong."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.models.checkpoints import OfficialCheckpoint
from napari_sam2_probe.models.download import DownloadCancelled, download

CONTENT = random.Random(0).randbytes(3_500_000)


def checkpoint(content: bytes = CONTENT, num_bytes: int | None = -1) -> OfficialCheckpoint:
    return OfficialCheckpoint(
        name="tested",
        url="https://example.invalid/tested.pt",
        num_bytes=len(content) if num_bytes == -1 else num_bytes,
        sha256=hashlib.sha256(content).hexdigest(),
        config="configs/sam2.1/sam2.1_hiera_t.yaml",
        params_millions=1.0,
    )


class Server(ThreadingHTTPServer):
    """Serves one file, as well or as badly as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.status: int | None = None
        self.break_after: int | None = None
        self.state_length = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status is not None:
            self.send_error(server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if wanted and server.ranges and start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.state_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if server.break_after is None else body[: server.break_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def part_of(folder: Path) -> Path:
    return folder / "tested.pt.part"


def test_whole_file_with_progress(server, tmp_path):
    events = []
    path = download(checkpoint(), tmp_path / "new", base_url=server.url, progress=events.append)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["tested.pt"]
    fetched = [event for event in events if event.what == "downloading tested"]
    assert fetched[-1].done == fetched[-1].total == len(CONTENT)
    assert [event.done for event in fetched] == sorted(event.done for event in fetched)
    assert {event.unit for event in events} == {"byte"}


def test_what_is_there_and_right_is_not_fetched_again(server, tmp_path):
    download(checkpoint(), tmp_path, base_url=server.url)
    download(checkpoint(), tmp_path, base_url=server.url)
    assert len(server.asked) == 1


def test_what_is_there_and_wrong_is_replaced(server, tmp_path):
    (tmp_path / "tested.pt").write_bytes(b"damaged")
    assert download(checkpoint(), tmp_path, base_url=server.url).read_bytes() == CONTENT


def test_broken_transfer_is_kept_and_resumed(server, tmp_path):
    server.break_after = 1_200_000
    with pytest.raises(ResourceError, match=r"broke off.*1200000 of 3500000.*run the same command again"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert part_of(tmp_path).read_bytes() == CONTENT[:1_200_000]
    assert not (tmp_path / "tested.pt").exists()
    server.break_after = None
    assert download(checkpoint(), tmp_path, base_url=server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1200000-"]


def test_server_without_ranges_starts_over(server, tmp_path):
    server.ranges = False
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    assert download(checkpoint(), tmp_path, base_url=server.url).read_bytes() == CONTENT


def test_unknown_size_and_no_length_are_judged_by_the_hash(server, tmp_path):
    server.state_length = False
    assert download(checkpoint(num_bytes=None), tmp_path, base_url=server.url).read_bytes() == CONTENT


@pytest.mark.parametrize("num_bytes", [None, len(CONTENT)])
def test_whole_part_file_is_taken(server, tmp_path, num_bytes):
    part_of(tmp_path).write_bytes(CONTENT)
    assert download(checkpoint(num_bytes=num_bytes), tmp_path, base_url=server.url).read_bytes() == CONTENT


def test_part_file_that_is_too_long_is_thrown_away(server, tmp_path):
    part_of(tmp_path).write_bytes(CONTENT + b"more")
    assert download(checkpoint(), tmp_path, base_url=server.url).read_bytes() == CONTENT


def test_wrong_bytes_are_deleted(server, tmp_path):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ResourceError, match="SHA-256 differs"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert list(tmp_path.iterdir()) == []


def test_wrong_part_is_deleted_and_the_next_download_is_right(server, tmp_path):
    part_of(tmp_path).write_bytes(b"\0" * 1000)
    with pytest.raises(ResourceError, match="SHA-256 differs"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert download(checkpoint(), tmp_path, base_url=server.url).read_bytes() == CONTENT


def test_another_size_is_refused_before_writing(server, tmp_path):
    server.content = b"<html>please log in</html>"
    with pytest.raises(ResourceError, match="26 bytes where the published file has 3500000"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 503])
def test_server_errors_are_one_sentence(server, tmp_path, status):
    server.status = status
    with pytest.raises(ResourceError, match=f"answered {status}"):
        download(checkpoint(), tmp_path, base_url=server.url)


def test_no_server(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ResourceError, match=r"can't be reached.*check the network"):
        download(checkpoint(), tmp_path, base_url=url)


def test_silent_server_times_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ResourceError, match=r"broke off|can't be reached"):
            download(checkpoint(), tmp_path, base_url=url, timeout=0.2)


def test_cancelling_keeps_what_arrived(server, tmp_path):
    answers = iter([False, True])
    with pytest.raises(DownloadCancelled):
        download(checkpoint(), tmp_path, base_url=server.url, cancelled=lambda: next(answers))
    kept = part_of(tmp_path).read_bytes()
    assert 0 < len(kept) < len(CONTENT)
    assert CONTENT.startswith(kept)
    download(checkpoint(), tmp_path, base_url=server.url)
    assert server.asked[-1] == f"bytes={len(kept)}-"


def test_too_little_room_is_said_before_writing(server, tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(ResourceError, match=r"4 MB are needed and 0 MB are free"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(server, tmp_path, monkeypatch):
    # A device would be refused as one; here it stands for a file on a disk that is full.
    monkeypatch.setattr("napari_sam2_probe.models.download.check_file", lambda _: None)
    part_of(tmp_path).symlink_to("/dev/full")
    with pytest.raises(ResourceError, match="disk is full"):
        download(checkpoint(), tmp_path, base_url=server.url)
    assert not (tmp_path / "tested.pt").exists()


def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="can't be written"):
        download(checkpoint(), tmp_path / "file", base_url=server.url)
