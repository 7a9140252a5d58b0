"""Lung masks of real chests. The places named here were read off the images by eye; (z, y, x) indices."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.core.errors import ImageError
from hounsfield.volume.lung_given import with_nodule
from hounsfield.volume.lung_labels import NoLungs
from hounsfield.volume.lungs import lung_masks
from hounsfield.volume.read import read_mask, read_volume


@pytest.mark.slow
def test_a_chest_with_tumours_on_both_sides(shared_data: Path):
    volume = read_volume(shared_data / "dicom" / "chest-LUNG1-001")
    lungs = lung_masks(volume)
    places = {
        (104, 274, 210): 1,  # right apex, parted from the rest of its lung by a tumour
        (104, 274, 300): 2,
        (29, 290, 120): 1,  # right base
        (39, 330, 370): 2,  # left base
        (76, 215, 370): 2,  # before and behind the left tumour
        (76, 330, 350): 2,
        (24, 173, 310): 0,  # gas in the stomach
        (104, 231, 254): 0,  # windpipe at the apex
        (93, 260, 247): 0,  # and above the carina
        (80, 277, 275): 0,  # left main bronchus
        (24, 430, 255): 0,  # table
    }
    assert {place: int(lungs.labels[place]) for place in places} == places
    # The obvious second way, connected air by itself: the left lung, the right lung with all airways, the right apex.
    air, _ = ndimage.label(volume.array < -400)
    left, right, apex = (air == air[place] for place in ((39, 330, 370), (29, 290, 120), (104, 274, 210)))
    ml = volume.voxel_mm3 / 1000
    assert (lungs.labels[left] == 2).mean() > 0.999
    assert (lungs.labels[apex] == 1).mean() > 0.999
    assert 20 < (lungs.labels[right] != 1).sum() * ml < 80  # windpipe and large bronchi
    assert 1.0 < lungs.left_ml / (left.sum() * ml) < 1.12  # vessels and repair add some per cent
    assert not lungs.labels[:22].any()  # below the lungs there is bowel alone
    assert not lungs.labels[113:].any()


@pytest.mark.slow
def test_an_abdomen_shows_the_bases_and_no_bowel(shared_data: Path, tmp_path: Path):
    with zipfile.ZipFile(shared_data / "dicom" / "abdomen-CRLM-CT-1004.zip") as file:
        file.extractall(tmp_path)
    volume = read_volume(tmp_path)
    lungs = lung_masks(volume)
    assert any("touch the border of the image (upper)" in remark for remark in lungs.remarks)
    assert not lungs.labels[:20].any()  # stomach and colon hold 0.3 litres of gas there
    assert (volume.array[:20][:, 100:320, 100:400] < -900).sum() > 10_000
    both = [np.argwhere(lungs.labels == side).mean(axis=0)[2] for side in (1, 2)]
    assert both[0] < 256 < both[1]
    with pytest.raises(NoLungs):
        lung_masks(type(volume)(volume.array[:18], volume.spacing_mm))


def test_a_right_lung_cut_out_with_its_tumour(shared_data: Path):
    folder = shared_data / "ibsi" / "ct_radiomics_phantom"
    volume = read_volume(folder / "image" / "phantom.nii.gz")
    tumour = read_mask(folder / "mask" / "mask.nii.gz", like=volume)
    lungs = lung_masks(volume)
    assert lungs.left_ml == 0
    assert lungs.labels[48, 60, 100] == 1
    assert not lungs.labels[:, :, :10].any()  # outside air at the image's left edge
    united = with_nodule(lungs, volume, tumour)
    assert (united.labels[tumour.array] == 1).all()
    assert united.right_ml > lungs.right_ml + 100  # most of the tumour is solid and lies against the ribs


def test_no_other_image_has_lungs(shared_data: Path):
    tried = 0
    for folder in sorted((shared_data / "dicom" / "vendors").iterdir()):
        try:
            volume = read_volume(folder)
        except ImageError:
            continue
        tried += 1
        with pytest.raises(NoLungs):
            lung_masks(volume)
    assert tried >= 8
