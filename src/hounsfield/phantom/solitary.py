"""Chest CT with one solitary nodule and a signal in one known place: a kind, a number and a class in, CT numbers out.

`global_only`: balls in the lung far from the nodule. `local_only`: texture inside the nodule. `leak`: a metal plate
under the table and balls in the chest wall on the far side. `fingerprint`: every patient's nodule has a random texture
of its own, and the class is random. A patient of one number and seed is the same in both classes but for that signal:
all else is drawn without looking at the class.
Source: the phantoms that tell a path on the lesion from one on the whole lungs; sizes, distances and CT numbers of
nodule and satellites are given there, the texture and the plate are choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter

from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.phantom.nodule_cube import Point
from hounsfield.phantom.shapes import Grid, blend, ellipsoid_mm, filled, grid_mm
from hounsfield.phantom.thorax import Lung, Thorax, draw_thorax, lungs_of

Kind = Literal["global_only", "local_only", "leak", "fingerprint"]
KINDS: tuple[Kind, ...] = ("global_only", "local_only", "leak", "fingerprint")

SHAPE = (88, 112, 112)
SPACING_MM = (3.0, 3.0, 3.0)
NODULE_MM = (20.0, 30.0)  # diameter
NODULE_HU = 40.0
SATELLITES = (3, 8)
SATELLITE_MM = (16.0, 18.0)  # diameter: three voxels of a grid of 5 mm
# Between the nodule's centre and that of whatever tells the class outside of it, and to its nearest point: the corner
# of a cube of 64 mm, looked up at 1 / 0.9 of its distance and shifted by 4 mm along each axis, is 68.5 mm away.
FAR_MM, CLEAR_MM = 75.0, 69.0
TEXTURE_HU, TEXTURE_MM = 300.0, 8.0  # SD and width of the grain of a textured nodule: coarse enough for 3 mm voxels

_ROOM_MM = 6.0  # of lung between a ball and the lung's surface, so that it is part of no wall
_GAP_MM = 3.0  # between two balls
_WALL_HU, _PLATE_HU, _TABLE_HU = 400.0, 1500.0, -300.0
_WALL_BALLS = (3, 6)
_WALL_RADIUS_MM = 9.0
_TABLE_MM, _TABLE_HALF_MM = 12.0, 7.0  # behind the body's skin, and half its thickness
_PLATE_MM = 28.0  # behind the skin
_PLATE_HALF_MM = (100.0, 8.0, 50.0)
_TRIES = 20_000


@dataclass(frozen=True)
class Kernel:
    """A reconstruction: share of each neighbour in plane, and SD of the noise in HU."""

    name: str
    neighbour: float
    noise_hu: float


KERNELS = (Kernel("MEDIUM", 0.12, 22.0), Kernel("SOFT", 0.22, 14.0), Kernel("SHARP", 0.0, 32.0))


@dataclass(frozen=True)
class Ball:
    """(z, y, x) and radius in mm from the middle of the volume."""

    centre_mm: Point
    radius_mm: float


@dataclass(frozen=True)
class SolitaryPlan:
    """Everything drawn by chance about a patient, apart from vessels, texture and noise.

    Attributes:
        satellites: balls in the lung; positive patients of `global_only` alone.
        wall: balls in the chest wall; positive patients of `leak` alone, who have the plate as well.
        kernels: one series each.
    """

    number: int
    seed: int
    kind: Kind
    positive: bool
    sex: str
    age: int
    thorax: Thorax
    nodule: Ball
    satellites: tuple[Ball, ...]
    wall: tuple[Ball, ...]
    kernels: tuple[Kernel, ...]

    @property
    def patient_id(self) -> str:
        """Identifier without meaning beyond its number."""
        return f"solitary-{self.number:04d}"

    @property
    def side(self) -> int:
        """Side of the nodule: -1 for the patient's right, 1 for the left."""
        return 1 if self.nodule.centre_mm[2] > 0 else -1


