"""How long the window stands still while a model loads, tracks and is downloaded, and while maps and files are made.

A timer beats every 5 ms in the GUI thread; what is longer between two beats is a gap. Beside each longest gap stands
the most that the GUI thread itself computed in one gap, and what it did: napari adding layers, the canvas being drawn,
Python's garbage collector. The rest of a gap it waited, for Python's lock or for a processor. The last rows are napari
alone, in the same window: what it takes to add a layer without anything of this project. `--stacks` also tells what
the GUI thread did in the gaps of more than 100 ms. Needs a display:

    tools/with_display.sh .venv/bin/python benchmarks/event_loop_gaps.py [--model tiny] [--frames 40] [--stacks]
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import gc
import http.server
import os
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

BEAT_MS = 5
LONG_S = 0.1


@dataclass
class Gap:
    """Seconds between two beats: by the clock, of the GUI thread's computing and of its waiting for a processor."""

    wall: float
    computed: float
    queued: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


def queued() -> float:
    """Seconds that the GUI thread, the first of the process, stood ready and got no processor; 0 where none tells."""
    try:
        return int(Path(f"/proc/self/task/{os.getpid()}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Beats:
    """Beats of a timer, by what goes on."""

    def __init__(self, stacks: bool) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.gaps: dict[str, list[Gap]] = {}
        self.stacks: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self._phase = ""
        self._last = self._computed = self._queued = self._search_began = 0.0
        self._parts: dict[str, float] = {}
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._gui = threading.get_ident()
        self._over = threading.Event()
        self._tell_parts()
        if stacks:
            threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, phase: str) -> None:
        self._phase = phase
        self.gaps[phase] = []
        self._last, self._computed, self._queued, self._parts = time.perf_counter(), time.thread_time(), queued(), {}
        self._timer.start()

    def end(self) -> None:
        self._beat()
        self._timer.stop()
        self._phase = ""

    def close(self) -> None:
        self._over.set()

    def _beat(self) -> None:
        now, computed, waited = time.perf_counter(), time.thread_time(), queued()
        gap = Gap(now - self._last, computed - self._computed, waited - self._queued, self._parts)
        self.gaps[self._phase].append(gap)
        self._last, self._computed, self._queued, self._parts = now, computed, waited, {}

    def _tell_parts(self) -> None:
        from napari.components import LayerList
        from vispy.scene import SceneCanvas

        LayerList.insert = self._timed("layers", LayerList.insert)
        SceneCanvas.on_draw = self._timed("drawing", SceneCanvas.on_draw)
        gc.callbacks.append(self._on_search)

    def _timed(self, part: str, call):
        @functools.wraps(call)
        def timed(*args, **kwargs):
            began = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                self._add(part, time.thread_time() - began)

        return timed

    def _on_search(self, phase: str, about: dict) -> None:
        # In whichever thread it searches, all wait.
        if phase == "start":
            self._search_began = time.thread_time()
        elif about["generation"]:
            seconds = time.thread_time() - self._search_began
            self._add("collector" if threading.get_ident() == self._gui else "collector elsewhere", seconds)

    def _add(self, part: str, seconds: float) -> None:
        self._parts[part] = self._parts.get(part, 0.0) + seconds

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            if self._phase and time.perf_counter() - self._last > LONG_S:
                stack = traceback.extract_stack(sys._current_frames()[self._gui])
                places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in stack[-14:]]
                self.stacks[self._phase][" < ".join(reversed(places))] += 1


