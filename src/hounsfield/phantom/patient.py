"""A small simulated chest CT: a seed and a number go in, CT numbers, lesion masks and the truth about them come out.

The thorax is smaller than a person's (about 16 cm across), so that an archive of many stays small, while nodules,
vessels and voxels have their real size. Subtypes run from atypical adenomatous hyperplasia (AAH) to invasive
adenocarcinoma (IAC); core fraction, size and density rise with invasiveness and overlap between neighbours, so that
neither size nor density alone separates them. The numbers are chosen for that overlap and describe no population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.core.seeds import generator
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.phantom.core_fraction import draw_core_fraction
from hounsfield.phantom.nodule_cube import NoduleGeometry, Point, Tissue, draw_nodule
from hounsfield.phantom.shapes import grid_mm
from hounsfield.phantom.thorax import Thorax, draw_thorax, lungs_of


@dataclass(frozen=True)
class Subtype:
    """How the nodules of one subtype are distributed: mean and SD."""

    share: float
    core_fraction: tuple[float, float]
    diameter_mm: tuple[float, float]
    ground_glass_hu: tuple[float, float]
    malignant: int


SUBTYPES = {
    "AAH": Subtype(0.12, (0.00, 0.04), (8.0, 1.8), (-670, 40), 0),
    "AIS": Subtype(0.38, (0.02, 0.08), (10.0, 2.4), (-640, 40), 0),
    "MIA": Subtype(0.28, (0.14, 0.12), (12.0, 2.6), (-610, 40), 1),
    "IAC": Subtype(0.22, (0.40, 0.20), (14.5, 3.4), (-580, 50), 1),
}


@dataclass(frozen=True)
class Site:
    """One hospital's protocol: slice distance and pixel size in mm, noise in HU."""

    name: str
    share: float
    slice_mm: float
    pixel_mm: float
    noise_hu: float


SITES = (
    Site("north", 0.4, 1.25, 0.9, 40.0),
    Site("east", 0.35, 1.0, 1.0, 50.0),
    Site("south", 0.25, 2.0, 1.1, 30.0),
)


@dataclass(frozen=True)
class PlannedLesion:
    """One nodule before it is drawn: its centre in mm from the volume's centre, (z, y, x), and what it is."""

    subtype: str
    centre_mm: Point
    geometry: NoduleGeometry
    ground_glass_hu: float


@dataclass(frozen=True)
class PatientPlan:
    """All that was drawn by chance about a patient, apart from vessels and noise."""

    number: int
    seed: int
    site: Site
    sex: str
    age: int
    shape: tuple[int, int, int]
    thorax: Thorax
    lesions: tuple[PlannedLesion, ...]

    @property
    def patient_id(self) -> str:
        """Identifier without meaning beyond its number."""
        return f"phantom-{self.number:03d}"

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """(z, y, x)."""
        return self.site.slice_mm, self.site.pixel_mm, self.site.pixel_mm


@dataclass(frozen=True)
class Patient:
    """A drawn patient: int16 HU (z, y, x), and for each planned lesion its mask and its core's mask."""

    plan: PatientPlan
    image: IntArray
    masks: tuple[BoolArray, ...]
    cores: tuple[BoolArray, ...]


def plan_patient(number: int, *, seed: int, matrix: int = 160, length_mm: float = 64.0) -> PatientPlan:
    """Draws by chance who patient `number` is, where scanned, and what grows where.

    Args:
        matrix: rows and columns.
        length_mm: extent along z.
    """
    rng = generator(seed, "patient", number)
    site = SITES[rng.choice(len(SITES), p=[site.share for site in SITES])]
    shape = (round(length_mm / site.slice_mm), matrix, matrix)
    thorax = Thorax(width_mm=matrix * site.pixel_mm * rng.uniform(0.88, 0.95), length_mm=length_mm)
    count = 2 if rng.random() < 0.3 else 1
    lesions: list[PlannedLesion] = []
    while len(lesions) < count:
        lesion = _plan_lesion(rng, thorax)
        if all(_apart(lesion, other) for other in lesions):
            lesions.append(lesion)
    malignant = max(SUBTYPES[lesion.subtype].malignant for lesion in lesions)
    age = int(np.clip(rng.normal(58 + 4 * malignant, 9), 30, 88))
    sex = "F" if rng.random() < 0.55 else "M"
    return PatientPlan(number, seed, site, sex, age, shape, thorax, tuple(lesions))


