"""The proof of no leakage as rows for the first page. In: what a split was looked through for. Out: words and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hounsfield.catalog.splits.leakage import Leakage


def leakage_section(proofs: Sequence[Leakage]) -> dict[str, Any]:
    """One column a set of splits that was looked through; the sentence above is about the worst of them."""
    if not proofs:
        return {"rows": [], "columns": [], "words": "", "note": "", "clean": False}
    parts = list(dict.fromkeys(part for proof in proofs for part in proof.patients))
    columns = ["", *("the split" if proof.rounds == 1 else f"each of {proof.rounds} splits" for proof in proofs)]
    rows = [
        [f"Patients (cases) in {part}", *(f"{_span(one.patients, part)} ({_span(one.cases, part)})" for one in proofs)]
        for part in parts
    ]
    rows.append(["Patients in two parts", *(str(proof.patient_overlaps) for proof in proofs)])
    pixels = ["not compared" if proof.pixel_overlaps is None else str(proof.pixel_overlaps) for proof in proofs]
    rows.append(["Images with identical pixels in two parts", *pixels])
    without = sum(proof.without_digest for proof in proofs if proof.pixel_overlaps is not None)
    note = f"The pixels of {without} cases could not be compared." if without else ""
    clean = all(proof.clean for proof in proofs)
    return {"rows": rows, "columns": columns, "words": _words(proofs, clean), "note": note, "clean": clean}


def _words(proofs: Sequence[Leakage], clean: bool) -> str:
    if not clean:
        return "This split leaks: results on its test part are too good to be true."
    if any(proof.pixel_overlaps is None for proof in proofs):
        return "No patient stands in two parts of a split. Pixels of the images were not compared."
    return "No patient stands in two parts of a split, nor does any image with the same pixels."


def _span(counts: Mapping[str, tuple[int, int]], part: str) -> str:
    if part not in counts:
        return "–"
    ends = counts[part]
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