def plan_solitary(number: int, *, seed: int, kind: Kind, positive: bool) -> SolitaryPlan:
    """Draws who patient `number` is; body, nodule, age, sex and kernels do not depend on kind or class.

    Raises: StudyError for an unknown kind.
    """
    if kind not in KINDS:
        raise StudyError(f"kind is one of {', '.join(KINDS)}; got '{kind}'.")
    rng = generator(seed, "solitary patient", number)
    thorax = Thorax(width_mm=float(rng.uniform(276, 300)), length_mm=float(rng.uniform(100, 115)) / 0.75)
    lung = lungs_of(thorax)[rng.integers(2)]
    nodule = _placed(rng, lung, float(rng.uniform(*NODULE_MM)) / 2)
    sex, age = ("F" if rng.random() < 0.45 else "M"), int(np.clip(rng.normal(56, 11), 25, 85))
    count = int(rng.integers(2, 4)) if kind == "fingerprint" else 1
    signal = generator(seed, "solitary signal", number)
    satellites = _satellites(signal, thorax, nodule) if kind == "global_only" and positive else ()
    wall = _wall_balls(signal, thorax, nodule) if kind == "leak" and positive else ()
    return SolitaryPlan(number, seed, kind, positive, sex, age, thorax, nodule, satellites, wall, KERNELS[:count])


def draw_body(plan: SolitaryPlan) -> tuple[FloatArray, BoolArray]:
    """The patient before any reconstruction: float32 HU (z, y, x) without noise, and the nodule's mask."""
    grid, edge = plan_grid(), float(np.mean(SPACING_MM))
    image = draw_thorax(grid, plan.thorax, generator(plan.seed, "solitary thorax", plan.number))
    _draw_table(image, grid, plan, edge)
    fraction = _ball(grid, plan.nodule, edge)
    mask = np.asarray(fraction >= 0.5)
    blend(image, NODULE_HU, fraction)
    if plan.kind == "fingerprint" or (plan.kind == "local_only" and plan.positive):
        image += fraction * texture_of(plan, mask)
    for ball in plan.satellites:
        blend(image, NODULE_HU, _ball(grid, ball, edge))
    for ball in plan.wall:
        blend(image, _WALL_HU, _ball(grid, ball, edge))
    return image, mask


def reconstructed(plan: SolitaryPlan, body: FloatArray, kernel: Kernel) -> IntArray:
    """One series of the patient: int16 HU (z, y, x), blurred in plane as the kernel says, with noise of its SD."""
    weights = np.array([kernel.neighbour, 1 - 2 * kernel.neighbour, kernel.neighbour], dtype=np.float32)
    noise = generator(plan.seed, "solitary noise", plan.number, kernel.name).standard_normal(SHAPE, dtype=np.float32)
    grain = kernel.noise_hu / float((weights**2).sum())  # the blur in both directions lowers the SD by that sum
    image = body + noise * np.float32(grain)
    for axis in (1, 2):
        image = convolve1d(image, weights, axis=axis, mode="nearest")
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def texture_of(plan: SolitaryPlan, mask: BoolArray) -> FloatArray:
    """The nodule's texture in HU, mean 0 and SD `TEXTURE_HU` inside `mask`.

    A fingerprint differs from patient to patient in pattern and in how coarse and strong it is; the texture of
    `local_only` in its pattern alone.
    """
    rng = generator(plan.seed, "solitary texture", plan.number)
    width, strength = TEXTURE_MM, TEXTURE_HU
    if plan.kind == "fingerprint":
        width, strength = float(rng.uniform(3.0, 9.0)), float(rng.uniform(60.0, 240.0))
    field = gaussian_filter(rng.standard_normal(SHAPE, dtype=np.float32), np.asarray(width) / SPACING_MM / 2)
    field = (field - field[mask].mean()) / field[mask].std()
    return np.asarray(field * np.float32(strength), dtype=np.float32)


def plan_grid() -> Grid:
    """Coordinates of the voxels in mm from the middle of the volume."""
    z, y, x = SHAPE
    return grid_mm(SHAPE, SPACING_MM, zero_at=((z - 1) / 2, (y - 1) / 2, (x - 1) / 2))