class Bench:
    def __init__(self, folder: Path, model: str, frames: int, stacks: bool) -> None:
        import napari

        from napari_sam2_probe.gui.state import state_of

        self.folder, self.model, self.frames = folder, model, frames
        self.viewer = napari.Viewer(show=True)
        self.viewer.window._qt_window.resize(1280, 800)
        self.state = state_of(self.viewer)
        self.beats = Beats(stacks)

    def run(self) -> None:
        import numpy as np

        from napari_sam2_probe.common.sample_data import sample_data_folder
        from napari_sam2_probe.gui.tracking.runner import Phase
        from napari_sam2_probe.gui.videos import add_video
        from napari_sam2_probe.video import DavisDataset

        panel = self.dock("Track")
        controller = panel.controller
        controller.use_runs_folder(self.folder / "runs")
        controller.choose_model(model_choice(self.model, self.folder))
        add_video(self.viewer, *sample_video(self.frames))
        self.wait(1)

        def idle():
            return controller.runner.is_idle

        import torch  # noqa: F401  # The first import is shown as busy and not counted.

        import napari_sam2_probe.tracking.session  # noqa: F401

        self.beats.begin("show the points layer")
        points = controller.prompts.show_points()
        self.wait(0.5)
        self.beats.begin("load the model, first click")
        points.add((0, 150, 120))
        self.until(lambda: idle() and bool(controller.prompts.states))
        self.wait(0.5)
        self.beats.begin("more clicks")
        for place in ((0, 140, 110), (0, 130, 130), (0, 20, 20)):
            controller.prompts.show_points().add(place)
            self.until(idle)
        self.beats.begin("track")
        controller.propagate("forward")
        self.until(lambda: controller.runner.phase is Phase.IDLE)
        self.beats.end()
        assert np.isfinite(controller.scores.object_scores(1)).all()

        positions = self.dock("Positions")
        self.wait(1)
        self.beats.begin("add two maps")
        positions.choose("memory_attention", "mean", True)
        positions.choose("memory_features", "mean", True)
        self.wait(2)
        self.beats.begin("track again, maps and features shown")
        features = self.dock("Features over time")
        controller.prompts.show_points().add((0, 145, 125))
        self.until(idle)
        controller.propagate("forward")
        self.until(lambda: controller.runner.phase is Phase.IDLE)
        self.until(lambda: not features.background.busy)
        self.beats.begin("move the time slider")
        for frame in range(0, self.frames, 2):
            self.viewer.dims.set_current_step(0, frame)
            self.wait(0.05)
        export = self.dock("Export")
        export.folder.setText(str(self.folder))
        for what in ("maps", "video", "run"):
            export.what.setCurrentIndex(export.what.findData(what))
            self.beats.begin(f"export: {what}")
            export.export.click()
            self.until(lambda: not export.job.busy)
        self.download()
        self.beats.begin("add a video and its true masks")
        coins = DavisDataset(sample_data_folder()).sequence("coins")
        add_video(self.viewer, coins.frames, coins)
        self.wait(1)
        self.beats.end()
        self.napari_alone()
        self.beats.close()
        self.viewer.close()

    def download(self) -> None:
        from napari_sam2_probe.gui.jobs import Job
        from napari_sam2_probe.gui.tracking.downloads import downloading
        from napari_sam2_probe.models import checkpoints

        served, kept = self.folder / "served", self.folder / "kept"
        served.mkdir()
        kept.mkdir()
        checkpoint = next(c for c in checkpoints.OFFICIAL if "tiny" in c.name)
        content = bytes(checkpoint.num_bytes)
        (served / Path(checkpoint.url).name).write_bytes(content)
        handler = functools.partial(QuietHandler, directory=str(served))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = []
        url = f"http://127.0.0.1:{server.server_port}"
        job = Job("download", functools.partial(downloading, checkpoint, kept, url), on_end=ended.append)
        self.beats.begin("download 150 MB")
        self.state.jobs.submit(job)
        # What was served is not the checkpoint, which is found out at the end: everything but a file that is kept.
        self.until(lambda: bool(ended))
        self.beats.end()
        server.shutdown()

    def napari_alone(self) -> None:
        import numpy as np

        maps = np.random.default_rng(0).random((self.frames, 64, 64), np.float32)
        labels = np.zeros((1, 8, 8), np.uint16)
        makers = {
            "an image layer": lambda: self.viewer.add_image(maps, contrast_limits=(0, 1), name="alone"),
            "a labels layer": lambda: self.viewer.add_labels(labels, name="alone"),
            "a points layer": lambda: self.viewer.add_points(np.zeros((0, 3)), name="alone"),
        }
        for what, make in makers.items():
            self.beats.begin(f"napari alone: {what}")
            layer = make()
            self.wait(0.5)
            self.beats.end()
            self.viewer.layers.remove(layer)
            self.wait(0.5)

    def dock(self, name: str):
        dock, panel = self.viewer.window.add_plugin_dock_widget("napari-sam2-probe", name, tabify=True)
        dock.raise_()
        self.wait(0.5)
        return panel

    def wait(self, seconds: float) -> None:
        from qtpy.QtTest import QTest

        QTest.qWait(round(1000 * seconds))

    def until(self, condition, timeout: float = 600) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "waited too long"
            self.wait(0.02)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None: ...

    def copyfile(self, source, outputfile) -> None:
        with contextlib.suppress(OSError):
            super().copyfile(source, outputfile)


