"""Fetch an official checkpoint: with progress, resumable, and kept only if it is the published file."""

from __future__ import annotations

import http.client
import re
import shutil
import ssl
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.common.files import check_file, disk_error
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.models.checkpoints import checkpoint_folder, file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam2_probe.models.checkpoints import OfficialCheckpoint

_BLOCK = 1 << 20
_RANGE_START = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadCancelled(Exception):
    """The caller asked to stop; what arrived is kept, and the next download goes on from there."""


def _never() -> bool:
    return False


def download(
    checkpoint: OfficialCheckpoint,
    folder: Path | None = None,
    *,
    progress: ProgressCallback = ignore_progress,
    cancelled: Callable[[], bool] = _never,
    base_url: str | None = None,
    timeout: float = 30.0,
) -> Path:
    """Download an official checkpoint and return its path.

    What arrives is kept beside the target as ``<file>.part`` until it is complete; a download that broke off or was
    cancelled goes on from there. The file takes its name only after its SHA-256 was found right. A complete and
    right file that is already there is not fetched again.

    Parameters
    ----------
    checkpoint
        Which one.
    folder
        Where to; :func:`~napari_sam2_probe.models.checkpoints.checkpoint_folder` if None.
    progress
        Called with bytes done.
    cancelled
        Asked after every block; True stops.
    base_url
        A mirror: the file is fetched from ``<base_url>/<file>`` instead of from Meta's server. The hash is the same.
    timeout
        Seconds without a byte after which the connection counts as lost.

    Raises
    ------
    ResourceError
        No network, a server error, a transfer that broke off, a full disk, or a file that is not the published one.
    DownloadCancelled
        If `cancelled` said so.
    """
    target = (folder if folder is not None else checkpoint_folder()) / checkpoint.filename
    if target.is_file() and file_sha256(target, progress) == checkpoint.sha256:
        return target
    part = target.with_name(f"{target.name}.part")
    for file in (target, part):
        check_file(file)
    url = checkpoint.url if base_url is None else f"{base_url.rstrip('/')}/{checkpoint.filename}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.is_file() and checkpoint.num_bytes is not None and part.stat().st_size > checkpoint.num_bytes:
            part.unlink()
        if not part.is_file() or part.stat().st_size != checkpoint.num_bytes:
            _Transfer(checkpoint, url, part, progress, cancelled, timeout).run()
        if file_sha256(part, progress) != checkpoint.sha256:
            part.unlink()
            raise ResourceError(
                f"What {url} sent is not the published {checkpoint.filename} (its SHA-256 differs), so it was "
                "deleted: download it again, and from another network if that doesn't help."
            )
        part.replace(target)
    except OSError as error:
        known = disk_error(error, target)
        if known is error:
            known = ResourceError(f"{target}: the checkpoint can't be written there ({error.strerror or error}).")
        raise known from error
    return target


@dataclass(frozen=True)
class _Transfer:
    """One request that adds to the file `part` until it is complete."""

    checkpoint: OfficialCheckpoint
    url: str
    part: Path
    progress: ProgressCallback
    cancelled: Callable[[], bool]
    timeout: float

    def run(self) -> None:
        have = self.part.stat().st_size if self.part.is_file() else 0
        try:
            with self._open(have) as response:
                start = _first_byte(response)
                length = response.length
                total = self.checkpoint.num_bytes or (start + length if length is not None else 0)
                self._check(start, length, have)
                with self.part.open("ab" if start else "wb") as file:
                    self._copy(response, file, start, total)
        except HTTPError as error:
            # It is the server's answer, whose connection is still open.
            error.close()
            if error.code == 416:  # the server has no more bytes than are here; the hash will tell
                return
            raise ResourceError(
                f"{self.url}: the server answered {error.code} ({error.reason}); try again later."
            ) from error
        except URLError as error:
            raise ResourceError(
                f"{self.url} can't be reached ({error.reason}): check the network, or copy "
                f"{self.checkpoint.filename} into {self.part.parent} yourself."
            ) from error
        except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
            raise self._broken(str(error) or type(error).__name__) from error

    def _open(self, have: int) -> http.client.HTTPResponse:
        headers = {"User-Agent": f"napari-sam2-probe/{__version__}"}
        if have:
            headers["Range"] = f"bytes={have}-"
        response: http.client.HTTPResponse = urlopen(Request(self.url, headers=headers), timeout=self.timeout)
        return response

    def _check(self, start: int, length: int | None, have: int) -> None:
        """Refuse before writing what can't become the file."""
        expected = self.checkpoint.num_bytes
        if start not in (0, have):
            raise self._broken("the server went on at another place than asked")
        if expected is not None and length is not None and start + length != expected:
            raise ResourceError(
                f"{self.url}: the server offers {start + length} bytes where the published file has {expected}; "
                "a proxy or login page may be in the way."
            )
        needed = (expected - start) if expected is not None else (length or 0)
        reclaimed = 0 if start else have
        free = shutil.disk_usage(self.part.parent).free + reclaimed
        if free < needed:
            raise ResourceError(
                f"{self.part.parent}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; free some "
                "space, or name another folder by SAM2_PROBE_CHECKPOINTS."
            )

    def _copy(self, response: http.client.HTTPResponse, file: IO[bytes], start: int, total: int) -> None:
        done = start
        what = f"downloading {self.checkpoint.name}"
        self.progress(Progress(done, total, what, "byte"))
        while block := response.read(_BLOCK):
            file.write(block)
            done += len(block)
            self.progress(Progress(done, total, what, "byte"))
            if self.cancelled():
                raise DownloadCancelled(what)
        if done < total:
            raise self._broken(f"after {done} of {total} bytes")

    def _broken(self, why: str) -> ResourceError:
        return ResourceError(
            f"{self.url}: the transfer broke off ({why}); run the same command again, it goes on where it stopped."
        )


def _first_byte(response: http.client.HTTPResponse) -> int:
    """Return where in the file the answer begins; 0 from a server that doesn't resume."""
    if response.status != 206:
        return 0
    match = _RANGE_START.match(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1
