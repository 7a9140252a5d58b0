"""Free text: names in every spelling go, words of medicine stay."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from hounsfield.catalog.deidentify.profile import Options, profile_of
from hounsfield.catalog.deidentify.text import Known, clean, known_of


def test_names_in_text_are_found_in_every_form_and_other_words_stay():
    known = Known(frozenset({"müller", "li", "4711-08"}), frozenset({"19610312"}))
    text = "MÜLLER, Li: head of lions; ID 4711-08, born 12/03/1961 or 1961-03-12, 3 mm, kernel B30f"
    assert clean(text, known, patterns=False) == "***, ***: head of lions; ID ***, born *** or ***, 3 mm, kernel B30f"
    assert clean("3 mm B30f", Known(), patterns=True) == "3 mm B30f"
    assert clean("MR head, DR CHEST, TE 20 ms Delay", Known(), patterns=True) == "MR head, DR CHEST, TE 20 ms Delay"
    assert clean("12 Mar 2015, tel 0049301234, a.b@c.de", Known(), patterns=True) == "***, tel ***, ***"


def known(name: str, **more: str) -> Known:
    dataset = Dataset()
    dataset.PatientName = name
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return known_of(dataset, profile_of(Options()))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller^Jörg", "MUELLER"),
        ("Müller^Jörg", "Muller Jorg"),
        ("Mu\u0308ller^J", "Müller"),  # a letter and its dots apart
        ("O'Neill^Sean", "O Neill"),
        ("O'Neill^Sean", "ONEILL"),
        ("Doe^Jane^M", "DoeJane_JANEDOE"),
        ("Meyer-Landrut^Lena", "Landrut"),
        ("Meyer-Landrut^Lena", "Meyer Landrut"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田 太郎"),
        ("van der Berg^Piet", "v. d. BERG"),
        ("Иванов^Пётр", "ИВАНОВ"),
    ],
)
def test_a_name_is_known_in_other_spellings(name: str, text: str):
    cleaned = clean(f"Thorax {text} axial", known(name), patterns=False)
    assert cleaned.startswith("Thorax ")
    assert cleaned.endswith(" axial")
    left = cleaned.removeprefix("Thorax ").removesuffix(" axial")
    assert not set(left.replace("v. d.", "")) - set("* _"), cleaned


def test_numbers_are_known_with_and_without_leading_zeros():
    words = known("Doe^Jane", PatientID="0004711", AccessionNumber="A-1")
    assert clean("4711 0004711 14711 A-1", words, patterns=False) == "*** *** 14711 A-1"  # too short to be told apart


def test_particles_of_names_and_lone_signs_take_nothing_out():
    words = known("van der Berg^Piet", PatientID="-^-^-^-", AccessionNumber="_____")
    assert clean("T1 van der - ^ _", words, patterns=False) == "T1 van der - ^ _"