def sample_video(frames: int):
    from napari_sam2_probe.common.sample_data import sample_data_folder
    from napari_sam2_probe.video import ArraySource, DavisDataset

    source = DavisDataset(sample_data_folder()).sequence("horse").frames
    import numpy as np

    pictures = np.stack([source.read(t % source.num_frames) for t in range(frames)])
    return (ArraySource(pictures, name="horse"),)


def model_choice(name: str, folder: Path):
    import torch

    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.families.loading import seeded_model

    if name == "sample":
        return ModelChoice("sample", device="cpu")
    config = "configs/sam2.1/sam2.1_hiera_t.yaml"
    file = folder / "tiny.pt"
    torch.save({"model": seeded_model(config).state_dict()}, file)
    return ModelChoice(str(file), config=config, device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("sample", "tiny"), default="sample")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--stacks", action="store_true", help="tell what the GUI thread did in long gaps")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(XDG_DATA_HOME=home, NAPARI_CONFIG=str(Path(home, "settings.yaml")))
        bench = Bench(Path(home), arguments.model, arguments.frames, arguments.stacks)
        bench.run()
    print(
        f"{'':42}{'longest':>10}{'99 %':>8}{'over 100':>10}{'seconds':>9}{'collector':>11}"
        f"{'of longest: computed':>22}{'queued':>9}{'else':>9}   {'computed':>10}  of which"
    )
    for phase, gaps in bench.beats.gaps.items():
        walls = sorted(gap.wall for gap in gaps)
        share = walls[int(0.99 * (len(walls) - 1))]
        over = sum(wall > LONG_S for wall in walls)
        longest = max(gaps, key=lambda gap: gap.wall)
        busiest = max(gaps, key=lambda gap: gap.computed)
        parts = ", ".join(f"{name} {1000 * seconds:.0f}" for name, seconds in busiest.parts.items() if seconds > 0.001)
        searched = max(sum(s for name, s in gap.parts.items() if name.startswith("collector")) for gap in gaps)
        print(
            f"{phase:42}{1000 * walls[-1]:7.0f} ms{1000 * share:5.0f} ms{over:10d}{sum(walls):9.1f}"
            f"{1000 * searched:8.0f} ms{1000 * longest.computed:19.0f} ms{1000 * longest.queued:6.0f} ms"
            f"{1000 * (longest.wall - longest.computed - longest.queued):6.0f} ms   "
            f"{1000 * busiest.computed:7.0f} ms  {parts}"
        )
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}")
    for phase, stacks in bench.beats.stacks.items():
        print(f"\n{phase}")
        for stack, count in stacks.most_common(6):
            print(f"  {count:4d} x {stack}")


if __name__ == "__main__":
    main()
