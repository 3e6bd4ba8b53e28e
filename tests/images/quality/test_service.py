"""Quality through the engine, the services and the API."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import settings
from PIL import Image as Pillow
from pytest_django import DjangoAssertNumQueries

from images.models import Image, QualityProfile, QualityScore
from images.quality import profiles
from images.quality import service as quality
from images.services import update
from processing.algorithms.quality.causes import CAUSES, VERSION
from processing.algorithms.quality.grading import DEFAULT_CUTOFFS
from processing.engine.worker import run_until_idle
from tests.factories import make_client, make_image, make_rows, make_user, pictures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _only_what_needs_no_file(settings: Any) -> None:
    settings.QUALITY_METRICS = ["brisque", "piqe"]


def sharp_and_soft() -> tuple[Image, Image]:
    from skimage import data

    pixels = data.coffee()
    return tuple(  # type: ignore[return-value]
        make_image(pictures.encoded(Pillow.fromarray(p), "PNG"), name="coffee.png")
        for p in (pixels, cv2.GaussianBlur(pixels, (0, 0), 4))
    )


def measured_rows(**values: float) -> Image:
    """An image without a file whose measures are written."""
    (image,) = make_rows(1)
    quality.save_rows(
        image,
        [{"metric": name, "value": value, "metric_version": VERSION} for name, value in values.items()],
    )
    quality.judge_images([image])
    return image


def test_measuring_writes_causes_metrics_grade_and_issues() -> None:
    sharp, soft = sharp_and_soft()
    job = quality.submit_quality([sharp, soft])
    assert list(job.operations.order_by("position").values_list("name", "queue")) == [
        ("causes", "default"), ("quality", "ml"), ("causes", "default"), ("quality", "ml"),
    ]  # fmt: skip
    run_until_idle()
    job.refresh_from_db()
    sharp.refresh_from_db()
    soft.refresh_from_db()
    assert job.status == "completed"
    assert sharp.issues == []
    assert [issue["code"] for issue in soft.issues] == ["blurred"]
    assert soft.issues[0]["explanation"].startswith("blurred: sharpness 0.")
    assert sharp.quality_grade > soft.quality_grade > 0
    assert sharp.quality_profile == "photo default"
    assert set(sharp.quality_scores.values_list("metric", flat=True)) == {*CAUSES, "piqe"}
    piqe = sharp.quality_scores.get(metric="piqe")
    assert 0 < piqe.normalized <= 1
    assert piqe.input_size == 600
    assert "rule 1" in piqe.metric_version


def test_measuring_again_replaces_the_rows() -> None:
    image = make_image(pictures.png(200, 150))
    for _ in range(2):
        quality.submit_quality([image], metrics=["entropy"])
        run_until_idle()
    assert QualityScore.objects.filter(image=image).count() == len(CAUSES) + 1


def test_a_metric_without_a_value_is_told_with_the_reason() -> None:
    image = make_image(pictures.png(24, 20))
    quality.submit_quality([image], metrics=["piqe"])
    run_until_idle()
    answer = make_client().get(f"/api/images/{image.pk}/quality/").json()
    piqe = next(row for row in answer["metrics"] if row["name"] == "piqe")
    assert (piqe["value"], piqe["error_code"]) == (None, "too_small")
    assert piqe["error_detail"].endswith("this image is measured at 24 × 20 px.")


def test_a_broken_file_fails_alone_among_those_measured_together() -> None:
    whole, broken = make_image(pictures.png(64, 64, seed=1)), make_image(pictures.png(64, 64, seed=2))
    path = Path(settings.MEDIA_ROOT) / broken.file
    path.chmod(0o640)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    job = quality.submit_quality([whole, broken], metrics=["entropy"])
    run_until_idle()
    job.refresh_from_db()
    assert job.status == "completed_with_errors"
    assert whole.quality_scores.filter(metric="entropy", value__isnull=False).exists()
    assert not broken.quality_scores.exists()


def test_missing_and_stale_images_are_found(settings: Any) -> None:
    settings.QUALITY_METRICS = ["piqe"]
    measured, older, never = make_rows(3)
    version = quality.availability("piqe").version
    for image, number in ((measured, version), (older, "an older one")):
        quality.save_rows(
            image,
            [
                {"metric": "sharpness", "value": 0.5, "metric_version": VERSION},
                {"metric": "piqe", "value": 20, "metric_version": number},
            ],
        )
    assert list(quality.missing(Image.objects.all())) == [never]
    assert list(quality.stale(Image.objects.all())) == [older]


def test_the_api_measures_and_tells() -> None:
    image = make_image(pictures.png(96, 80))
    client = make_client("process")
    response = client.post(f"/api/images/{image.pk}/quality/")
    assert response.status_code == 202
    assert response["Location"].startswith("/api/jobs/")
    run_until_idle()
    answer = client.get(f"/api/images/{image.pk}/quality/").json()
    assert answer["grade"] is not None
    assert answer["profile"] == "photo default"
    assert [row["name"] for row in answer["causes"]] == list(CAUSES)
    size = next(row for row in answer["causes"] if row["name"] == "size")
    assert (size["value"], size["threshold"], size["is_fault"]) == (80, 200, True)
    brisque, piqe = answer["metrics"]
    assert (brisque["name"], brisque["is_available"]) == ("brisque", False)
    assert brisque["command"] == "manage.py models fetch brisque"
    assert (piqe["direction"], piqe["range"], piqe["is_stale"]) == ("lower", [0, 100], False)
    told = client.get(f"/api/images/{image.pk}/").json()
    assert told["quality_metrics"] == ["brisque", "piqe"]
    assert told["quality_scores"] == [None, piqe["value"]]
    assert told["quality_grade"] == answer["grade"]
    assert "odd_size" in [issue["code"] for issue in told["issues"]]


@pytest.mark.parametrize(
    ("metrics", "status", "code"),
    [
        (["brisque"], 422, "model_unavailable"),
        (["brisk"], 400, "invalid_choice"),
        ("piqe", 400, "invalid"),
    ],
)
def test_a_request_that_cannot_be_done_is_refused(metrics: Any, status: int, code: str) -> None:
    image = make_image()
    response = make_client("process").post(f"/api/images/{image.pk}/quality/", {"metrics": metrics})
    assert (response.status_code, response.json()["code"]) == (status, code)
    if status == 422:
        assert "manage.py models fetch brisque" in response.json()["detail"]


def test_measuring_needs_process_and_a_ready_image() -> None:
    image = make_image()
    assert make_client("write").post(f"/api/images/{image.pk}/quality/").status_code == 403
    assert make_client("read").get(f"/api/images/{image.pk}/quality/").status_code == 200
    Image.objects.filter(pk=image.pk).update(status="trashed")
    response = make_client("process").post(f"/api/images/{image.pk}/quality/")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_images_are_found_by_grade_and_issue() -> None:
    good = measured_rows(sharpness=0.8, noise=1.0)
    bad = measured_rows(sharpness=0.1, noise=20.0)
    (unmeasured,) = make_rows(1)
    client = make_client()

    def found(query: str) -> set[str]:
        response = client.get(f"/api/images/?{query}")
        assert response.status_code == 200, response.json()
        return {row["id"] for row in response.json()["results"]}

    assert found("min_quality=90") == {str(good.pk)}
    assert found("issue=blurred") == found("issue=noisy") == found("issue=any") == {str(bad.pk)}
    assert found("issue=dark") == set()
    assert found("ordering=quality_grade") == {str(good.pk), str(bad.pk), str(unmeasured.pk)}
    assert client.get("/api/images/?issue=blurry").json()["code"] == "invalid_choice"
    assert client.get("/api/images/?min_quality=101").status_code == 400


def test_the_list_asks_no_more_for_more_images(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = make_client()

    def queries() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            assert client.get("/api/images/").status_code == 200
        return len(captured)

    for image in make_rows(2):
        quality.save_rows(image, [{"metric": "piqe", "value": 20, "metric_version": "1"}])
    queries()
    few = queries()
    for image in make_rows(20):
        quality.save_rows(image, [{"metric": "piqe", "value": 20, "metric_version": "1"}])
    assert queries() == few


def test_metrics_and_causes_are_listed() -> None:
    rows = {row["name"]: row for row in make_client().get("/api/metrics/").json()}
    assert rows["piqe"]["available"] is True
    assert rows["brisque"]["why_not"]
    assert rows["brisque"]["command"] == "manage.py models fetch brisque"
    assert rows["sharpness"]["family"] == "cause"
    assert rows["musiq"]["direction"] == "higher"


def test_a_changed_profile_judges_its_kind_again_without_measuring() -> None:
    photo, product = measured_rows(sharpness=0.5), measured_rows(sharpness=0.5)
    Image.objects.filter(pk=product.pk).update(kind="product")
    client = make_client("process")
    preview = client.post("/api/quality-profiles/photo/preview/", {"thresholds": {"sharpness": 0.6}}).json()
    assert (preview["measured"], preview["flagged"], preview["version"]) == (1, 1, 0)
    response = client.put("/api/quality-profiles/photo/", {"thresholds": {"sharpness": 0.6, "noise": None}})
    assert response.status_code == 200
    assert response.json()["version"] == 1
    run_until_idle()
    photo.refresh_from_db()
    product.refresh_from_db()
    assert [issue["explanation"] for issue in photo.issues] == ["blurred: sharpness 0.50 < 0.60"]
    assert photo.quality_profile == "photo v1"
    assert product.issues == []
    profile = client.get("/api/quality-profiles/photo/").json()
    cutoffs = {row["measure"]: row["threshold"] for row in profile["thresholds"]}
    assert cutoffs == DEFAULT_CUTOFFS["photo"] | {"sharpness": 0.6, "noise": None}
    client.put("/api/quality-profiles/photo/", {"thresholds": {"sharpness": 0.4}})
    run_until_idle()
    photo.refresh_from_db()
    assert (photo.issues, photo.quality_profile) == ([], "photo v2")
    assert list(QualityProfile.objects.filter(active=True).values_list("version", flat=True)) == [2]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("photo", {"thresholds": {"sharpnes": 0.5}}, 400),
        ("photo", {"thresholds": {"sharpness": 1.5}}, 400),
        ("photo", {"thresholds": {"sharpness": "x"}}, 400),
        ("photo", {}, 400),
        ("painting", {"thresholds": {}}, 404),
    ],
)
def test_a_wrong_profile_is_refused(kind: str, body: dict, status: int) -> None:
    response = make_client("process").put(f"/api/quality-profiles/{kind}/", body)
    assert response.status_code == status, response.json()
    assert not QualityProfile.objects.exists()


def test_profiles_are_read_by_all_and_changed_by_operators() -> None:
    assert len(make_client("read").get("/api/quality-profiles/").json()) == 4
    response = make_client("write").put("/api/quality-profiles/photo/", {"thresholds": {"noise": 3}})
    assert response.status_code == 403


def test_counts_are_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    measured_rows(sharpness=0.1, noise=20.0)
    measured_rows(sharpness=0.9, noise=20.0)
    measured_rows(sharpness=0.9, noise=1.0)
    with django_assert_num_queries(1):
        found = profiles.counts("photo", DEFAULT_CUTOFFS["photo"])
    assert (found.measured, found.flagged) == (3, 2)
    assert (found.by_measure["sharpness"], found.by_measure["noise"]) == (1, 2)


def test_another_kind_is_judged_by_its_own_cutoffs() -> None:
    image = measured_rows(size=250.0, sharpness=0.9)
    assert image.issues == []
    update(image, actor=make_user("write"), changes={"kind": "product"})
    image.refresh_from_db()
    assert [issue["code"] for issue in image.issues] == ["odd_size"]
    assert image.quality_profile == "product default"


def test_a_fingerprint_gets_its_panel_and_advice() -> None:
    y, x = np.mgrid[0:300, 0:260]
    ridges = (127 + 100 * np.sin(2 * np.pi * np.hypot(x - 130, y - 400) / 9)).astype(np.uint8)
    stream = io.BytesIO()
    Pillow.fromarray(ridges).save(stream, "PNG")
    image = make_image(stream.getvalue(), name="print.png", kind="fingerprint")
    quality.submit_quality([image], metrics=[])
    run_until_idle()
    answer = make_client().get(f"/api/images/{image.pk}/quality/").json()
    assert answer["fingerprint"]["score"] == image.quality_scores.get(metric="fp_score").value
    assert "not NFIQ 2" in answer["fingerprint"]["disclaimer"]
    assert answer["grade"] <= answer["fingerprint"]["score"]
    assert answer["profile"] == "fingerprint default"


def test_purged_images_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from images.services import purge

    image = make_image(pictures.png(64, 64))
    quality.submit_quality([image], metrics=[])
    run_until_idle()
    purge(image, actor=make_user("admin"))
    assert not QualityScore.objects.filter(image=image).exists()
