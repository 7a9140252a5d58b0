"""Image files and masks against nibabel and SimpleITK, and every refusal."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(-1000, 1000, size=(4, 5, 6)).astype(np.int16)
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]])
AXIAL = np.diag([-0.5, -0.75, 2.0, 1.0])  # RAS: what an axial CT in DICOM order has


def save(path, affine, array=ARRAY, *, edit=None, cls=nib.Nifti1Image):
    image = cls(array, affine)
    if edit:
        edit(image.header)
    nib.save(image, path)
    return path


def assert_as_nibabel(path, volume):
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    for i, j, k in np.ndindex(data.shape[:3]):
        ras = image.affine @ [i, j, k, 1]
        at = volume.to_index([[-ras[0], -ras[1], ras[2]]])[0]
        np.testing.assert_allclose(at, np.rint(at), atol=1e-4)
        assert volume.array[tuple(np.rint(at).astype(int))] == pytest.approx(data[i, j, k])


def oblique():
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1, -1, 1]) @ TURN @ np.diag([0.5, 0.75, 2.0])
    affine[:3, 3] = (10, -20, 30)
    return affine


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("affine", [AXIAL, oblique(), np.diag([-0.5, 0.75, 2.0, 1.0]), np.diag([0.5, 0.75, -2.0, 1.0])])
def test_nifti_as_nibabel_reads_it(tmp_path, ending, affine):
    path = save(tmp_path / f"image.{ending}", affine)
    volume = read_volume(path)
    assert volume.array.dtype == np.int16
    assert np.linalg.det(volume.direction) == pytest.approx(1.0)
    assert_as_nibabel(path, volume)


def test_axes_and_spacing_are_z_y_x(tmp_path):
    volume = read_volume(save(tmp_path / "image.nii", AXIAL))
    assert volume.shape == (6, 5, 4)
    assert volume.spacing_mm == pytest.approx((2.0, 0.75, 0.5))
    np.testing.assert_array_equal(volume.array, ARRAY.T)
    np.testing.assert_allclose(volume.direction, np.eye(3))


def test_a_qform_alone(tmp_path):
    def edit(header):
        header.set_qform(oblique(), code=1)
        header["sform_code"] = 0

    path = save(tmp_path / "image.nii", None, edit=edit)
    assert nib.load(path).header["sform_code"] == 0
    assert_as_nibabel(path, read_volume(path))


def test_neither_form_is_read_as_simpleitk_does(tmp_path):
    def edit(header):
        header["sform_code"] = header["qform_code"] = 0
        header["pixdim"][1:4] = (0.5, 0.75, 2.0)

    path = save(tmp_path / "image.nii", None, edit=edit)
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    for z, y, x in np.ndindex(6, 5, 4):
        at = tuple(np.rint(volume.to_index([image.TransformIndexToPhysicalPoint((x, y, z))])[0]).astype(int))
        assert volume.array[at] == ARRAY[x, y, z]


def test_slope_big_endian_and_version_2(tmp_path):
    path = save(tmp_path / "slope.nii", oblique(), edit=lambda header: header.set_slope_inter(2.5, -10))
    assert read_volume(path).array.dtype == np.float32
    assert_as_nibabel(path, read_volume(path))
    big = tmp_path / "big.nii"
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(ARRAY, oblique(), header), big)
    assert big.read_bytes()[:4] == b"\x00\x00\x01\x5c"
    assert_as_nibabel(big, read_volume(big))
    assert read_volume(big).array.dtype.isnative
    two = save(tmp_path / "two.nii.gz", oblique(), cls=nib.Nifti2Image)
    assert_as_nibabel(two, read_volume(two))


def test_a_last_axis_of_length_one_is_still_3d(tmp_path):
    assert read_volume(save(tmp_path / "image.nii", AXIAL, ARRAY[..., None])).shape == (6, 5, 4)


def test_a_left_handed_file_can_be_refused(tmp_path):
    path = save(tmp_path / "left.nii", np.diag([-0.5, 0.75, 2.0, 1.0]))
    with pytest.raises(ImageError, match="left-handed"):
        read_volume(path, left_handed="refuse")
    read_volume(save(tmp_path / "right.nii", AXIAL), left_handed="refuse")


def poke(offset, values, kind="<f4"):
    def edit(path):
        content = bytearray(path.read_bytes())
        raw = np.asarray(values, dtype=kind).tobytes()
        content[offset : offset + len(raw)] = raw
        path.write_bytes(content)

    return edit


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (poke(76 + 12, [np.nan]), "finite numbers above 0"),  # pixdim[3]
        (poke(76 + 4, [0.0]), "finite numbers above 0"),
        (poke(76 + 8, [3.0]), "contradicts itself"),
        (poke(280, [np.nan]), "not finite"),  # srow_x[0]
        (poke(280 + 8, [0.4]), "contradicts itself|orthonormal"),  # a shear
        (poke(70, [128], "<i2"), "no plain number"),  # RGB
        (poke(0, [5], "<i4"), "not a NIfTI file"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "truncated: 120 voxels are announced, 74 are there"),
        (lambda path: path.write_bytes(b""), "not a NIfTI file"),
    ],
)
def test_damaged_nifti(tmp_path, spoil, match):
    path = save(tmp_path / "image.nii", AXIAL)
    spoil(path)
    with pytest.raises(ImageError, match=match) as caught:
        read_volume(path)
    assert "image.nii" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_damaged_gzip(tmp_path):
    path = save(tmp_path / "image.nii.gz", AXIAL, RNG.integers(0, 999, (20, 20, 20)).astype(np.int16))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="ends too early"):
        read_volume(path)
    spoiled = bytearray(content)
    spoiled[len(content) // 2] ^= 0xFF
    path.write_bytes(spoiled)
    with pytest.raises(ImageError):
        read_volume(path)


def test_gzip_of_two_members(tmp_path):
    raw = save(tmp_path / "image.nii", AXIAL).read_bytes()
    path = tmp_path / "parts.nii.gz"
    path.write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]))
    np.testing.assert_array_equal(read_volume(path).array, ARRAY.T)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6, 3)])
def test_other_dimensions_are_refused(tmp_path, shape):
    with pytest.raises(ImageError, match="expected one 3-D image"):
        read_volume(save(tmp_path / "image.nii", np.eye(4), np.zeros(shape, dtype=np.int16)))


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii", ".nii.gz"])
def test_write_and_read_back(tmp_path, ending):
    volume = Volume(ARRAY, (2.0, 0.75, 0.5), (1.0, -2.0, 3.0), TURN)
    write_volume(volume, tmp_path / f"out{ending}")
    found = read_volume(tmp_path / f"out{ending}")
    np.testing.assert_array_equal(found.array, ARRAY)
    assert found.array.dtype == np.int16
    assert found.same_grid(volume)
    assert [file.name for file in tmp_path.iterdir()] == [f"out{ending}"]


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_itk_formats_left_handed_truncated_and_4d(tmp_path, ending, capfd):
    path = tmp_path / f"image{ending}"
    image = sitk.GetImageFromArray(ARRAY)
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    sitk.WriteImage(image, str(path))
    np.testing.assert_array_equal(read_volume(path).array, ARRAY[::-1])
    with pytest.raises(ImageError, match="left-handed"):
        read_volume(path, left_handed="refuse")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ImageError, match="truncated"):
        read_volume(path)
    sitk.WriteImage(sitk.Image([3, 3, 3, 2], sitk.sitkInt16), str(path))
    with pytest.raises(ImageError, match="4 axes"):
        read_volume(path)
    out, err = capfd.readouterr()
    assert out == err == ""


def test_an_unknown_ending_lists_the_known(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"x")
    with pytest.raises(ImageError, match=r"\.nii, \.nii\.gz, \.nrrd"):
        read_volume(path)
    with pytest.raises(ImageError, match=r"written as"):
        write_volume(Volume(ARRAY, (1.0, 1.0, 1.0)), path)


LIKE = Volume(np.zeros((4, 5, 6), dtype=np.int16), (2.0, 0.75, 0.5), (1.0, -2.0, 3.0), TURN)
MASK = (RNG.random((4, 5, 6)) > 0.6).astype(np.uint8)


def test_a_mask_on_the_same_grid(tmp_path):
    write_volume(LIKE.with_array(MASK), tmp_path / "mask.nii.gz")
    found = read_mask(tmp_path / "mask.nii.gz", like=LIKE)
    assert found.array.dtype == np.bool_
    np.testing.assert_array_equal(found.array, MASK > 0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_mask_stored_in_other_axes_finds_its_voxels(tmp_path, order, flips):
    image = sitk.GetImageFromArray(MASK)
    image.SetSpacing(LIKE.spacing_mm[::-1])
    image.SetOrigin(LIKE.origin_mm)
    image.SetDirection(LIKE.direction.ravel().tolist())
    image = sitk.Flip(sitk.PermuteAxes(image, order), [axis in flips for axis in range(3)])
    sitk.WriteImage(image, str(tmp_path / "mask.nrrd"))
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nrrd", like=LIKE).array, MASK > 0)


def test_labels_are_chosen_by_value(tmp_path):
    labels = RNG.integers(0, 3, size=(4, 5, 6)).astype(np.uint8)
    write_volume(LIKE.with_array(labels), tmp_path / "mask.mha")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.mha", like=LIKE).array, labels > 0)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.mha", like=LIKE, segment=2).array, labels == 2)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.mha", like=LIKE, segment="2").array, labels == 2)
    with pytest.raises(MaskError, match="of label 7 is empty"):
        read_mask(tmp_path / "mask.mha", like=LIKE, segment=7)
    with pytest.raises(MaskError, match="numbered labels"):
        read_mask(tmp_path / "mask.mha", like=LIKE, segment="nodule")


@pytest.mark.parametrize(
    "other",
    [
        Volume(MASK, (2.0, 0.75, 0.5), (1.25, -2.0, 3.0), TURN),
        Volume(MASK, (2.0, 0.75, 0.5), (1.0, -2.0, 3.0)),
        Volume(MASK, (2.0, 0.75, 0.51), (1.0, -2.0, 3.0), TURN),
        Volume(MASK[:3], (2.0, 0.75, 0.5), (1.0, -2.0, 3.0), TURN),
        Volume(np.pad(MASK, ((0, 1), (0, 0), (0, 0))), (2.0, 0.75, 0.5), (1.0, -2.0, 3.0), TURN),
    ],
)
def test_a_mask_on_another_grid_is_refused(tmp_path, other):
    write_volume(other, tmp_path / "mask.nrrd")
    with pytest.raises(MaskError, match="another grid"):
        read_mask(tmp_path / "mask.nrrd", like=LIKE)


def test_empty_and_fractional_masks_are_refused(tmp_path):
    write_volume(LIKE.with_array(np.zeros_like(MASK)), tmp_path / "empty.nii")
    with pytest.raises(MaskError, match="empty"):
        read_mask(tmp_path / "empty.nii", like=LIKE)
    write_volume(LIKE.with_array(MASK * np.float32(0.5)), tmp_path / "soft.nii")
    with pytest.raises(MaskError, match="fractions"):
        read_mask(tmp_path / "soft.nii", like=LIKE)
    write_volume(LIKE.with_array(MASK.astype(np.float32)), tmp_path / "float.nii")
    np.testing.assert_array_equal(read_mask(tmp_path / "float.nii", like=LIKE).array, MASK > 0)
