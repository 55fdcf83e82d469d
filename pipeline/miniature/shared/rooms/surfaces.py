"""Where on which face each ray ended: the point, the normal, and the place on the face that textures go by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.cast_rays import Hits
from pipeline.miniature.shared.rooms.solids import CYLINDER, ELLIPSOID, SHELL, Solids
from pipeline.miniature.shared.rooms.viewpoint import Rays


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Per pixel (N = H·W): the point and its outward normal (N×3, room's frame), and its place on its face in metres.

    ``u`` and ``v`` count along and down the face from its middle, ``reach_u`` and ``reach_v`` are its half sides.
    """

    point: tuple[Field, Field, Field]
    normal: tuple[Field, Field, Field]
    u: Field
    v: Field
    reach_u: Field
    reach_v: Field


def locate(rays: Rays, hits: Hits, solids: Solids) -> Surface:
    """Where each ray ended, in the frame of the face that it met."""
    of = hits.solid.ravel()
    depth = hits.depth.ravel()
    offset = (rays.origin - solids.centre).astype(np.float32)[of]
    x, y, z = (offset[:, axis] + depth * direction.ravel() for axis, direction in enumerate((rays.x, rays.y, rays.z)))
    point = (x + solids.centre[of, 0], y + solids.centre[of, 1], z + solids.centre[of, 2])
    cos, sin = solids.cos[of], solids.sin[of]
    x, y = cos * x + sin * y, cos * y - sin * x
    a, b, c = solids.half.T[:, of]
    near_x, near_y, near_z = np.abs(x) / a, np.abs(y) / b, np.abs(z) / c
    on_x = (near_x > near_y) & (near_x > near_z)
    on_z = ~on_x & (near_z > near_y)
    on_y = ~on_x & ~on_z
    zero = np.float32(0)
    nx, ny, nz = (np.where(on, np.sign(p), zero) for on, p in ((on_x, x), (on_y, y), (on_z, z)))
    u, v = np.where(on_x, y, x), np.where(on_z, y, -z)
    reach_u, reach_v = np.where(on_x, b, a), np.where(on_z, b, c)
    shape = solids.shape[of]
    for which in (ELLIPSOID, CYLINDER):
        here = np.flatnonzero(shape == which)
        if here.size:
            _bend(which, here, (x, y, z), (a, b, c), (nx, ny, nz), (u, reach_u))
    inward = np.where(of < SHELL, np.float32(-1), np.float32(1))
    return Surface(
        point=point,
        normal=(inward * (cos * nx - sin * ny), inward * (sin * nx + cos * ny), inward * nz),
        u=u,
        v=v,
        reach_u=reach_u,
        reach_v=reach_v,
    )


def _bend(
    which: int,
    here: NDArray[np.intp],
    place: tuple[Field, Field, Field],
    half: tuple[Field, Field, Field],
    normal: tuple[Field, Field, Field],
    across: tuple[Field, Field],
) -> None:
    """Round solids: the normal of the quadric; ``u`` runs round the solid."""
    x, y, z = (p[here] for p in place)
    a, b, c = (h[here] for h in half)
    lean = [x / (a * a), y / (b * b), z / (c * c)]
    if which == CYLINDER:
        flat = np.abs(z) > 0.999 * c
        lean = [np.where(flat, 0, lean[0]), np.where(flat, 0, lean[1]), np.where(flat, np.sign(z), 0)]
    length = np.sqrt(lean[0] ** 2 + lean[1] ** 2 + lean[2] ** 2) + np.float32(1e-9)
    for axis in range(3):
        normal[axis][here] = lean[axis] / length
    across[0][here] = np.arctan2(y, x) * (a + b) / 2
    across[1][here] = np.inf
