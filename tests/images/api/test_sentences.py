"""Whatever file is sent, what is said of it is a sentence of ours: no words of a library, no exception."""

import os
import re
from pathlib import Path

import pytest

from tests.factories import make_client, pictures, upload

pytestmark = pytest.mark.django_db
DATA = Path(os.environ.get("PIX_TEST_DATA", "/nonexistent"))
FOLDERS = (DATA / "odd_files" / "pngsuite", DATA.parent / "cases" / "images")
SENTENCES = re.compile(
    r"The image is damaged or incomplete: (the file ends too early|a checksum does not match"
    r"|its data cannot be decoded|its structure cannot be read"
    r"|GIF frame \d+ is cut off)\."
    r"|The image has an invalid size: \d+ × \d+ px\."
    r"|The image has .* px; the limit for each side is \d+ px\."
    r"|The image has .* pixels; the limit is [\d,]+\."
    r"|The file has too many frames\. The limit is [\d,]+\."
    r"|.*not an image.*|.*format.*not (accepted|supported).*|.*is empty.*"
)


@pytest.fixture
def files() -> list[Path]:
    found = [
        path
        for folder in FOLDERS
        for path in sorted(folder.glob("*"))
        if path.suffix not in ("", ".md", ".txt")
    ]
    if not found:
        pytest.skip("PIX_TEST_DATA has no such files")
    return found


@pytest.mark.check
def test_every_file_is_taken_or_refused_in_our_own_words(files):
    client = make_client("write")
    strange = []
    for path in files:
        answer = client.post(
            "/api/images/", {"file": upload(path.read_bytes(), path.name)}, format="multipart"
        )
        if answer.status_code not in (200, 201) and not (
            answer.status_code < 500
            and SENTENCES.fullmatch(answer.json()["detail"].removeprefix(f"{path.name}: "))
        ):
            strange.append((path.name, answer.status_code, answer.json()["detail"]))
    assert strange == []


@pytest.mark.parametrize(
    "data",
    [
        pictures.png()[:200],
        pictures.png()[:30],
        pictures.jpeg()[:300],
        pictures.webp()[:60],
        pictures.tiff()[:120],
        pictures.bmp()[:60],
        pictures.gif()[:80],
        pictures.avif()[:200],
        pictures.png().replace(b"IDAT", b"JDAT"),
        pictures.tiff()[:8] + b"\xff" * 200,
    ],
    ids=range(10),
)
def test_a_damaged_file_is_refused_in_our_own_words(data):
    answer = make_client("write").post(
        "/api/images/", {"file": upload(data, "photo.img")}, format="multipart"
    )
    assert 400 <= answer.status_code < 500
    assert SENTENCES.fullmatch(answer.json()["detail"].removeprefix("photo.img: ")), answer.json()["detail"]
