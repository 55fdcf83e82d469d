"""HHA: a depth map as disparity, height above ground and angle with gravity, three channels to read like colour.

After Gupta, Girshick, Arbeláez and Malik, "Learning Rich Features from RGB-D Images" (ECCV 2014): s-gupta/rcnn-depth
(``saveHHA.m``, ``processDepthImage.m``) and s-gupta/rgbdutils (``computeNormalsSquareSupport.m``, ``getYDir.m``).

Equal bytes on every processor: float64's + − × ÷ sqrt alone, each sum in an order that stands here or in the plain C of
``correlate1d``; no libm, BLAS, LAPACK or einsum, which take other code where there is AVX-512.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from pipeline.core.types import Refusal

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Moments = Mapping[tuple[int, int], Field]

FINE, COARSE = 3, 10  # pixels: window radii of the normals that give the angle, and of those that find gravity
LEVEL = np.array([0.0, 1.0, 0.0])  # gravity of a level camera: x right, y down, z forward
STAGES = ((45.0, 5), (15.0, 5))  # gravity's search: degrees that a floor or a wall may be off, rounds
UPPER = np.triu_indices(3)
UNTURNED = 0.1  # degrees: heights of a camera this level are taken along its own y
NEAREST, FARTHEST = 1e-4, 100.0  # metres; uint16 in steps of 0.1 or 1 mm lies between, a wrong unit beyond
PI = 31415926535897932384626433832795028841971  # × 10⁻⁴⁰
BAND = 64  # rows at a time: a score of intermediate maps stay in the processor's cache, 1.5 times as fast as whole maps


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera in pixels, whose centres count from 1 as in MATLAB. Raises Refusal unless fx and fy are > 0."""

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if not (self.fx > 0 and self.fy > 0):
            raise Refusal(f"focal lengths {self.fx:g} and {self.fy:g} must be positive: give those of the depth map")

    def cropped(self, left: float, top: float) -> "Intrinsics":
        """The camera of the frame without its first ``left`` columns and ``top`` rows."""
        return replace(self, cx=self.cx - left, cy=self.cy - top)

    def scaled(self, factor: float) -> "Intrinsics":
        """The camera of the frame resized by ``factor``: edges, half a pixel beyond the outer centres, see the same."""
        cx, cy = ((centre - 0.5) * factor + 0.5 for centre in (self.cx, self.cy))
        return Intrinsics(self.fx * factor, self.fy * factor, cx, cy)

    def rays(self, height: int, width: int) -> tuple[Field, Field]:
        """x/z of every column (1×W) and y/z of every row (H×1)."""
        x: Field = (np.arange(1.0, width + 1) - self.cx) / self.fx
        y: Field = (np.arange(1.0, height + 1) - self.cy) / self.fy
        return x[None, :], y[:, None]


KINECT = Intrinsics(fx=518.85790117450188, fy=519.46961112127485, cx=325.58244941119034, cy=253.73616633400465)
"""NYUDv2's colour camera, 480×640; the authors' 425×560 crop is seen by ``KINECT.cropped(40, 45)``."""


def hha(depth: Field, missing: Mask | None, camera: Intrinsics) -> NDArray[np.uint8]:
    """H×W×3 uint8 of an in-painted depth map, H×W float64 in metres: for a PNG of millimetres, ``png / 1000``.

    0. disparity: 31000 / depth in cm; 255 up to 1.21 m.
    1. height: cm above the lowest point, or, if that is less than 90 cm below the camera, above 130 cm below it.
    2. angle: 38° + that of gravity with the surface's normal away from the camera; floor 38, wall 128, ceiling 218.

    ``missing`` (H×W bool; rcnn-depth: raw depth == 0) keeps in-painted pixels out of all normals, not out of disparity
    and height. The angle is 218 (rcnn-depth's NaN) where a window's valid pixels span no plane: also where they lie on
    one line, of which rcnn-depth makes rounding noise. Without a mask it equals MATLAB's output bit for bit on the
    frame of NYUDv2 for which that is published (``tests/depth``).

    Raises Refusal for another shape or dtype, and for the first depth that is no distance in metres.
    """
    _check(depth, missing)
    x, y = camera.rays(*depth.shape)
    z = depth * 100  # cm
    gravity = _gravity([np.nan_to_num(normals, copy=False) for _, normals in _normals(z, missing, COARSE, camera)])
    down = gravity if gravity[1] < cosine(UNTURNED) else LEVEL
    height = -z * (down[0] * x + down[1] * y + down[2])
    lowest = height.min()
    image = np.empty((*depth.shape, 3), np.uint8)
    image[..., 0] = _uint8(31000 / z)  # rcnn-depth's max(z, 100) shows nowhere: 31000 / 121 saturates
    image[..., 1] = _uint8(height - (lowest if lowest <= -90 else -130))
    halves = np.array([cosine(degrees + 0.5) for degrees in range(179, -1, -1)])  # where the angle's rounding steps
    for rows, normals in _normals(z, missing, FINE, camera):
        along = _along(gravity, normals)
        image[rows, :, 2] = 218 - np.searchsorted(halves, np.where(np.isnan(along), -1, along))
    return image


