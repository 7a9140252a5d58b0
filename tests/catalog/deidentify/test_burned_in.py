"""Rendered text is found, images without it stay quiet: fans of speckle with scales and rulers, bodies with vessels."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    UltrasoundMultiFrameImageStorage,
)
from scipy import ndimage

from hounsfield.catalog.deidentify.burned_in import suspicions, text_in_pixels, text_rows

LINES = ["DOE, JANE  12.03.1961", "Mueller Hans 1948-05-17", "ID 4711-0815 F 61Y", "St. Mary Hospital", "MRN: 00482913"]


def fan(rng: np.random.Generator) -> np.ndarray:
    """An ultrasound image (240, 320): speckle in a sector, a grey scale, a ruler."""
    y, x = np.mgrid[:240, :320]
    radius, angle = np.hypot(y + 10, x - 160), np.arctan2(x - 160, y + 10)
    sector = (abs(angle) < 0.6) & (radius > 30) & (radius < 225)
    real, imaginary = (ndimage.gaussian_filter(rng.normal(size=y.shape), (1.2, 2.2)) for _ in range(2))
    speckle = np.hypot(real, imaginary)
    image = np.where(sector, 60 * speckle / speckle.mean() * (1 + 0.5 * np.sin(radius / 17)), 0)
    for _ in range(4):
        centre = rng.uniform((60, 100), (200, 220))
        inside = sector & (np.hypot(y - centre[0], x - centre[1]) < rng.uniform(5, 25))
        image = np.where(inside, image * rng.choice([0.1, 2.5]), image)
    image[50:150, -24:-16] = np.linspace(255, 0, 100)[:, None]
    for mark in range(20):
        image[12 * mark + 4 : 12 * mark + 6, -10:-4] = 255
        image[-8:-2, 12 * mark + 40 : 12 * mark + 42] = 255
    return np.clip(image, 0, 255).astype(np.uint8)


def body(rng: np.random.Generator) -> np.ndarray:
    """A screen shot of a CT slice (256, 256): a body, lungs with bright vessels, noise."""
    y, x = np.mgrid[:256, :256] - 128
    image = np.where((y / 90) ** 2 + (x / 115) ** 2 < 1, 110.0, 0)
    image[(y / 60) ** 2 + ((abs(x) - 50) / 40) ** 2 < 1] = 20
    for _ in range(40):
        centre = rng.uniform(-100, 100, 2)
        image[np.hypot(y - centre[0], x - centre[1]) < rng.uniform(1, 5)] = rng.choice([200, 255, 150])
    return np.clip(ndimage.gaussian_filter(image, 0.7) + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def lettered(image: np.ndarray, rng: np.random.Generator, *, size: int, grey: int) -> np.ndarray:
    drawn = Image.fromarray(image)
    place = (int(rng.integers(3, 60)), int(rng.integers(2, 12)))
    ImageDraw.Draw(drawn).text(place, str(rng.choice(LINES)), fill=grey, font=ImageFont.load_default(size))
    return np.asarray(drawn)


@pytest.mark.parametrize("make", [fan, body])
def test_text_of_usual_size_is_found_and_nothing_else_is_called_text(make):
    rng = np.random.default_rng(7)
    clean = [make(rng) for _ in range(12)]
    assert [text_rows(image) for image in clean] == [0] * 12
    found = [
        text_rows(lettered(image, rng, size=size, grey=grey)) > 0
        for image, size, grey in zip(clean, [10, 11, 12, 14, 16, 18] * 2, [255] * 6 + [170] * 6, strict=True)
    ]
    assert sum(found) >= 11


@pytest.mark.slow
@pytest.mark.parametrize("font", ["DejaVuSans", "DejaVuSansMono-Bold", "DejaVuSerif"])
def test_most_lettering_of_other_fonts_is_found(font: str):
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    rng = np.random.default_rng(3)
    found = []
    for make in (fan, body):
        for size in (9, 10, 12, 14, 18, 24, 32):
            drawn = Image.fromarray(make(rng))
            letters = ImageFont.truetype(str(file), size)
            ImageDraw.Draw(drawn).text((8, 4), str(rng.choice(LINES)), fill=255, font=letters)
            found.append(text_rows(np.asarray(drawn)) > 0)
    assert sum(found) >= 11  # of 14


def test_dark_text_on_white_paper_is_found():
    page = Image.new("L", (300, 100), 255)
    ImageDraw.Draw(page).text((20, 30), LINES[0], fill=0, font=ImageFont.load_default(14))
    assert text_rows(np.asarray(page)) >= 1


def test_coloured_text_is_found():
    page = Image.new("RGB", (300, 100))
    ImageDraw.Draw(page).text((20, 30), LINES[1], fill=(255, 255, 0), font=ImageFont.load_default(14))
    assert text_rows(np.asarray(page)) >= 1


@pytest.mark.parametrize("image", [np.zeros((40, 40)), np.full((40, 40), 7), np.eye(3)], ids=["black", "flat", "tiny"])
def test_images_without_content_hold_no_text(image: np.ndarray):
    assert text_rows(image) == 0


def test_a_ruler_is_no_text():
    image = np.zeros((60, 300), np.uint8)
    for mark in range(20):
        image[20:30, 10 + 8 * mark : 12 + 8 * mark] = 255
    assert text_rows(image) == 0


def capture(frames: list[np.ndarray], **values: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = SecondaryCaptureImageStorage if len(frames) == 1 else UltrasoundMultiFrameImageStorage
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns = frames[0].shape
    dataset.NumberOfFrames, dataset.SamplesPerPixel = len(frames), 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = np.stack(frames).tobytes()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def test_objects_are_looked_through_by_their_kind():
    rng = np.random.default_rng(1)
    plain = fan(rng)
    text = lettered(plain, rng, size=14, grey=255)
    assert text_in_pixels(capture([plain])) == 0
    assert (text_in_pixels(capture([text])) or 0) >= 1
    assert (text_in_pixels(capture([plain] * 4 + [text])) or 0) >= 1  # the last frame is among those looked at
    assert text_in_pixels(capture([text], SOPClassUID=CTImageStorage)) is None  # of a kind that is not looked through
    broken = capture([text])
    broken.PixelData = b"\0\0"
    assert text_in_pixels(broken) is None


def test_what_headers_say():
    plain = Dataset()
    plain.SOPClassUID, plain.Modality = CTImageStorage, "CT"
    assert suspicions(plain) == ()
    plain.SOPClassUID = SegmentationStorage  # its number begins as that of ultrasound does
    assert suspicions(plain) == ()
    plain.BurnedInAnnotation = "YES"
    assert len(suspicions(plain)) == 1
    plain.BurnedInAnnotation = "NO"
    plain.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    assert suspicions(plain) == ("it is a secondary capture or screen shot",)
    plain.Modality, plain.ImageType = "US", ["ORIGINAL", "PRIMARY"]
    assert suspicions(plain) == ("it is ultrasound",)
