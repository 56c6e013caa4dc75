"""A download as a job: its progress, a stop that keeps what arrived, going on, and a file that is not the right one."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.gui.panels.track_model import ModelChooser, model_entries
from napari_sam2_probe.gui.tracking.downloads import downloading
from napari_sam2_probe.models import checkpoints
from napari_sam2_probe.models.checkpoints import SAMPLE, OfficialCheckpoint

CONTENT = bytes(range(256)) * 4096 * 4
CHECKPOINT = OfficialCheckpoint(
    "sam2.1_hiera_tiny",
    "http://localhost/unused",
    len(CONTENT),
    hashlib.sha256(CONTENT).hexdigest(),
    "configs/sam2.1/sam2.1_hiera_t.yaml",
    38.9,
)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        served = self.server
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        served.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(served.content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
        self.end_headers()
        for at in range(start, len(served.content), 1 << 20):
            # Past the first block the server waits until it may go on.
            if at - start >= 1 << 20 and not served.may_go_on.wait(100):
                return
            try:
                self.wfile.write(served.content[at : at + (1 << 20)])
            except OSError:
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.content, server.starts, server.may_go_on = CONTENT, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.may_go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def no_download_threads():
    return not [thread for thread in threading.enumerate() if thread.name == "sam2-probe download"]


def wait_for_threads():
    for thread in threading.enumerate():
        if thread.name == "sam2-probe download":
            thread.join(100)
    assert no_download_threads()


def test_a_stop_keeps_what_arrived_and_the_next_goes_on(server, tmp_path):
    job = downloading(CHECKPOINT, tmp_path, server.url)
    first = next(step for step in job if step.done)
    assert (first.total, first.unit) == (len(CONTENT), "byte")
    # Nothing arrives now, and still the job can be stopped.
    assert next(job).done == first.done
    job.close()
    server.may_go_on.set()
    wait_for_threads()
    part = (tmp_path / "sam2.1_hiera_tiny.pt.part").stat().st_size
    assert 0 < part < len(CONTENT)
    steps = list(downloading(CHECKPOINT, tmp_path, server.url))
    assert server.starts == [0, part]
    assert steps[-1].done == len(CONTENT)
    assert (tmp_path / "sam2.1_hiera_tiny.pt").read_bytes() == CONTENT
    wait_for_threads()


def test_another_file_is_refused(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    server.may_go_on.set()
    with pytest.raises(ResourceError, match="not the published"):
        list(downloading(CHECKPOINT, tmp_path, server.url))
    assert list(tmp_path.iterdir()) == []
    wait_for_threads()


def test_models_that_are_here_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv(checkpoints.FOLDER_VARIABLE, str(tmp_path))
    entries = model_entries(("/some/where/mine.pt",))
    assert [entry.checkpoint for entry in entries[:2]] == [SAMPLE, "/some/where/mine.pt"]
    assert {entry.checkpoint for entry in entries[2:]} == {checkpoint.name for checkpoint in checkpoints.OFFICIAL}
    assert all(entry.download is not None for entry in entries[2:])
    assert "156 MB" in next(entry.label for entry in entries if entry.checkpoint == "sam2.1_hiera_tiny")
    unknown_size = next(c for c in checkpoints.OFFICIAL if c.num_bytes is None)
    (tmp_path / unknown_size.filename).write_bytes(b"here")
    assert model_entries()[0].checkpoint == unknown_size.name


@pytest.mark.usefixtures("needs_display")
def test_the_button_fetches_stops_and_chooses(server, tmp_path, monkeypatch, qtbot):
    monkeypatch.setenv(checkpoints.FOLDER_VARIABLE, str(tmp_path))
    others = tuple(c for c in checkpoints.OFFICIAL if c.name != CHECKPOINT.name)
    for module in ("models.checkpoints", "gui.panels.track_model"):
        monkeypatch.setattr(f"napari_sam2_probe.{module}.OFFICIAL", (CHECKPOINT, *others))
    chooser = ModelChooser(base_url=server.url)
    qtbot.addWidget(chooser)
    chooser.show()
    chosen = []
    chooser.chosen.connect(chosen.append)
    assert not chooser._button.isVisible()
    chooser.choose(CHECKPOINT.name)
    assert chosen == [None]
    chooser._button.click()
    assert chooser._button.text() == "Stop"
    part = tmp_path / "sam2.1_hiera_tiny.pt.part"
    qtbot.waitUntil(lambda: part.exists() and part.stat().st_size > 0)
    chooser._button.click()
    qtbot.waitUntil(lambda: chooser._button.text() == "Download")
    server.may_go_on.set()
    wait_for_threads()
    chooser._button.click()
    qtbot.waitUntil(lambda: chosen[-1] is not None, timeout=20_000)
    assert chosen[-1].checkpoint == CHECKPOINT.name
    assert chooser.entry.download is None
    assert not chooser._button.isVisible()
    chooser.downloads.close()
    wait_for_threads()
