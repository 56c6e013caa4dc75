"""From a video to a map and a plot with the system's mouse: counts the clicks, checks each step, records what is seen.

    tools/with_display.sh .venv/bin/python tools/tour.py [VIDEO] [--at Y X] [--out FOLDER] [--size 1280x800]

Needs `xdotool`. Nothing of the window is called but what tells where things are; a video is opened as if it were
dropped.
Writes a picture of each step, and with ``--record`` an animation of all of them (``tour.gif``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

MOST_CLICKS = 7
"""From the menu to a map over the video, with the plots beneath."""

SAMPLE = Path(__file__).parents[1] / "sample_data" / "JPEGImages" / "480p" / "cat"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?", help="a video file or a folder of frames; else a sample video")
    parser.add_argument("--at", type=float, nargs=2, metavar=("Y", "X"), help="where to click the object, in pixels")
    parser.add_argument("--out", type=Path, default=Path("tour"))
    parser.add_argument("--size", default="1280x800", help="of the window")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--frames", type=int, default=12, help="how many tracked frames to wait for")
    parser.add_argument("--record", action="store_true", help="also write tour.gif")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        # Neither the runs nor the settings of whoever makes the pictures.
        os.environ.update(HOME=home, XDG_DATA_HOME=home, NAPARI_CONFIG=str(Path(home, "settings.yaml")))
        tour = Tour(arguments)
        tour.go()
        tour.end()


class Tour:
    """One window and one mouse."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        import napari
        from napari.settings import get_settings

        self.arguments = arguments
        self.clicks = 0
        self.pictures: list[tuple[object, int]] = []
        arguments.out.mkdir(parents=True, exist_ok=True)
        get_settings().appearance.theme = arguments.theme
        self.viewer = napari.Viewer(show=True)
        self.window = self.viewer.window._qt_window
        width, height = map(int, arguments.size.split("x"))
        self.window.setGeometry(0, 0, width, height)
        self.spin(1.5)

    def go(self) -> None:
        self.choose("Plugins", "SAM 2 Probe", "Workspace")
        state = self.state
        self.until(lambda: "features" in state.panels, "the workspace and the plots")
        self.picture("workspace", 1200)
        self.open_video()
        self.until(lambda: self.line().startswith("Click the object"), "the video")
        self.picture("video", 1200)
        self.click(*self.on_canvas(*self.place()))
        self.until(lambda: bool(self.masks()), "the mask of the click", 300)
        self.picture("clicked", 1500)
        self.press("forward")
        self.until(lambda: self.num_tracked() >= 3, "the first frames", 600)
        self.picture("tracking", 800)
        for step in range(4, self.arguments.frames + 1, 2):
            self.until(lambda step=step: self.num_tracked() >= step, f"frame {step}", 600)
            self.picture("", 250)
        self.until(lambda: self.plotted("features"), "the plot of features", 120)
        self.page("Look")
        look = state.panels["look"]
        self.until(lambda: look.composite.frame is not None, "the composite", 120)
        self.picture("look", 1500)
        self.cell(look.composite)
        self.until(lambda: any("memory attention" in layer.name for layer in self.viewer.layers), "the map", 120)
        self.picture("map", 2500)
        if self.clicks > MOST_CLICKS:
            raise SystemExit(
                f"{self.clicks} clicks from the menu to map and plot; at most {MOST_CLICKS} were promised."
            )
        if (self.window.width(), self.window.height()) != tuple(map(int, self.arguments.size.split("x"))):
            raise SystemExit("the window has grown")
        print(f"{self.clicks} clicks from the menu to a map and the plots")

    def end(self) -> None:
        if self.arguments.record:
            frames = [image for image, _ in self.pictures]
            times = [pause for _, pause in self.pictures]
            path = self.arguments.out / "tour.gif"
            frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        self.viewer.close()
        self.spin(1)

    # What is read.

    @property
    def state(self):
        from napari_sam2_probe.gui.state import state_of

        return state_of(self.viewer)

    def line(self) -> str:
        from qtpy.QtWidgets import QLabel

        return next((label.text() for label in self.window.findChildren(QLabel, "next_step") if label.isVisible()), "")

    def masks(self) -> list[object]:
        return [layer for layer in self.viewer.layers if layer.name.startswith("masks")]

    def num_tracked(self) -> int:
        scores = self.state.panels["track"].controller.scores
        return 0 if scores is None else len(scores.tracked_frames())

    def plotted(self, name: str) -> bool:
        return self.state.panels[name]._shown is not None

    def place(self) -> tuple[float, float]:
        if self.arguments.at:
            return tuple(self.arguments.at)
        import numpy as np

        truth = self.state.video.video.mask(0)
        rows, columns = np.nonzero(truth == truth[truth > 0].min())
        middle = len(rows) // 2
        return float(rows[middle]), float(np.median(columns[rows == rows[middle]]))

    # What is done.

    def open_video(self) -> None:
        path = self.arguments.video or SAMPLE
        # As a drop on the window does it, with the readers that the user prefers.
        if path.is_file():
            self.viewer.open(str(path), plugin=None)
        else:
            self.viewer.open(str(path), plugin="napari-sam2-probe")

    def choose(self, first: str, *others: str) -> None:
        from qtpy.QtWidgets import QApplication

        bar = self.window.menuBar()
        (action,) = [action for action in bar.actions() if action.text().replace("&", "") == first]
        self.click_in(bar, bar.actionGeometry(action).center())
        for name in others:
            self.until(lambda: QApplication.activePopupWidget() is not None, "the menu")
            found = []
            for menu in (w for w in QApplication.topLevelWidgets() if w.inherits("QMenu") and w.isVisible()):
                found += [(menu, a) for a in menu.actions() if a.text().replace("&", "").startswith(name)]
            menu, action = found[-1]
            self.click_in(menu, menu.actionGeometry(action).center())

    def press(self, name: str) -> None:
        from qtpy.QtWidgets import QPushButton

        (button,) = [b for b in self.window.findChildren(QPushButton, name) if b.isVisible()]
        self.click_in(button, button.rect().center())

    def page(self, title: str) -> None:
        from qtpy.QtWidgets import QTabWidget

        bar = self.window.findChild(QTabWidget, "pages").tabBar()
        (index,) = [k for k in range(bar.count()) if bar.tabText(k) == title]
        self.click_in(bar, bar.tabRect(index).center())

    def cell(self, composite) -> None:
        from qtpy.QtCore import QPoint

        place = composite.place_of("2", "mean")
        self.click_in(composite, QPoint(round(place.left + place.width / 2), round(place.top + place.height / 2)))

    def on_canvas(self, y: float, x: float) -> tuple[int, int]:
        from qtpy.QtCore import QPoint

        canvas = self.viewer.window._qt_viewer.canvas
        point = canvas.view.scene.transform.map([x, y, 0, 1])
        point = point[:2] / point[3]
        at = canvas.native.mapToGlobal(QPoint(round(float(point[0])), round(float(point[1]))))
        return at.x(), at.y()

    def click_in(self, widget, point) -> None:
        at = widget.mapToGlobal(point)
        self.click(at.x(), at.y())

    def click(self, x: int, y: int) -> None:
        subprocess.run(["xdotool", "mousemove", "--sync", str(x), str(y)], check=True)
        self.spin(0.2)
        subprocess.run(["xdotool", "click", "1"], check=True)
        self.clicks += 1
        self.spin(0.5)

    # Time.

    def spin(self, seconds: float) -> None:
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def until(self, condition, what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.picture("failed", 0)
                raise SystemExit(f"no sign of {what} after {seconds:g} s; see {self.arguments.out / 'failed.png'}")
            self.spin(0.05)

    def picture(self, name: str, pause: int) -> None:
        from PIL import Image

        self.spin(0.6)
        image = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        if name:
            image.save(self.arguments.out / f"{name}.png")
        if self.arguments.record:
            half = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)
            self.pictures.append((half.quantize(128), pause))


if __name__ == "__main__":
    main()