def cosine(degrees: float) -> float:
    """Rounded correctly: Taylor's series in integers of 10⁻⁴⁰, for every libm has its own last digit."""
    one = 10**40
    angle = int(PI * Fraction(degrees) / 180)
    total = term = one
    for n in range(1, 60, 2):
        term = -term * angle * angle // (one * one * n * (n + 1))
        total += term
    return total / one


def _along(direction: Field, normals: Field) -> Field:
    """The scalar product of one direction with 3×… normals."""
    along: Field = direction[0] * normals[0] + direction[1] * normals[1] + direction[2] * normals[2]
    return along


def _sum(values: Field) -> Field:
    """Over the last axis, the second half onto the first and again."""
    while (length := values.shape[-1]) > 1:
        half = (length + 1) // 2
        folded = values[..., :half].copy()
        folded[..., : length - half] += values[..., half:]
        values = folded
    return values[..., 0]


def _check(depth: Field, missing: Mask | None) -> None:
    if depth.ndim != 2 or depth.size == 0 or depth.dtype != np.float64:
        raise Refusal(
            f"a depth map is {depth.dtype} {depth.shape}, expected H×W float64 in metres: divide millimetres by 1000"
        )
    if missing is not None and (missing.shape != depth.shape or missing.dtype != np.bool_):
        raise Refusal(
            f"a missing mask is {missing.dtype} {missing.shape}, expected bool {depth.shape}: give raw depth == 0"
        )
    wrong = ~((depth >= NEAREST) & (depth <= FARTHEST))
    if wrong.any():
        row, column = (int(index) for index in np.unravel_index(wrong.argmax(), wrong.shape))
        value = depth[row, column]
        remedy = "give metres" if FARTHEST < value < math.inf else "in-paint the depth map"
        raise Refusal(f"a depth of {value:g} m at row {row}, column {column}: {remedy}")


def _uint8(channel: Field) -> NDArray[np.uint8]:
    """MATLAB's ``uint8()``: halves away from zero, saturating."""
    return (np.clip(channel, 0, 255) + 0.5).astype(np.uint8)


def _normals(z: Field, missing: Mask | None, radius: int, camera: Intrinsics) -> Iterator[tuple[slice, Field]]:
    """Unit normals away from the camera, band by band: its rows, and 3×rows×W; NaN where no plane is determined."""
    height, width = z.shape
    x, y = camera.rays(height, width)
    down, across = (_moments(np.ones((1, size)), radius, 2, slice(None)) for size in (height, width))
    for top in range(0, height, BAND):
        rows, padded = slice(top, min(top + BAND, height)), slice(max(top - radius, 0), top + BAND + radius)
        inside = slice(rows.start - padded.start, rows.stop - padded.start)
        weights = 1 / z[padded]
        if missing is None:
            pixels: Moments = {(i, j): down[j, 0].T[rows] * across[i, 0] for i, j in across}
        else:
            valid = ~missing[padded]
            weights *= valid
            pixels = _moments(valid.astype(np.float64), radius, 2, inside)
        a, b, c, determined = _plane(pixels, _moments(weights, radius, 1, inside))
        normals = np.stack([a * camera.fx, b * camera.fy, c])
        normals[2] -= normals[0] * x + normals[1] * y[rows]
        length = np.sqrt(normals[0] * normals[0] + normals[1] * normals[1] + normals[2] * normals[2])
        length[~determined] = np.nan
        normals /= np.copysign(length, c)  # c > 0: the plane is in front of the camera, so normal · point > 0
        yield rows, normals


