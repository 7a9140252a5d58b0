"""A volume is written whole or not at all, also by a library that cuts a file off on a full disk and says nothing."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from hounsfield.volume import write
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

VOLUME = Volume(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("keep", [0, 100, -5])
def test_a_file_cut_off_in_writing_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, name, keep):
    sitk = write.itk()
    whole = sitk.WriteImage

    def cut(image, path, **options):
        whole(image, path, **options)
        with open(path, "r+b") as stream:
            stream.truncate(keep if keep >= 0 else stream.seek(0, 2) + keep)

    monkeypatch.setattr(sitk, "WriteImage", cut)
    with pytest.raises(OSError, match=f"{name}: the file could not be written. Is the disk full"):
        write_volume(VOLUME, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_whole_files_hold_header_and_voxels(tmp_path):
    write_volume(VOLUME, tmp_path / "a.nii")
    write_volume(VOLUME, tmp_path / "a.nii.gz")
    data = (tmp_path / "a.nii").read_bytes()
    assert len(data) == 352 + 4 * 5 * 6 * 2
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[352:] == data[352:] == VOLUME.array.tobytes()