def draw_patient(plan: PatientPlan) -> Patient:
    """Draws the chest of a plan; the same plan gives the same bytes."""
    centre = tuple((n - 1) / 2 for n in plan.shape)
    grid = grid_mm(plan.shape, plan.spacing_mm, zero_at=centre)
    image = draw_thorax(grid, plan.thorax, generator(plan.seed, "thorax", plan.number))
    masks, cores = [], []
    for lesion in plan.lesions:
        mask, core = _draw_lesion(image, plan, lesion)
        masks.append(mask)
        cores.append(core)
    image += _noise(plan)
    return Patient(plan, np.clip(np.rint(image), -1024, 3071).astype(np.int16), tuple(masks), tuple(cores))


def _plan_lesion(rng: np.random.Generator, thorax: Thorax) -> PlannedLesion:
    names = list(SUBTYPES)
    name = names[rng.choice(len(names), p=[SUBTYPES[n].share for n in names])]
    law = SUBTYPES[name]
    radius = float(np.clip(rng.normal(*law.diameter_mm), 5.5, 22.0)) / 2
    stretch = np.exp(rng.normal(0, 0.1, size=3))
    radii = radius * stretch / np.prod(stretch) ** (1 / 3)
    shift = rng.uniform(-0.3, 0.3, size=3)
    geometry = NoduleGeometry(
        radii_mm=_point(radii), core_fraction=draw_core_fraction(rng, *law.core_fraction), core_shift=_point(shift)
    )
    centre = _place(rng, thorax, float(radii.max()))
    return PlannedLesion(name, centre, geometry, float(rng.normal(*law.ground_glass_hu)))


def _place(rng: np.random.Generator, thorax: Thorax, reach: float) -> Point:
    """A centre in one lung; one nodule in five lies against the chest wall."""
    lung = lungs_of(thorax)[rng.integers(2)]
    direction = rng.standard_normal(3) * np.array([0.6, 1.0, 1.0])
    direction /= np.linalg.norm(direction)
    depth = 1.0 if rng.random() < 0.2 else rng.uniform(0.1, 1.0) ** (1 / 3)
    room = np.maximum(np.asarray(lung.radii_mm) - reach, 0.0)
    centre = np.asarray(lung.centre_mm) + direction * room * depth
    highest = thorax.length_mm / 2 - reach - 2.0  # the lungs go on above and below the volume, a lesion is seen whole
    centre[0] = np.clip(centre[0], -highest, highest)
    return _point(centre)


def _apart(one: PlannedLesion, other: PlannedLesion) -> bool:
    gap = float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)))
    return gap > max(one.geometry.radii_mm) + max(other.geometry.radii_mm) + 4.0


def _draw_lesion(image: FloatArray, plan: PatientPlan, lesion: PlannedLesion) -> tuple[BoolArray, BoolArray]:
    spacing = np.asarray(plan.spacing_mm)
    index = np.asarray(lesion.centre_mm) / spacing + (np.asarray(plan.shape) - 1) / 2
    reach = np.asarray(lesion.geometry.radii_mm) / spacing + 3
    low = np.maximum(np.floor(index - reach).astype(int), 0)
    high = np.minimum(np.ceil(index + reach).astype(int) + 1, plan.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = grid_mm(tuple(high - low), plan.spacing_mm, zero_at=tuple(index - low))
    tissue = Tissue(ground_glass=lesion.ground_glass_hu)
    whole = (np.zeros(plan.shape, dtype=bool), np.zeros(plan.shape, dtype=bool))
    parts = draw_nodule(image[box], grid, float(spacing.mean()), lesion.geometry, tissue)
    for target, part in zip(whole, parts, strict=True):
        target[box] = part
    return whole


def _noise(plan: PatientPlan) -> FloatArray:
    """Noise with the grain of a medium kernel: white noise averaged with its in-plane neighbours."""
    white = generator(plan.seed, "noise", plan.number).standard_normal(plan.shape, dtype=np.float32)
    weights = np.array([0.25, 1.0, 0.25], dtype=np.float32)
    weights /= np.sqrt((weights**2).sum())  # keeps the variance, apart from the outermost pixels
    rows = weights[1] * white
    rows[:, 1:] += weights[0] * white[:, :-1]
    rows[:, :-1] += weights[2] * white[:, 1:]
    grain = weights[1] * rows
    grain[:, :, 1:] += weights[0] * rows[:, :, :-1]
    grain[:, :, :-1] += weights[2] * rows[:, :, 1:]
    return np.asarray(grain * np.float32(plan.site.noise_hu))


def _point(values: FloatArray) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
