"""Models from a hub: a real client against a server on this machine that answers as the hub does."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.models import hub
from napari_sam2_probe.models.checkpoints import resolve
from napari_sam2_probe.models.hub import HubName, cached_model, fetch_model, models_here, parse_hub_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = bytes(range(256)) * 8000
FILES = {"config.json": b'{"model_type": "sam2_video"}', "model.safetensors": WEIGHTS}
NAME = HubName("someone/tracker")


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body=False):
        server = self.server
        server.asked.append((self.command, self.path, self.headers.get("Range")))
        owner, name, kind, revision, file = self.path.strip("/").split("?")[0].split("/")[:5]
        code = None
        if f"{owner}/{name}" == "someone/gated":
            code = ("GatedRepo", 403)
        elif f"{owner}/{name}" != NAME.repo or kind != "resolve":
            code = ("RepoNotFound", 404)
        elif revision not in ("main", "v1", COMMIT):
            code = ("RevisionNotFound", 404)
        elif file not in server.files:
            code = ("EntryNotFound", 404)
        if code:
            self.send_response(code[1])
            self.send_header("X-Error-Code", code[0])
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = server.files[file]
        sent = server.sent.get(file, content)
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(sent) - 1}/{len(sent)}")
        is_large = file.endswith(".safetensors")
        etag = hashlib.sha256(content).hexdigest() if is_large else hashlib.sha1(content).hexdigest()
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(sent) - start))
        self.end_headers()
        if body:
            limit = server.break_after.pop(file, None)
            self.wfile.write(sent[start:] if limit is None else sent[start : start + limit])
            if limit is not None:
                self.wfile.flush()
                self.connection.close()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.daemon_threads = True
        serving.files, serving.sent, serving.break_after, serving.asked = dict(FILES), {}, {}, []
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    """The hub's client with a cache of its own, online whatever the environment says."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    "text",
    ["hf:sam2", "hf:a/b/c", "hf:../x", "hf:a/b@", "hf:a/b@../x", "hf:a b/c", "hf:a/b-", "hf:a/b--c", "hf:a/b.git"],
)
def test_names_that_are_none(text):
    with pytest.raises(InputError, match="is written hf:owner/name"):
        parse_hub_name(text)


def test_names():
    assert parse_hub_name("hf:facebook/sam2.1-hiera-tiny") == HubName("facebook/sam2.1-hiera-tiny")
    assert str(parse_hub_name("hf:someone/tracker@v1")) == "hf:someone/tracker@v1"


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"pip install napari-sam2-probe\[transformers\]"):
        resolve("hf:someone/tracker")


def test_fetched_once_and_found_without_a_network(client, server):
    with pytest.raises(InputError, match="is not downloaded: run 'sam2-probe checkpoints download hf:someone/tracker'"):
        resolve("hf:someone/tracker")
    assert server.asked == []
    found = fetch_model(NAME, endpoint=client)
    assert (found.name, found.hub) == ("tracker", f"someone/tracker@{COMMIT}")
    assert found.path.read_bytes() == WEIGHTS
    assert found.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert found.config.read_bytes() == FILES["config.json"]
    server.asked.clear()
    assert resolve("hf:someone/tracker") == found
    # As a run records it.
    assert resolve(f"hf:{found.hub}").path == found.path
    assert server.asked == []
    fetch_model(NAME, endpoint=client)
    assert not [path for verb, path, _ in server.asked if verb == "GET" and "safetensors" in path]


def test_models_that_are_here_are_listed_by_their_type(client, server, tmp_path):
    assert models_here(["sam2_video"]) == []
    fetch_model(NAME, endpoint=client)
    # What other programs keep there, and what came in part.
    (tmp_path / "cache" / "models--other--half" / "snapshots").mkdir(parents=True)
    server.asked.clear()
    assert models_here(["sam2_video"]) == [NAME]
    assert models_here(["edgetam_video"]) == []
    assert server.asked == []


def test_a_transfer_that_breaks_off_goes_on(client, server, monkeypatch):
    # What is less than a block is lost; the client's are of 10 MB.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 18)
    server.break_after["model.safetensors"] = 1_000_000
    found = fetch_model(NAME, endpoint=client)
    assert found.path.read_bytes() == WEIGHTS
    ranges = [asked for verb, path, asked in server.asked if verb == "GET" and "safetensors" in path]
    assert ranges == [None, f"bytes={3 << 18}-"]


def test_another_file_than_the_published_one(client, server):
    server.sent["model.safetensors"] = WEIGHTS[:-1] + b"x"
    with pytest.raises(ResourceError, match=r"is not the published file \(its SHA-256 differs\), so it was deleted"):
        fetch_model(NAME, endpoint=client)
    with pytest.raises(InputError, match="is not downloaded"):
        cached_model(NAME)
    server.sent.clear()
    assert fetch_model(NAME, endpoint=client).path.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        (
            HubName("someone/gated"),
            InputError,
            "accept its terms: do so at https://huggingface.co/someone/gated, log in",
        ),
        (HubName("someone/nothing"), InputError, "There is no hf:someone/nothing on the hub, or it is private"),
        (HubName("someone/tracker", "v9"), InputError, "someone/tracker has no revision 'v9' on the hub"),
    ],
)
def test_what_the_hub_refuses(client, name, kind, said):
    with pytest.raises(kind, match=said):
        fetch_model(name, endpoint=client)


def test_a_model_without_weights_of_transformers(client, server):
    del server.files["model.safetensors"]
    with pytest.raises(InputError, match=r"has no model\.safetensors on the hub"):
        fetch_model(NAME, endpoint=client)


def test_no_network(client, monkeypatch):
    # The client waits between its attempts.
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ResourceError, match=r"hf:someone/tracker \(config\.json\) can't be fetched"):
        fetch_model(NAME, endpoint="http://127.0.0.1:9")


def test_offline(client, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ResourceError, match="HF_HUB_OFFLINE is set"):
        fetch_model(NAME, endpoint=client)