def _moments(weights: Field, radius: int, order: int, rows: slice) -> Moments:
    """Σ duⁱ dvʲ weight over the window of each pixel in ``rows``, for i + j ≤ order; outside the map weights are 0.

    Sums are direct, not differences of running sums: integers stay exact and far pixels leave no residue.
    """
    offsets = np.arange(-radius, radius + 1.0)
    moments = {}
    for j in range(order + 1):
        column = correlate1d(weights, offsets**j, axis=0, mode="constant")[rows]
        for i in range(order + 1 - j):
            moments[i, j] = correlate1d(column, offsets**i, axis=1, mode="constant")
    return moments


def _plane(pixels: Moments, sums: Moments) -> tuple[Field, Field, Field, Mask]:
    """The least-squares plane of each window: its 1/z is linear over the image, a du + b dv + c.

    rgbdutils fits the same in metric coordinates from the optical axis; pixels from the window's centre keep the matrix
    of the normal equations in integers, so that its determinant is 0 exactly where the pixels lie on a line. Returns
    a, b and c, all times the determinant, and where that is > 0.
    """
    n, u, v = pixels[0, 0], pixels[1, 0], pixels[0, 1]
    uu, uv, vv = n * pixels[2, 0] - u * u, n * pixels[1, 1] - u * v, n * pixels[0, 2] - v * v
    uw, vw = n * sums[1, 0] - u * sums[0, 0], n * sums[0, 1] - v * sums[0, 0]
    det = uu * vv - uv * uv
    a, b = vv * uw - uv * vw, uu * vw - uv * uw
    return a, b, (det * sums[0, 0] - a * u - b * v) / np.maximum(n, 1), det > 0


def _gravity(normals: Sequence[Field]) -> Field:
    """The unit direction that is most nearly along the normals of floors and across those of walls; level at first.

    ``normals`` are arrays of 3×…, 0 where there is none. A pixel is floor or wall by its normal: within the stage's
    angle of gravity's line, or of a right angle with it.
    """
    parts = [part.reshape(3, -1) for part in normals]
    gravity = LEVEL
    for degrees, rounds in STAGES:
        low, high = cosine(90 - degrees), cosine(degrees)
        for _ in range(rounds):
            scatter = np.zeros((3, 3))
            for part in parts:
                along = np.abs(_along(gravity, part))
                votes = part * np.subtract(along < low, along > high, dtype=np.float64)
                scatter[UPPER] += _sum(votes[UPPER[0]] * part[UPPER[1]])
            gravity = _least(scatter + np.triu(scatter, 1).T, gravity)
    return gravity


def _least(scatter: Field, before: Field) -> Field:
    """The unit eigenvector of the smallest eigenvalue; of several, as in sight of one wall, the nearest to ``before``.

    ``before`` itself where all are perpendicular to it: a wall over a steep slope has but left and right across both.
    """
    values, vectors = _eigen(scatter)
    nearest = np.zeros(3)
    for vector in vectors[values - values.min() <= 1e-9 * np.abs(values).max()]:
        nearest += vector * _along(before, vector)
    length = math.sqrt(_along(nearest, nearest))
    return nearest / length if length > 1e-9 else before


def _eigen(matrix: Field) -> tuple[Field, Field]:
    """The eigenvalues of a symmetric 3×3 matrix, and unit eigenvectors as rows: Jacobi's rotations."""
    matrix, vectors = matrix.copy(), np.eye(3)
    for p, q in 10 * ((0, 1), (0, 2), (1, 2)):  # six rounds reach float64's last digit
        if matrix[p, q]:
            slope = float(matrix[q, q] - matrix[p, p]) / (2 * float(matrix[p, q]))
            tangent = math.copysign(1 / (abs(slope) + math.sqrt(slope * slope + 1)), slope)
            cos = 1 / math.sqrt(tangent * tangent + 1)
            for rows in (matrix, matrix.T, vectors):
                rows[p], rows[q] = cos * (rows[p] - tangent * rows[q]), cos * (rows[q] + tangent * rows[p])
            matrix[p, q] = matrix[q, p] = 0
    return matrix.diagonal(), vectors
