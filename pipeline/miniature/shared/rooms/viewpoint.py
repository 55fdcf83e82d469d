"""Where the camera stands and looks, and the ray through each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field

FX, FY, CX, CY = 518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465
"""The Kinect's colour camera in pixels at 640×480, pixels counted from 1 (NYUDv2 toolbox, camera_params.m)."""


@dataclass(frozen=True, kw_only=True)
class Viewpoint:
    """A camera: its place in the room (metres), yaw from +y towards +x, pitch down, roll clockwise (radians)."""

    x: float
    y: float
    z: float
    yaw: float
    pitch: float
    roll: float

    def axes(self) -> NDArray[np.float64]:
        """3×3, columns: the camera's right, down and forward in the room's frame."""
        forward = np.array(
            [
                math.sin(self.yaw) * math.cos(self.pitch),
                math.cos(self.yaw) * math.cos(self.pitch),
                -math.sin(self.pitch),
            ]
        )
        level = np.array([math.cos(self.yaw), -math.sin(self.yaw), 0.0])
        below = np.cross(forward, level)
        right = math.cos(self.roll) * level + math.sin(self.roll) * below
        return np.stack([right, np.cross(forward, right), forward], axis=1)


@dataclass(frozen=True, kw_only=True)
class Rays:
    """H×W rays ``origin + depth · (x, y, z)`` in the room's frame; depth counts along the camera's axis, as a Kinect's.

    ``axes`` are the camera's; ``focal`` is (fx, fy) and ``principal`` the 0-based (column, row) of the optical axis.
    """

    origin: NDArray[np.float64]
    x: Field
    y: Field
    z: Field
    axes: NDArray[np.float64]
    focal: tuple[float, float]
    principal: tuple[float, float]


def intrinsics(side: int) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of a frame ``side`` pixels wide, counted from 1; its edges see what the original's see."""
    scale = side / 640
    return FX * scale, FY * scale, (CX - 0.5) * scale + 0.5, (CY - 0.5) * scale + 0.5


def rays(view: Viewpoint, side: int) -> Rays:
    """The rays of a frame ``side`` wide and 3/4 ``side`` high."""
    fx, fy, cx, cy = intrinsics(side)
    axes = view.axes()
    across = ((np.arange(1, side + 1) - cx) / fx)[None, :]
    down = ((np.arange(1, side * 3 // 4 + 1) - cy) / fy)[:, None]
    x, y, z = (np.asarray(a * across + b * down + c, np.float32) for a, b, c in axes)
    return Rays(
        origin=np.array([view.x, view.y, view.z]),
        x=x,
        y=y,
        z=z,
        axes=axes,
        focal=(fx, fy),
        principal=(cx - 1, cy - 1),
    )
