"""Drive the window as a person would, and save a picture of every panel and of the whole window.

    tools/with_display.sh .venv/bin/python tools/window_pictures.py OUT [--theme light] [--size 1280x800]

A transformed clip of a sample video and its clean twin are tracked with clicks and shown in every panel.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--size", default="1280x800", help="of the window")
    parser.add_argument("--only", default="", help="names of panels, separated by commas")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as home:
        # Neither the runs nor the settings of whoever makes the pictures.
        os.environ.update(
            HOME=home, XDG_DATA_HOME=home, NAPARI_CONFIG=str(Path(home, "settings.yaml")), NAPARI_ASYNC="0"
        )
        Story(arguments.out, arguments.theme, (width, height), set(filter(None, arguments.only.split(",")))).tell()


class Story:
    """One window, from a sample video to an export."""

    def __init__(self, out: Path, theme: str, size: tuple[int, int], only: set[str]) -> None:
        import napari
        from napari.settings import get_settings

        self.out, self.theme, self.only = out, theme, only
        out.mkdir(parents=True, exist_ok=True)
        get_settings().appearance.theme = theme
        self.viewer = napari.Viewer(title="napari", show=True)
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*size)
        self.docks = {}

    def tell(self) -> None:
        self.open_video()
        self.transform()
        self.track_clip_and_twin()
        self.look_inside()
        if not self.only or self.only & {"experiments", "clips"}:
            self.make_experiment()
        self.viewer.close()

    def open_video(self) -> None:
        from qtpy.QtWidgets import QPushButton

        panel = self.show("Video")
        self.until(lambda: panel.sequences.count() > 0)
        panel.filter.setText("horse")
        panel.sequences.setCurrentRow(
            next(r for r in range(panel.sequences.count()) if not panel.sequences.item(r).isHidden())
        )
        self.press(panel.findChild(QPushButton, "add"))
        self.until(lambda: len(self.viewer.layers) == 2)
        panel.filter.setText("")
        self.wait(2)
        self.picture("video", panel)

    def transform(self) -> None:
        panel = self.show("Transform")
        self.until(lambda: panel.object.count() > 0)
        panel.kind.setCurrentIndex(panel.kind.findData("obscuration"))
        panel.seed.setValue(3)
        self.wait(1)
        self.until(panel.add.isEnabled)
        self.wait(1)
        self.picture("transform", panel)
        for layer in list(self.viewer.layers):
            self.viewer.layers.remove(layer)
        self.wait(1)

    def track_clip_and_twin(self) -> None:
        transform = self.docks["Transform"][1]
        video = self.docks["Video"][1]
        video.open_sequence("horse")
        self.until(lambda: len(self.viewer.layers) == 2)
        transform.kind.setCurrentIndex(transform.kind.findData("obscuration"))
        self.show("Transform")
        self.wait(1)
        self.until(transform.add.isEnabled)
        for layer in list(self.viewer.layers):
            layer.visible = False
        self.press(transform.add)
        self.until(lambda: len(self.viewer.layers) == 6)
        panel = self.show("Track")
        panel.model.choose("sample")
        clip, clip_masks, twin, twin_masks = self.viewer.layers[2:]
        clip_masks.visible = twin_masks.visible = False
        for layer, masks in ((clip, clip_masks), (twin, twin_masks)):
            self.choose_video(panel, layer)
            self.click_on_object(panel, layer, masks)
            self.track(panel)
        self.choose_video(panel, clip)
        self.go_to(14)
        self.wait(1)
        self.picture("track", panel)

    def choose_video(self, panel, layer) -> None:
        from qtpy.QtWidgets import QComboBox

        combo = panel.findChild(QComboBox, "video")
        index = next(i for i in range(combo.count()) if combo.itemData(i) is layer)
        combo.setCurrentIndex(index)
        combo.activated.emit(index)
        self.wait(0.3)

    def click_on_object(self, panel, layer, masks) -> None:
        import numpy as np
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QPushButton
        from scipy.ndimage import distance_transform_edt

        self.go_to(0)
        self.press(panel.findChild(QPushButton, "points"))
        inside = distance_transform_edt(np.pad(np.asarray(masks.data[0]) == 1, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(inside.argmax(), inside.shape)
        world = layer.data_to_world((0, y, x))[-2:]
        canvas = self.viewer.window._qt_viewer.canvas
        camera = self.viewer.scene.camera
        (cy, cx), zoom = camera.center[-2:], camera.zoom
        width, height = canvas._scene_canvas.size
        at = QPoint(round(width / 2 + (world[1] - cx) * zoom), round(height / 2 + (world[0] - cy) * zoom))
        QTest.mouseMove(canvas.native, at)
        QTest.mousePress(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        QTest.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        controller = panel.controller
        self.until(lambda: controller.runner.is_idle and bool(controller.prompts.states))

    def track(self, panel) -> None:
        from qtpy.QtWidgets import QPushButton

        from napari_sam2_probe.gui.tracking.runner import Phase

        self.press(panel.findChild(QPushButton, "forward"))
        self.wait(0.2)
        self.until(lambda: panel.controller.runner.phase is Phase.IDLE)

    def look_inside(self) -> None:
        from qtpy.QtWidgets import QCheckBox, QPushButton

        runs = self.show("Runs")
        self.until(lambda: runs.list.count() == 2)
        runs.list.selectAll()
        self.press(runs.findChild(QPushButton, "compare"))
        self.wait(1)
        self.picture("runs", runs)
        panel = self.show("Pointers")
        self.wait(4)
        self.press(panel.findChild(QPushButton, "true_boxes"))
        self.press(panel.findChild(QPushButton, "decoded_boxes"))
        self.wait(3)
        self.picture("pointers", panel)
        features = self.show("Features over time")
        self.wait(5)
        self.picture("features", features)
        self.docks["Features over time"][0].hide()
        for layer in self.viewer.layers:
            layer.visible = layer.visible and "boxes" not in layer.name
        panel = self.show("Positions")
        self.wait(1)
        for name in ("memory_attention", "prompt_attention", "memory_features"):
            for statistic in ("mean", "variance"):
                self.press(panel.findChild(QCheckBox, f"{name}_{statistic}"))
                self.wait(1)
        self.press(panel.findChild(QPushButton, "grid"))
        self.wait(1)
        self.picture("positions", panel)
        self.press(panel.findChild(QPushButton, "grid"))
        panel = self.show("Look")
        self.wait(2)
        self.picture("look", panel)
        panel = self.show("Export")
        self.wait(1)
        self.picture("export", panel)

    def make_experiment(self) -> None:
        from napari_sam2_probe.experiments.config import make_config, write_config

        folder = Path(os.environ["XDG_DATA_HOME"], "experiment")
        folder.mkdir()
        kinds, model = ("clean", "interjection"), {"checkpoint": "sample"}
        davis = self.docks["Video"][1].sequences.dataset.root
        write_config(folder / "experiment.toml", make_config(davis=str(davis), kinds=kinds, samples=4, model=model))
        for layer in list(self.viewer.layers):
            self.viewer.layers.remove(layer)
        panel = self.show("Experiments")
        panel.form.folder.setText(str(folder))
        self.press(panel.start)
        self.until(lambda: not panel.job.busy, 600)
        self.picture("experiments", panel)
        panel.tabs.setCurrentIndex(1)
        self.until(lambda: panel.kind.count() == 2)
        panel.kind.setCurrentIndex(1)
        panel.kind.activated.emit(1)
        self.wait(2)
        at = panel._points.points[int(panel._points.x.argmax())]
        panel._on_pressed(0, float(at[0]), float(at[1]))
        self.until(lambda: len(self.viewer.layers) == 3)
        self.wait(2)
        self.picture("clips", panel)

    # What a hand does.

    def show(self, name: str):
        if name not in self.docks:
            dock, panel = self.viewer.window.add_plugin_dock_widget("napari-sam2-probe", name, tabify=True)
            self.docks[name] = dock, panel
        dock, panel = self.docks[name]
        dock.show()
        dock.raise_()
        self.wait(0.3)
        return panel

    def press(self, button) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        assert button.isEnabled(), button.objectName()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def go_to(self, frame_idx: int) -> None:
        self.viewer.dims.set_current_step(0, frame_idx)

    def wait(self, seconds: float) -> None:
        from qtpy.QtTest import QTest

        QTest.qWait(round(1000 * seconds))

    def until(self, condition, timeout: float = 120) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "waited too long"
            self.wait(0.05)

    def picture(self, name: str, panel) -> None:
        from napari.utils.notifications import notification_manager

        if self.only and name not in self.only:
            return
        for _, docked in self.docks.values():
            if hasattr(docked, "background"):
                self.until(lambda docked=docked: not docked.background.busy)
        self.wait(0.5)
        for record in notification_manager.records:
            print("notification:", record.message)
        notification_manager.records.clear()
        save(self.window.grab(), self.out / f"window-{name}-{self.theme}.png")
        save(panel.grab(), self.out / f"{name}-{self.theme}.png")


def save(pixmap, path: Path, colours: int = 256) -> None:
    """Write a picture with few colours, which is small."""
    from PIL import Image

    pixmap.save(str(path))
    image = Image.open(path).convert("RGB")
    image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
