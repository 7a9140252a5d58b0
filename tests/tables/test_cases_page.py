"""The page for users tells the truth: its table, with files spoilt as it says, gives the findings that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hounsfield.tables.cases import read_cases
from hounsfield.tables.check import check_cases

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks" / "cases.md"


def _block(text: str, mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", text, re.DOTALL)
    assert found, f"the page has no block marked {mark}"
    return found[1]


def _write(path: Path, array: np.ndarray, spacing: tuple[float, float, float] = (0.7, 0.8, 1.5)) -> None:
    path.parent.mkdir(exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))


def test_example_of_the_page(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "cases.csv").write_text(_block(text, "table"))
    lesion = np.zeros((5, 6, 7), np.uint8)
    lesion[2, 2:4, 3:5] = 1
    for i in range(1, 8):
        pixels = np.random.default_rng(1 if i == 6 else i).integers(-900, 100, lesion.shape).astype(np.int16)
        _write(tmp_path / "images" / f"000{i}.nii.gz", pixels)
        spacing = (0.7, 0.7, 1.0) if i == 4 else (0.7, 0.8, 1.5)
        _write(tmp_path / "masks" / f"000{i}.nii.gz", lesion * (i != 2), spacing)
    found = check_cases(tmp_path / "cases.csv", label="malignant", classes=["no", "yes"], workers=1)
    assert [str(one) for one in found] == _block(text, "findings").splitlines()


def test_first_table_of_the_page_is_read(tmp_path: Path) -> None:
    table = re.search(r"```csv\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert table
    (tmp_path / "cases.csv").write_text(table[1])
    cases = read_cases(tmp_path / "cases.csv")
    assert (len(cases), cases.labels("malignant")) == (3, ["no", "yes", "yes"])
