"""Sets of nodule cubes with known truth, one for each question of a phantom study; a seed goes in, arrays come out.

`clean`: the solid core's share of the volume sets the class. `confounder`: the same, and vessel contact goes along with
the class to a given degree. `no_signal`: labels have nothing to do with the image. `shape_leak`: the images hold noise
alone and only the expert's mask differs by class. Each cube has its own random streams for the nodule, the
surroundings and the noise, so that two sets of one seed differ in what was asked to differ and in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.phantom.core_fraction import draw_core_fraction
from hounsfield.phantom.nodule_cube import NoduleCube, NoduleGeometry, Point, Tissue, draw_nodule_cube
from hounsfield.phantom.shapes import ellipsoid_mm, filled, grid_mm

KINDS = ("clean", "confounder", "no_signal", "shape_leak")


@dataclass(frozen=True)
class CubeConfig:
    """What all cubes of a set share.

    Args:
        core_means: mean core fraction of each class, in the order of the classes; their number sets that of classes.
        core_sd: spread of the fraction inside a class; it makes the classes overlap, so that a Bayes rate exists.
        radius_mm: range of each half axis of the nodule.
        contact: probability that a pair of vessels touches the nodule, one for each class.
        bystander: probability of a vessel that keeps clear of the nodule, whatever the class.
        wall: probability of a chest wall in sight, whatever the class.
        siblings: probability that a nodule belongs to the patient of the one before it.
    """

    core_means: tuple[float, ...] = (0.0, 0.1, 0.4)
    core_sd: float = 0.06
    radius_mm: tuple[float, float] = (3.5, 6.5)
    contact: tuple[float, ...] | None = None
    bystander: float = 0.5
    wall: float = 0.3
    siblings: float = 0.2
    size: int = 32
    spacing_mm: tuple[float, float, float] = (1.0, 0.7, 0.7)
    tissue: Tissue = field(default_factory=Tissue)

    def __post_init__(self) -> None:
        if len(self.core_means) < 2:
            raise StudyError(f"core_means needs a mean for each of two or more classes; got {self.core_means}.")
        if self.contact is not None and len(self.contact) != len(self.core_means):
            raise StudyError(
                f"contact needs a probability for each of the {len(self.core_means)} classes; got {self.contact}."
            )


@dataclass(frozen=True)
class CubeSet:
    """N cubes; images and masks are (N, z, y, x), the rest (N,).

    Args:
        images: float32 HU.
        masks: the expert's outline.
        contact: whether a pair of vessels was drawn against the nodule.
        core_fraction: the fraction that was drawn for the nodule, of its ideal ellipsoid.
        cores, vessels: truth by voxel.
    """

    images: FloatArray
    masks: BoolArray
    labels: IntArray
    patient_ids: tuple[str, ...]
    core_fraction: FloatArray
    contact: BoolArray
    cores: BoolArray
    vessels: BoolArray
    spacing_mm: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.labels)


def draw_cubes(kind: str, count: int, *, seed: int, config: CubeConfig | None = None) -> CubeSet:
    """Draws `count` cubes of one of `KINDS`; the same arguments give the same bytes.

    Raises: StudyError for an unknown kind or a count below 1.
    """
    makers = {
        "clean": clean_cubes,
        "confounder": confounder_cubes,
        "no_signal": no_signal_cubes,
        "shape_leak": shape_leak_cubes,
    }
    if kind not in makers:
        raise StudyError(f"kind is one of {', '.join(KINDS)}; got '{kind}'.")
    return makers[kind](count, seed=seed, config=config)


def clean_cubes(count: int, *, seed: int, config: CubeConfig | None = None) -> CubeSet:
    """Cubes whose class is known from the core fraction, as far as it can be; vessels tell nothing about it."""
    config = config or CubeConfig()
    labels = _labels(count, len(config.core_means), seed)
    return _assemble(labels, labels, seed, config)


def confounder_cubes(
    count: int, *, seed: int, config: CubeConfig | None = None, reverse: bool = False, strength: float = 0.9
) -> CubeSet:
    """Clean cubes in which the last class touches vessels with probability `strength`, the first with 1 - `strength`.

    Classes between them lie between. With `reverse` it is the other way round while nodules, masks and noise stay the
    same to the byte: train on the one, test on the other.
    """
    config = config or CubeConfig(core_means=(0.1, 0.25))
    ends = (strength, 1 - strength) if reverse else (1 - strength, strength)
    contact = tuple(float(p) for p in np.linspace(*ends, len(config.core_means)))
    return clean_cubes(count, seed=seed, config=replace(config, contact=contact))


def no_signal_cubes(count: int, *, seed: int, config: CubeConfig | None = None) -> CubeSet:
    """Cubes as in `clean_cubes`, with labels drawn anew: nothing in image or mask is related to them."""
    config = config or CubeConfig(core_means=(0.1, 0.25))
    hidden = _labels(count, len(config.core_means), seed)
    generator(seed, "no signal").shuffle(labels := hidden.copy())
    return _assemble(labels, hidden, seed, config)


def shape_leak_cubes(
    count: int, *, seed: int, config: CubeConfig | None = None, aspect: tuple[float, ...] = (1.0, 2.0)
) -> CubeSet:
    """Cubes of ground glass and noise throughout, whose mask alone differs: one long axis, `aspect` by class.

    Each volume comes once in every class, the long axis is any axis of the grid, and no voxel's value depends on
    class or mask. An arm that multiplies image and expert mask succeeds by the outline it draws.
    """
    config = config or CubeConfig()
    tissue = config.tissue
    labels = _labels(count, len(aspect), seed)
    grid = grid_mm((config.size,) * 3, config.spacing_mm, zero_at=(config.size // 2,) * 3)
    cubes = []
    for index, label in enumerate(labels):
        rng = generator(seed, "nodule", int((labels[:index] == label).sum()))  # the n-th of each class has one volume
        radius = rng.uniform(*config.radius_mm)
        radii = np.full(3, radius * aspect[label] ** (-1 / 3))
        radii[rng.integers(3)] *= aspect[label]
        mask = filled(ellipsoid_mm(grid, (0.0, 0.0, 0.0), radii), 1.0) >= 0.5
        noise = generator(seed, "noise", index).standard_normal(mask.shape, dtype=np.float32)
        image = np.float32(tissue.ground_glass) + noise * np.float32(tissue.noise_sd)
        nothing = np.zeros(mask.shape, dtype=bool)
        cubes.append(NoduleCube(image, mask, nothing, nothing, NoduleGeometry(_point(radii))))
    return _stack(cubes, labels, seed, config)


def _assemble(labels: IntArray, hidden: IntArray, seed: int, config: CubeConfig) -> CubeSet:
    contact = config.contact or (0.5,) * len(config.core_means)
    cubes = []
    for index, truth in enumerate(hidden):
        geometry = _nodule(generator(seed, "nodule", index), config.core_means[truth], config)
        # The label sets the contact, not the hidden class: they differ only where labels mean nothing.
        geometry = _surround(generator(seed, "surroundings", index), geometry, contact[labels[index]], config)
        noise = generator(seed, "noise", index)
        cubes.append(
            draw_nodule_cube(
                geometry, noise=noise, size=config.size, spacing_mm=config.spacing_mm, tissue=config.tissue
            )
        )
    return _stack(cubes, labels, seed, config)


def _nodule(rng: np.random.Generator, core_mean: float, config: CubeConfig) -> NoduleGeometry:
    radii = rng.uniform(*config.radius_mm, size=3)
    shift = _direction(rng) * rng.uniform(0, 0.6)
    fraction = draw_core_fraction(rng, core_mean, config.core_sd)
    return NoduleGeometry(_point(radii), core_fraction=fraction, core_shift=_point(shift))


def _surround(rng: np.random.Generator, nodule: NoduleGeometry, contact: float, config: CubeConfig) -> NoduleGeometry:
    """Adds vessels and wall; draws the same number of random numbers whatever comes of them."""
    radii, reach = np.asarray(nodule.radii_mm), max(nodule.radii_mm)
    touch, stand, walled = rng.random(3)
    vessels: list[tuple[Point, Point]] = []
    for _ in range(2):
        normal, axis = _direction(rng), _direction(rng)
        axis -= (axis @ (normal / radii)) / ((normal / radii) @ (normal / radii)) * (normal / radii)
        if touch < contact:  # along the tangent plane at a point of the surface
            vessels.append((_point(radii * normal), _point(axis)))
    away, axis = _direction(rng), _direction(rng)
    axis -= (axis @ away) * away
    if stand < config.bystander:
        distance = reach + nodule.vessel_radius_mm + rng.uniform(2.0, 4.0)
        vessels.append((_point(away * distance), _point(axis)))
    direction = _direction(rng) * np.array([0.2, 1.0, 1.0])  # the wall stands upright along z
    wall = (_point(direction), float(reach + rng.uniform(0.5, 4.0))) if walled < config.wall else None
    return replace(nodule, vessels=tuple(vessels), wall=wall)


def _stack(cubes: Sequence[NoduleCube], labels: IntArray, seed: int, config: CubeConfig) -> CubeSet:
    touching = [_touches(cube) for cube in cubes]
    return CubeSet(
        images=np.stack([cube.image for cube in cubes]),
        masks=np.stack([cube.mask for cube in cubes]),
        labels=labels,
        patient_ids=_patients(len(cubes), config.siblings, seed),
        core_fraction=np.array([cube.geometry.core_fraction for cube in cubes]),
        contact=np.array(touching, dtype=bool),
        cores=np.stack([cube.core for cube in cubes]),
        vessels=np.stack([cube.vessel for cube in cubes]),
        spacing_mm=config.spacing_mm,
    )


def _touches(cube: NoduleCube) -> bool:
    radii = np.asarray(cube.geometry.radii_mm)
    return any(np.linalg.norm(np.asarray(point) / radii) < 1.001 for point, _ in cube.geometry.vessels)


def _labels(count: int, classes: int, seed: int) -> IntArray:
    if count < 1:
        raise StudyError(f"count is the number of cubes, 1 or more; got {count}.")
    return generator(seed, "labels").permutation(np.arange(count, dtype=np.int64) % classes)


def _patients(count: int, siblings: float, seed: int) -> tuple[str, ...]:
    new = generator(seed, "patients").random(count) >= siblings
    new[0] = True
    return tuple(f"phantom-{number:05d}" for number in np.cumsum(new))


def _direction(rng: np.random.Generator) -> FloatArray:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))


def _point(values: FloatArray) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