def plate_of(plan: SolitaryPlan) -> tuple[Point, Point]:
    """Middle and half sides (z, y, x) of the plate, under the table behind the lung that has no nodule."""
    y, x = 0.40 * plan.thorax.width_mm + _PLATE_MM, -plan.side * 0.33 * plan.thorax.width_mm
    return (0.0, y, x), _PLATE_HALF_MM


def _draw_table(image: FloatArray, grid: Grid, plan: SolitaryPlan, edge: float) -> None:
    middle = 0.40 * plan.thorax.width_mm + _TABLE_MM
    slab = np.broadcast_to(np.abs(grid[1] - np.float32(middle)) - np.float32(_TABLE_HALF_MM), image.shape)
    blend(image, _TABLE_HU, filled(slab, edge))
    if plan.kind == "leak" and plan.positive:
        pairs = zip(grid, *plate_of(plan), strict=True)
        sides = [np.abs(axis - np.float32(at)) - np.float32(half) for axis, at, half in pairs]
        blend(image, _PLATE_HU, filled(np.maximum(np.maximum(sides[0], sides[1]), sides[2]), edge))


def _ball(grid: Grid, ball: Ball, edge: float) -> FloatArray:
    return filled(ellipsoid_mm(grid, ball.centre_mm, (ball.radius_mm,) * 3), edge)


def _placed(rng: np.random.Generator, lung: Lung, radius: float) -> Ball:
    """A ball wholly inside the lung, its centre uniform where that is so."""
    room = np.asarray(lung.radii_mm) - radius - _ROOM_MM
    direction = rng.standard_normal(3)
    point = direction / np.linalg.norm(direction) * rng.random() ** (1 / 3) * room
    z, y, x = point + lung.centre_mm
    return Ball((float(z), float(y), float(x)), radius)


def _satellites(rng: np.random.Generator, thorax: Thorax, nodule: Ball) -> tuple[Ball, ...]:
    wanted = int(rng.integers(SATELLITES[0], SATELLITES[1] + 1))
    found: list[Ball] = []
    for _ in range(_TRIES):
        ball = _placed(rng, lungs_of(thorax)[rng.integers(2)], float(rng.uniform(*SATELLITE_MM)) / 2)
        if _far(ball, nodule) and all(_clear(ball, other) for other in found):
            found.append(ball)
        if len(found) == wanted:
            return tuple(found)
    raise StudyError(f"no room for {wanted} satellites in a chest {thorax.width_mm:.0f} mm wide; give another seed.")


def _wall_balls(rng: np.random.Generator, thorax: Thorax, nodule: Ball) -> tuple[Ball, ...]:
    """Balls in the front wall on the side that has no nodule, half-way to the middle, where it is thickest."""
    side = -1 if nodule.centre_mm[2] > 0 else 1
    wanted = int(rng.integers(_WALL_BALLS[0], _WALL_BALLS[1] + 1))
    found: list[Ball] = []
    for _ in range(_TRIES):
        x = side * (0.12 * thorax.width_mm + rng.uniform(-10, 10))
        ball = Ball((float(rng.uniform(-90, 90)), float(-0.335 * thorax.width_mm), float(x)), _WALL_RADIUS_MM)
        if _far(ball, nodule) and all(_clear(ball, other) for other in found):
            found.append(ball)
        if len(found) == wanted:
            return tuple(found)
    raise StudyError(f"no room for {wanted} balls in the wall of a chest {thorax.width_mm:.0f} mm wide.")


def distance_mm(one: Ball, other: Ball) -> float:
    """Between two centres."""
    return float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)))


def _far(ball: Ball, nodule: Ball) -> bool:
    return distance_mm(ball, nodule) > max(FAR_MM, CLEAR_MM + ball.radius_mm)


def _clear(one: Ball, other: Ball) -> bool:
    return distance_mm(one, other) > one.radius_mm + other.radius_mm + _GAP_MM
