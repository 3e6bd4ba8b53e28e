"""A print comes in, is measured, told, shown; and is measured again when the panel changes."""

import io

import pytest
from PIL import Image as Pillow

from images.models import Image, QualityScore
from images.quality import fingerprints
from images.quality import service as quality
from processing.algorithms.fingerprint.quality import VERSION, panel
from processing.engine.worker import run_until_idle
from tests.factories import make_client, make_image, upload
from tests.images.quality.test_fingerprints import print_file
from tests.processing.algorithms.pictures import real_folder
from tests.processing.algorithms.prints import clean_print

pytestmark = pytest.mark.django_db


def uploaded(data: bytes, name: str) -> Image:
    answer = make_client("write").post(
        "/api/images/", {"file": upload(data, name), "kind": "fingerprint"}, format="multipart"
    )
    assert answer.status_code == 201, answer.json()
    return Image.objects.get(pk=answer.json()["id"])


def measure(image: Image) -> dict:
    client = make_client("process")
    assert client.post(f"/api/images/{image.pk}/quality/", {"metrics": []}, format="json").status_code == 202
    run_until_idle()
    return client.get(f"/api/images/{image.pk}/quality/").json()


def test_a_print_is_uploaded_and_measured() -> None:
    image = uploaded(print_file(), "right thumb.png")
    told = measure(image)
    expected = panel(clean_print())
    assert told["fingerprint"]["score"] == expected.score
    assert told["fingerprint"]["measures"]["clarity"] == expected.clarity
    assert "not NFIQ 2" in told["fingerprint"]["disclaimer"]
    assert told["fingerprint"]["advice"] == []
    again = measure(image)
    assert again["fingerprint"] == told["fingerprint"]
    assert QualityScore.objects.filter(image=image, metric="fp_score").count() == 1


def test_the_advice_on_a_real_dry_print_is_an_issue_and_can_be_filtered() -> None:
    path = real_folder("fingerprints/FVC2002_DB2_B") / "101_7.tif"
    image = uploaded(path.read_bytes(), path.name)
    told = measure(image)
    advice = {entry["code"]: entry["explanation"] for entry in told["fingerprint"]["advice"]}
    assert advice["too_dry"] == "too dry: ridge share 0.21 < 0.28; press harder or moisten the finger"
    assert {"too_dry", "smudged", "unclear"} <= {issue["code"] for issue in told["issues"]}
    assert told["grade"] <= told["fingerprint"]["score"]
    found = make_client("read").get("/api/images/?issue=too_dry").json()["results"]
    assert [entry["id"] for entry in found] == [str(image.pk)]


def test_filtering_raises_the_score_of_a_real_print() -> None:
    path = real_folder("fingerprints/FVC2002_DB2_B") / "101_7.tif"
    image, client = uploaded(path.read_bytes(), path.name), make_client("process")
    step = {"name": "enhance_fingerprint", "parameters": {"method": "gabor", "format": "png"}}
    job = client.post("/api/jobs/", {"image": str(image.pk), "operations": [step]}, format="json").json()
    run_until_idle()
    artifacts = client.get(f"/api/jobs/{job['id']}/").json()["artifacts"]
    (link,) = [entry["url"] for entry in artifacts if entry["role"] == "enhanced"]
    result = b"".join(client.get(link).streaming_content)
    enhanced = uploaded(result, "enhanced.png")
    before, after = measure(image)["fingerprint"], measure(enhanced)["fingerprint"]
    assert after["score"] > before["score"] + 20
    assert Pillow.open(io.BytesIO(result)).size == (296, 560)


def test_prints_without_a_panel_are_missing_and_old_panels_stale() -> None:
    image, photo = uploaded(print_file(), "thumb.png"), make_image()
    measure(image)
    measure(photo)
    both = Image.objects.filter(pk__in=[image.pk, photo.pk])
    prints = both.filter(quality_scores__metric="fp_score")
    assert not quality.stale(prints).exists()
    QualityScore.objects.filter(image=image, metric_version=VERSION).update(metric_version="fingerprint-0")
    assert list(quality.stale(both)) == [image]
    assert fingerprints.panel_json(image) is None
    QualityScore.objects.filter(image=image, metric="fp_score").delete()
    lacking = quality.missing(both).filter(quality_scores__metric=quality.ONE_CAUSE)
    assert image in lacking
    measure(image)
    assert fingerprints.panel_json(image) is not None
