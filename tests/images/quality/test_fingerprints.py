"""Images of kind fingerprint: the ridge map over REST, the panel out of stored measures, both enhancements."""

import io

import numpy as np
import pytest
from django.core.cache import cache
from PIL import Image as Pillow

from images.models import QualityScore
from images.quality.fingerprints import issues_of, panel_json, score_rows
from processing.algorithms.fingerprint.quality import DISCLAIMER, VERSION, panel
from processing.engine.worker import run_until_idle
from tests.factories import make_client, make_image
from tests.processing.algorithms.prints import clean_print, noisy

pytestmark = pytest.mark.django_db


def print_file(pixels: np.ndarray | None = None) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(clean_print() if pixels is None else pixels).save(stream, "PNG")
    return stream.getvalue()


def make_print(pixels: np.ndarray | None = None, *, kind: str = "fingerprint"):
    image = make_image(print_file(pixels), name="101_1.png")
    image.kind = kind
    image.save(update_fields=["kind"])
    return image


def store(image, measured) -> None:
    QualityScore.objects.bulk_create(QualityScore(image=image, **row) for row in score_rows(measured))


def test_ridge_map_is_a_png_and_comes_from_the_cache_the_second_time() -> None:
    cache.clear()
    image, client = make_print(), make_client("read")
    first = client.get(f"/api/images/{image.pk}/ridge-map/")
    assert (first.status_code, first["Content-Type"]) == (200, "image/png")
    assert Pillow.open(io.BytesIO(first.content)).size == (600, 1120)
    type(image).objects.filter(pk=image.pk).update(file="raw/gone.png")
    again = client.get(f"/api/images/{image.pk}/ridge-map/")
    assert again.content == first.content
    assert again["ETag"] == first["ETag"]
    cache.clear()
    lost = client.get(f"/api/images/{image.pk}/ridge-map/")
    assert (lost.status_code, lost.json()["code"]) == (404, "file_missing")


def test_ridge_map_of_another_kind_is_not_found() -> None:
    image = make_print(kind="photo")
    answer = make_client("read").get(f"/api/images/{image.pk}/ridge-map/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "this image is of kind photo" in answer.json()["detail"]


def test_ridge_map_needs_a_sign_in_and_an_image(client) -> None:
    image = make_print()
    assert client.get(f"/api/images/{image.pk}/ridge-map/").status_code == 401
    missing = "00000000-0000-0000-0000-000000000000"
    assert make_client("read").get(f"/api/images/{missing}/ridge-map/").status_code == 404


def test_panel_is_read_back_from_its_rows() -> None:
    image, measured = make_print(), panel(clean_print())
    assert panel_json(image) is None
    store(image, measured)
    shown = panel_json(image)
    assert shown is not None
    assert shown["score"] == measured.score
    assert shown["measures"]["coherence"] == measured.coherence
    assert (shown["dpi"], shown["is_dpi_assumed"]) == (500, True)
    assert (shown["advice"], shown["disclaimer"], shown["version"]) == ([], DISCLAIMER, VERSION)
    image.kind = "photo"
    assert panel_json(image) is None


def test_advice_on_a_print_becomes_issues_with_number_and_cut_off() -> None:
    image, measured = make_print(), panel(noisy(clean_print(), 110))
    values = {name: value for name, (value, _worth) in measured.metrics().items()}
    (issue,) = issues_of(image, values)
    assert (issue["code"], issue["measure"], issue["threshold"]) == ("unclear", "fp_clarity", 0.45)
    assert issue["explanation"].startswith(f"ridges unclear: clarity {issue['value']:.2f} < 0.45; ")
    image.kind = "photo"
    assert issues_of(image, values) == []


@pytest.mark.parametrize("method", ["standard", "gabor"])
def test_both_enhancements_give_two_files(method: str) -> None:
    image, client = make_print(), make_client("process")
    step = {"name": "enhance_fingerprint", "parameters": {"method": method}}
    job = client.post("/api/jobs/", {"image": str(image.pk), "operations": [step]}, format="json").json()
    run_until_idle()
    done = client.get(f"/api/jobs/{job['id']}/").json()
    assert done["status"] == "completed"
    assert sorted(entry["role"] for entry in done["artifacts"]) == ["enhanced", "original_copy"]
    assert {entry["format"] for entry in done["artifacts"]} == {"bmp"}


def test_filtering_what_is_no_print_fails_with_a_sentence() -> None:
    image, client = make_image(), make_client("process")
    step = {"name": "enhance_fingerprint", "parameters": {"method": "gabor"}}
    job = client.post("/api/jobs/", {"image": str(image.pk), "operations": [step]}, format="json").json()
    run_until_idle()
    (operation,) = client.get(f"/api/jobs/{job['id']}/").json()["operations"]
    assert (operation["status"], operation["error"]["code"]) == ("failed", "no_ridges")
    assert "at least 15 % are required" in operation["error"]["detail"]
