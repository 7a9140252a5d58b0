"""The tables that ship give what has been found of these papers; a table with mistakes is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield.audit.run import Audit, audit
from hounsfield.audit.table import find_table, read_audit_table, shipped
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN, UNEXPLAINED
from hounsfield.audit.write import write_audit
from hounsfield.core.errors import HounsfieldError, ProblemsError, TableError


def of(name: str) -> Audit:
    return audit(read_audit_table(find_table(name)))


def named(found: Audit, status: str, kind: str = "") -> list[str]:
    return [one.name for one in found.verdicts if one.status == status and kind in one.kind]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_table_that_ships_can_be_audited(name: str) -> None:
    found = of(name)
    assert found.verdicts
    assert sum(found.counts.values()) == len(found.verdicts)


def test_fine_tuning_study() -> None:
    found = of("site-finetuning")
    scores = {(score.method, score.rule): (score.rows, score.ends) for score in found.scores}
    once = {method: score for (method, rule), score in scores.items() if rule == "rounded"}
    assert once == {  # rows with both ends, end points
        "Wald": (0, 0),
        "Wilson with continuity correction": (0, 0),
        "Clopper-Pearson": (0, 1),
        "Jeffreys": (1, 10),
        "mid-P": (2, 12),
        "plus-four": (9, 21),
        "Wilson": (9, 23),
        "logit Wald": (10, 23),
        "Agresti-Coull": (13, 28),
    }
    assert scores["Agresti-Coull", "rounded twice"] == (15, 30)
    twice = [scores[method, "rounded twice"][0] for method in ("Wilson", "logit Wald", "plus-four")]
    assert twice == [9, 11, 10]
    assert named(found, IMPOSSIBLE) == ["MHB, HB, specificity", "MXZ, XZ, specificity"]
    assert "MHB, HB, f1" in named(found, DISAGREES, "confusion")
    assert len(named(found, UNEXPLAINED, "interval")) == 4 + 1  # four F1 intervals, one AUC interval
    assert named(found, UNEXPLAINED, "p-value") == ["HB F1 as a share"]
    chi_square = [one for one in found.verdicts if one.kind == "p-value" and one.status == HOLDS]
    assert len(chi_square) == 10
    assert all("chi-square" in one.method for one in chi_square)
    assert len(named(found, OPEN, "paired")) == 6
    assert not named(found, DISAGREES, "change")  # each printed change follows from the printed values


def test_granuloma_study() -> None:
    found = of("granuloma")
    assert named(found, IMPOSSIBLE, "range") == ["nodule volume, ml, group 1", "nodule volume of all, ml"]
    assert named(found, UNEXPLAINED, "p-value") == ["age, years", "nodule volume, ml", "equivalent diameter, mm"]
    assert named(found, DISAGREES, "pooled") == ["nodule volume, ml", "equivalent diameter, mm"]
    assert len(named(found, IMPOSSIBLE, "share")) == 3  # no patients' sensitivities among 17


def test_ground_glass_study() -> None:
    found = of("ggn")
    assert len(named(found, HOLDS, "share")) == 34  # of 40 accuracies
    wrong = named(found, DISAGREES, "matrix")
    assert "(d) joint, f1" in wrong
    assert not [name for name in wrong if name.startswith("(e)")]


def test_header_network_study() -> None:
    found = of("radnet")
    assert len(named(found, HOLDS, "confusion")) == 19  # unique integers behind every row
    assert named(found, IMPOSSIBLE, "overlap") == ["froze all layers, mean", "100 % of the data, mean"]
    assert "sequences, validation" in named(found, DISAGREES, "total")


def test_guideline_studies() -> None:
    found = of("ti-rads")
    assert not named(found, IMPOSSIBLE)
    assert named(found, DISAGREES) == ["patients of the columns"]  # 1288 v 1264: some are in two columns
    methods = {one.name: one.method for one in found.verdicts}
    assert methods["consensus, specificity, 3 changes one way"].startswith("paired bootstrap")
    readers = of("thyroid-readers")
    assert named(readers, DISAGREES) == ["reader 5, FNA specificity"]


def test_every_problem_of_a_table_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "title: bad\n"
        "shares:\n  - {name: first, value: '0,5', of: 10}\n  - {name: second, value: 0.5, of: 0}\n"
        "confusion: []\n"
        "matrices:\n  - {name: third, matrix: [[1, 2], [3]]}\n"
    )
    with pytest.raises(ProblemsError) as caught:
        read_audit_table(path)
    text = str(caught.value)
    for part in ("shares / first / value", "0,5", "second / of", "confusion", "third", "square"):
        assert part in text


@pytest.mark.parametrize("content", ["- a\n- b\n", "title: [unclosed\n", "\x00"])
def test_what_is_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "no.yaml"
    path.write_text(content)
    with pytest.raises(TableError, match=r"no\.yaml"):
        read_audit_table(path)


def test_an_empty_table_and_an_unknown_name(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("title: nothing\n")
    with pytest.raises(HounsfieldError, match="no entries"):
        read_audit_table(path)
    with pytest.raises(TableError, match="site-finetuning"):
        find_table("site-finetunning")


def test_yaml_can_not_run_code(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("title: !!python/object/apply:os.system ['touch x']\nshares: []\n")
    with pytest.raises(HounsfieldError):
        read_audit_table(path)
    assert not (tmp_path / "x").exists()


def test_files(tmp_path: Path) -> None:
    paths = write_audit(of("site-finetuning"), tmp_path / "out")
    assert [path.name for path in paths] == ["audit.md", "verdicts.csv", "methods.csv"]
    page = paths[0].read_text(encoding="utf-8")
    assert "| Agresti-Coull | rounded twice | 15 of 15 | 30 of 30 |" in page
    assert len(paths[1].read_text(encoding="utf-8").splitlines()) > 60


def test_markup_in_a_table_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "markup.yaml"
    path.write_text("title: <script>alert(1)</script>\nshares:\n  - {name: 'a|b <img>', value: 0.5, of: 2}\n")
    page = write_audit(audit(read_audit_table(path)), tmp_path / "out")[0].read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "a\\|b &lt;img&gt;" in page
