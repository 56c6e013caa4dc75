"""How objects and the camera move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pose:
    """Where something is: centre (x, y) in pixels, scale, and angle in degrees, clockwise on the screen."""

    x: float
    y: float
    scale: float = 1.0
    angle: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Return the 3 x 3 matrix that takes coordinates relative to the centre to where they are seen."""
        cos, sin = (self.scale * f(math.radians(self.angle)) for f in (math.cos, math.sin))
        return np.array([[cos, -sin, self.x], [sin, cos, self.y], [0, 0, 1]])


@dataclass(frozen=True)
class Path:
    """A smooth way through key poses.

    Attributes
    ----------
    keys
        ``(frame, x, y, scale, angle)`` tuples in frame order; a natural cubic spline runs through them.
    shake
        Amplitude in pixels of the unsteadiness of a hand, a sum of three sines.
    """

    keys: tuple[tuple[float, float, float, float, float], ...]
    shake: float = 0.0

    @cached_property
    def _spline(self) -> object:
        from scipy.interpolate import CubicSpline

        table = np.asarray(self.keys, dtype=np.float64)
        return CubicSpline(table[:, 0], table[:, 1:], bc_type="natural")

    def at(self, time: float) -> Pose:
        """Return the pose at a time in frames."""
        x, y, scale, angle = self._spline(time) if len(self.keys) > 1 else self.keys[0][1:]  # type: ignore[operator]
        if self.shake:
            x += self.shake * (math.sin(0.61 * time) + 0.6 * math.sin(1.37 * time + 1) + 0.3 * math.sin(2.3 * time))
            y += self.shake * (math.sin(0.53 * time + 2) + 0.6 * math.sin(1.13 * time) + 0.3 * math.sin(2.6 * time))
        # Rounded, so that the last bit of another machine's sine can't flip a pixel of a mask.
        return Pose(*(round(float(v), 6) for v in (x, y, scale, angle)))


@dataclass(frozen=True, slots=True)
class Wobble:
    """A mild non-rigid deformation: two travelling waves of displacement across the object.

    Attributes
    ----------
    amplitude, wavelength
        In pixels of the cut-out.
    period
        In frames.
    """

    amplitude: float
    wavelength: float
    period: float

    def displace(
        self, x: NDArray[np.float64], y: NDArray[np.float64], time: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coordinates in the cut-out that are seen at (x, y) of the undeformed object."""
        phase = 2 * math.pi * time / self.period
        k = 2 * math.pi / self.wavelength
        dx = np.sin(k * y + phase) + 0.5 * np.sin(0.7 * k * (x + y) - 1.3 * phase)
        dy = np.sin(k * x - 0.8 * phase + 1) + 0.5 * np.sin(0.6 * k * (x - y) + 1.1 * phase)
        return x + self.amplitude * dx, y + self.amplitude * dy


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light that drifts over time (relative `drift` with a `period` in frames) and falls off to the corners."""

    drift: float = 0.05
    period: float = 50.0
    vignette: float = 0.15

    def gain(self, shape: tuple[int, int], time: float) -> NDArray[np.float64]:
        """Return the (H, W, 1) factor for a frame."""
        y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
        level = 1 + self.drift * math.sin(2 * math.pi * time / self.period)
        return np.asarray(level * (1 - self.vignette * (x**2 + y**2) / 2))[..., None]
