"""Point tables: what ships, what a user may write, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.guideline.point_table import PointTable, read_point_table, write_point_table


def test_what_differs_between_the_tables_that_ship(acr: PointTable, ai: PointTable) -> None:
    """23 options, 15 alike, 7 lower by 1 or 2, 1 higher; six options newly at 0."""
    change = ai.points - acr.points
    assert len(acr.option_names) == 23
    assert sorted(change.tolist()) == sorted([0] * 15 + [-1] * 5 + [-2] * 2 + [1])
    assert int(((ai.points == 0) & (acr.points > 0)).sum()) == 6
    assert [option for option, step in zip(acr.option_names, change, strict=True) if step > 0] == ["composition/solid"]
    assert acr.levels == ai.levels
    assert acr.overrides == ("composition/cystic", "composition/spongiform")


def test_a_table_comes_back_as_it_was_written(tmp_path: Path, ai: PointTable) -> None:
    changed = ai.with_points({"shape/taller": 2}, name="Ours", source="our site")
    write_point_table(changed, tmp_path / "ours.yaml")
    assert read_point_table(tmp_path / "ours.yaml") == changed
    assert changed.points.sum() == ai.points.sum() + 1


def test_every_mistake_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\n"
        "categories:\n"
        "  - {key: a, title: A, options: [{key: x, title: x, points: -1}, {key: y, title: y, points: 0}]}\n"
        "  - {key: b, title: B, choose: any, options: [{key: x, title: x, points: 1}, {key: x, title: x, points: 0}]}\n"
        "levels:\n  - {name: L, title: l, points: 0, fna_cm: 1, follow_up_cm: 2}\n"
    )
    with pytest.raises(ProblemsError) as caught:
        read_point_table(path)
    text = str(caught.value)
    for part in ("categories / 0 / options / 0 / points", "different keys", "follow-up starts at a size below FNA"):
        assert part in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("levels: [{name: L, title: l, points: 1}]", "levels rise from 0"),
        ("levels: [{name: L, title: l, points: 0}, {name: M, title: m, points: 0}]", "levels rise from 0"),
        ("overrides: [a/z]\nlevels: [{name: L, title: l, points: 0}]", "a/z"),
        ("levels: [{name: L, title: l, points: 0}]\nsurprise: 1", "surprise"),
    ],
)
def test_one_mistake(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\ncategories:\n"
        "  - {key: a, title: A, options: [{key: x, title: x, points: 1}, {key: y, title: y, points: 0}]}\n" + change
    )
    with pytest.raises(ProblemsError, match=message):
        read_point_table(path)


def test_unknown_names_are_helped() -> None:
    with pytest.raises(TableError, match="acr, ai"):
        read_point_table("arc")
    with pytest.raises(TableError, match="echogenicity"):
        read_point_table("acr").category("echogenicty")
    with pytest.raises(TableError, match="no option shape/tall"):
        read_point_table("acr").with_points({"shape/tall": 1}, name="x")
