"""Geometry of series: phantoms whose slices lie where the test put them, in any order; each wrong thing named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.catalog.geometry.stacks_of import AXIAL, CORONAL, OBLIQUE, SAGITTAL, both, stack

from hounsfield.catalog.geometry.planes import planes_of
from hounsfield.catalog.geometry.series import SeriesGeometry, series_geometry
from hounsfield.volume.dicom_planes import Plane, arrange


def geometry_of(frame: pd.DataFrame, spacing: object = None) -> SeriesGeometry:
    return series_geometry(planes_of(frame), {"SpacingBetweenSlices": spacing})


def uids(frame: pd.DataFrame, geometry: SeriesGeometry, volume: int = 0) -> list[str]:
    return list(planes_of(frame).other["sop_uid"][geometry.stacks[volume].members])


@pytest.mark.parametrize(
    ("orientation", "along", "affine"),
    [  # steps to the next column (0.25 mm), row (0.5 mm) and slice (3 mm), and the first voxel, written down by hand
        (AXIAL, (0, 0, 1), [[0.25, 0, 0, -10], [0, 0.5, 0, -20], [0, 0, 3, 30]]),
        (CORONAL, (0, 1, 0), [[0.25, 0, 0, -10], [0, 0, 3, -20], [0, -0.5, 0, 30]]),
        (SAGITTAL, (-1, 0, 0), [[0, 0, -3, -10], [0.25, 0, 0, -20], [0, -0.5, 0, 30]]),
        (OBLIQUE, (0, -0.6, 0.8), [[0.25, 0, 0, -10], [0, 0.4, -1.8, -20], [0, 0.3, 2.4, 30]]),
    ],
)
def test_each_view_has_its_affine(orientation: tuple[float, ...], along: tuple[float, ...], affine: list) -> None:
    frame = stack([0, 3, 6, 9], orientation=orientation, along=along)
    found = geometry_of(frame)
    assert np.reshape(found.stacks[0].affine, (4, 4)) == pytest.approx(np.array([*affine, [0, 0, 0, 1]]))
    assert uids(frame, found) == ["1.1", "1.2", "1.3", "1.4"]
    assert found.spacing_mm == pytest.approx(3)
    assert found.length_mm == pytest.approx(12)
    assert (found.row_mm, found.column_mm, found.rows, found.columns) == (0.5, 0.25, 4, 6)
    assert found.orientation == orientation
    assert (found.regular, found.repeated, found.temporal, found.irregular) == (True, False, "", "")
    assert (found.planes, found.volumes, found.slices) == (4, 1, 4)


def test_slices_taken_against_the_normal_are_put_in_its_order() -> None:
    frame = stack([9, 6, 3, 0])
    found = geometry_of(frame)
    assert uids(frame, found) == ["1.4", "1.3", "1.2", "1.1"]
    assert np.reshape(found.stacks[0].affine, (4, 4))[:3, 3].tolist() == [-10, -20, 30]


def test_spacing_is_along_the_normal_and_a_tilted_gantry_makes_no_grid() -> None:
    found = geometry_of(stack([0, 5, 10], orientation=OBLIQUE))  # the table moves along z: 5 mm x 0.8 = 4 mm
    assert found.spacing_mm == pytest.approx(4)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arccos(0.8)))
    assert found.regular is True  # by the spec's rule, which looks at gaps alone
    assert found.stacks[0].regular is False
    assert found.stacks[0].affine is None
    assert "36.9 degrees (gantry tilt)" in found.irregular


@pytest.mark.parametrize(
    ("offsets", "regular"),
    [  # 5 % of 5 mm is 0.25 mm, of 1 mm it is less than 0.1 mm
        ([0, 5, 10, 15.249], True),
        ([0, 5, 10, 15.251], False),
        ([0, 1, 2, 3.099], True),
        ([0, 1, 2, 3.101], False),
    ],
)
def test_a_gap_differs_beyond_5_percent_and_a_tenth_of_a_millimetre(offsets: list[float], regular: bool) -> None:
    assert geometry_of(stack(offsets)).regular is regular


def test_a_missing_slice_is_counted() -> None:
    found = geometry_of(stack([0, 5, 10, 20, 25]))
    assert (found.regular, found.spacing_mm, found.length_mm, found.slices) == (False, 5, 30, 5)
    assert (found.stacks[0].gaps, found.stacks[0].affine) == (1, None)
    assert found.irregular == "slices lie 5.00 mm apart but at 1 of 4 gaps (10.00 mm), probably 1 missing"


def test_small_errors_that_add_up_are_no_even_grid() -> None:
    steps = [5.0] * 10 + [5.2] * 10  # each within 5 %, but after ten of them the slices are 1 mm off
    found = geometry_of(stack([0, *np.cumsum(steps).tolist()]))
    assert found.regular is True
    assert found.stacks[0].affine is None
    # From an even grid of 5.1 mm the middle slice, at 50 mm, lies 1 mm away.
    assert found.irregular == "slices lie up to 1.00 mm beside an even grid"


def test_one_position_twice_stays_one_volume_that_names_it() -> None:
    frame = both(stack([0, 5, 10]), stack([5], first=9))
    found = geometry_of(frame)
    assert (found.volumes, found.slices, found.spacing_mm, found.repeated, found.regular) == (1, 3, 5, True, False)
    assert (found.stacks[0].repeated, found.stacks[0].gaps, found.temporal) == (1, 0, "")
    assert uids(frame, found) == ["1.1", "1.2", "1.9", "1.3"]
    assert found.irregular == "4 images share 3 positions"


def test_the_same_object_twice_is_one() -> None:
    found = geometry_of(both(stack([0, 5, 10]), stack([0, 5, 10])))
    assert (found.planes, found.volumes, found.regular) == (3, 1, True)


@pytest.mark.parametrize(
    ("column", "values", "temporal", "signs"),
    [
        ("temporal", (1, 2), "temporal position", ("temporal position 1", "temporal position 2")),
        ("trigger_time", (0.0, 41.5), "trigger time", ("trigger time 0", "trigger time 41.5")),
        ("acquisition_time", ("101010", "101110"), "acquisition time", ("101010", "101110")),
        ("content_time", ("101010", "101110"), "content time", ("101010", "101110")),
        ("echo", (1, 2), "", ("echo 1", "echo 2")),
        ("b_value", (None, 1000.0), "", ("no b-value", "b-value 1000")),
        ("stack", ("A", "B"), "", ("stack A", "stack B")),
        ("image_type", ("M", "P"), "", ("image type M", "image type P")),
        ("acquisition", (1, 2), "", ("acquisition 1", "acquisition 2")),
        ("acquisition", (None, None), "", ("image 1 of each position", "image 2 of each position")),
    ],
)
def test_what_parts_repeated_positions(column: str, values: tuple, temporal: str, signs: tuple[str, str]) -> None:
    frame = both(*(stack([0, 5, 10], first=1 + 10 * k, **{column: values[k]}) for k in (0, 1)))
    found = geometry_of(frame)
    assert (found.volumes, found.slices, found.repeated, found.regular) == (2, 3, True, False)
    assert found.temporal == temporal
    assert [uids(frame, found, k) for k in (0, 1)] == [["1.1", "1.2", "1.3"], ["1.11", "1.12", "1.13"]]
    assert all(volume.regular for volume in found.stacks)
    assert all(sign in volume.temporal for sign, volume in zip(signs, found.stacks, strict=True))


def test_times_of_single_slices_are_ranked_at_each_position() -> None:
    """Slice by slice: three phases of the first position, then three of the next; no two times are equal."""
    parts = [
        stack([5 * k], first=1 + 3 * k + phase, acquisition_time=f"1010{10 + 3 * k + phase}")
        for k in range(4)
        for phase in range(3)
    ]
    frame = both(*parts)
    found = geometry_of(frame)
    assert (found.volumes, found.temporal) == (3, "acquisition time")
    assert uids(frame, found, 1) == ["1.2", "1.5", "1.8", "1.11"]
    assert found.stacks[1].temporal == "acquisition time no. 2"


def test_a_series_without_repeats_is_not_parted_by_its_times() -> None:
    times = {"acquisition_time": ["1", "2", "3"], "content_time": ["4", "5", "6"], "acquisition": [1, 2, 3]}
    found = geometry_of(stack([0, 5, 10], **times))
    assert (found.volumes, found.temporal, found.stacks[0].temporal) == (1, "", "")


def test_echoes_of_two_time_points_are_four_volumes() -> None:
    parts = [
        stack([0, 5], first=1 + 2 * (2 * time + echo), echo=echo, temporal=time, content_time=f"{2 * time + echo}")
        for time in (0, 1)
        for echo in (0, 1)
    ]
    found = geometry_of(both(*parts))
    assert [volume.temporal for volume in found.stacks] == [
        f"echo {echo}, temporal position {time}" for echo in (0, 1) for time in (0, 1)
    ]


def test_directions_of_diffusion_are_no_time_series() -> None:
    values = [0.0, 1000.0, 1000.0]
    parts = [stack([0, 2], first=1 + 2 * k, b_value=b, acquisition_time=f"10{k}") for k, b in enumerate(values)]
    found = geometry_of(both(*parts))
    assert (found.volumes, found.temporal, found.repeated) == (3, "", True)


def test_an_incomplete_last_phase_is_a_volume_of_its_own() -> None:
    frame = both(stack([0, 5, 10], temporal=1), stack([0, 5], temporal=2, first=11))
    assert [volume.slices for volume in geometry_of(frame).stacks] == [3, 2]


def test_stations_beside_each_other_are_parted() -> None:
    frame = both(stack([0, 5, 10]), stack([0, 5, 10], origin=(-10, 380, 30), first=11))
    found = geometry_of(frame)
    assert [volume.slices for volume in found.stacks] == [3, 3]
    assert found.stacks[1].temporal == "block 2"


@pytest.mark.parametrize("count", [1, 4])
def test_one_position_is_no_volume(count: int) -> None:
    found = geometry_of(stack([0] * count))
    assert (found.volumes, found.slices, found.spacing_mm, found.length_mm) == (0, 1, None, None)
    assert (found.regular, found.repeated) == (count == 1, count > 1)


@pytest.mark.parametrize("column", ["position", "orientation"])
def test_a_missing_attribute_is_irregular(column: str) -> None:
    frame = stack([0, 5, 10])
    frame.at[2, column] = None
    found = geometry_of(frame)
    assert (found.regular, found.volumes) == (False, 1)
    assert found.irregular == "1 of 3 images have no valid position and orientation"
    frame[column] = None
    found = geometry_of(frame)
    assert (found.regular, found.volumes, found.planes, found.slices, found.orientation) == (False, 0, 3, 3, None)


@pytest.mark.parametrize("orientation", [(0.0,) * 6, (1, 0, 0, 0.7, 0.7, 0), (1.0, 0, 0, 0, float("nan"), 0)])
def test_an_orientation_that_is_none_counts_as_missing(orientation: tuple[float, ...]) -> None:
    assert geometry_of(stack([0, 5], orientation=orientation)).irregular.startswith("2 of 2 images have no valid")


def test_without_pixel_spacing_there_is_no_affine() -> None:
    found = geometry_of(stack([0, 5], pixel_mm=None))
    assert (found.regular, found.row_mm, found.stacks[0].affine) == (True, None, None)
    assert found.irregular == "no valid pixel spacing"


def test_a_localiser_of_three_views_has_three_volumes() -> None:
    frame = both(
        stack([0, 5, 10, 15]),
        stack([0, 5], orientation=CORONAL, along=(0, 1, 0), first=11),
        stack([0, 5], orientation=SAGITTAL, along=(-1, 0, 0), first=21),
    )
    found = geometry_of(frame)
    assert ([volume.slices for volume in found.stacks], found.regular, found.orientation) == ([4, 2, 2], False, AXIAL)
    assert found.irregular == "images have 3 orientations"


def test_sizes_and_pixel_spacings_are_not_mixed() -> None:
    sizes = [4, 4, 4, 8, 8]
    for found in (
        geometry_of(stack([0, 5, 10, 15, 20], rows=sizes)),
        geometry_of(stack([0, 5, 10, 15, 20], pixel_mm=[[0.5, 0.1 * size] for size in sizes])),
    ):
        assert [volume.slices for volume in found.stacks] == [3, 2]
        assert (found.slices, found.spacing_mm, found.rows) == (5, 5, 4)
        assert found.irregular == "images of one orientation form 2 sizes or pixel spacings"


def test_frames_of_one_object_are_planes() -> None:
    frame = stack([10, 5, 0], sop_uid="1.7", frame=[1, 2, 3])
    found = geometry_of(frame)
    assert planes_of(frame).other["frame"][found.stacks[0].members].tolist() == [3, 2, 1]
    assert found.regular


@pytest.mark.parametrize("spacing", [3.08, "3.08", ["3.08"]])
def test_a_mosaic_is_a_volume_of_tiles(spacing: object) -> None:
    frame = stack([0, 0], tiles=50, rows=640, columns=640, acquisition=[1, 2])
    found = geometry_of(frame, spacing)
    assert (found.planes, found.volumes, found.slices, found.rows, found.columns) == (2, 2, 50, 80, 80)
    assert (found.spacing_mm, found.length_mm) == (3.08, pytest.approx(154))
    assert (found.regular, found.repeated, found.temporal) == (False, True, "")
    assert [volume.members.tolist() for volume in found.stacks] == [[0], [1]]
    assert geometry_of(frame[:1], spacing).regular is True
    assert "distance of slices in the mosaics is not in the header" in geometry_of(frame[:1]).irregular


def _described(frame: pd.DataFrame) -> list[object]:
    found = geometry_of(frame)
    return [
        [getattr(found, name) for name in ("slices", "spacing_mm", "regular", "temporal", "irregular", "volumes")],
        [(uids(frame, found, k), volume.affine, volume.temporal) for k, volume in enumerate(found.stacks)],
    ]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(19)), st.sampled_from(["temporal", "acquisition_time", "echo", "instance_number"]))
def test_the_order_of_rows_changes_nothing(order: list[int], column: str) -> None:
    phases = [stack([0, 4, 8, 12.5], first=1 + 4 * k, **{column: 1 + k}) for k in range(3)]
    frame = both(
        *phases, stack([0, 3], orientation=CORONAL, along=(0, 1, 0), first=20), stack([1, 1], rows=9, first=30)
    )
    frame = both(frame, stack([50], first=40), stack([0, 0], position=None, first=50))
    assert len(frame) == 19
    assert _described(frame.iloc[order].reset_index(drop=True)) == _described(frame)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 12), st.floats(0.3, 9), st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-300, 300)] * 3)
)
def test_the_affine_gives_back_every_position(
    count: int, spacing: float, turn: tuple[float, ...], origin: tuple[float, ...]
) -> None:
    axes = Rotation.from_rotvec(turn).as_matrix()
    frame = stack(spacing * np.arange(count), orientation=axes[:, :2].T.ravel(), along=axes[:, 2], origin=origin)
    frame = frame.sample(frac=1, random_state=count).reset_index(drop=True)
    found = geometry_of(frame)
    corners = np.array([[0, 0, k, 1] for k in range(count)])
    affine = np.reshape(found.stacks[0].affine, (4, 4))
    positions = planes_of(frame).position[found.stacks[0].members]
    assert (corners @ affine.T)[:, :3] == pytest.approx(positions, abs=1e-6)
    planes = [
        Plane(row.sop_uid, row.rows, row.columns, tuple(row.position), tuple(row.orientation), tuple(row.pixel_mm))
        for row in frame.itertuples()
    ]
    read, problems = arrange(planes)  # what reads volumes has its own code for one regular stack
    assert not problems
    assert [frame.sop_uid[k] for k in read.order] == uids(frame, found)
    columns = read.direction * np.array(read.spacing_mm)[[2, 1, 0]]
    assert columns == pytest.approx(affine[:3, :3], abs=1e-6)
    assert read.origin_mm == pytest.approx(tuple(affine[:3, 3]))
