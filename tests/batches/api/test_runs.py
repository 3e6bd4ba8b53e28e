"""Analyzing batches, and what comes of it, over REST."""

import json
import struct
import threading

import pytest
from django.db import connection

from batches.groups import operations as grouping
from batches.models import Batch
from processing.engine.worker import run_until_idle
from tests.factories import make_client, make_image, make_rows, pictures, upload
from tests.factories.analyzed import MODEL, analysed, batch_of, heaps, with_vectors

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


@pytest.fixture
def images():
    return with_vectors(heaps(8, 12, noise=4))


@pytest.fixture
def batch(images):
    """Two heaps of 8 and 12 images, and 4 that belong to none."""
    return batch_of(images)


def work():
    """As another process would, while a request waits."""
    try:
        run_until_idle()
    finally:
        connection.close()


def at(batch, part=""):
    return f"/api/batches/{batch.pk}/{part}"


def ids(rows):
    return [str(row.pk) for row in rows]


def test_analyze_is_a_job(client, batch):
    response = client.post(at(batch, "analyze/"), {"model": MODEL})

    body = response.json()
    assert (response.status_code, response["Location"]) == (202, f"/api/jobs/{body['job']}/")
    assert (body["run"]["number"], body["run"]["status"], "Retry-After" in response) == (1, "queued", True)
    waiting = client.get(at(batch)).json()
    assert (waiting["status"], waiting["progress"]) == (
        "queued",
        {"percent": 0, "job": body["job"], "kind": "analyze", "status": "queued"},
    )

    run_until_idle()

    done = client.get(at(batch)).json()
    counts = ("status", "active_run", "group_count", "assigned_count", "unassigned_count", "progress")
    assert [done[name] for name in counts] == ["complete", 1, 2, 20, 4, None]


def test_a_second_analysis_waits_for_the_first(client, batch):
    client.post(at(batch, "analyze/"), {"model": MODEL})

    response = client.post(at(batch, "analyze/"), {"model": MODEL})

    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert "Run 1" in response.json()["detail"]


def test_a_dry_run_only_tells(client, batch):
    body = client.post(at(batch, "analyze/"), {"model": MODEL, "dry_run": True}).json()

    assert [body[name] for name in ("dry_run", "images", "to_embed", "unusable")] == [True, 24, 0, 0]
    assert body["seconds"]["p50"] <= body["seconds"]["p90"]
    assert batch.runs.count() == 0


@pytest.mark.parametrize("part", ["analyze/", "analyze"])
@pytest.mark.django_db(transaction=True)
def test_put_waits_for_the_groups(client, batch, images, part):
    worker = threading.Timer(0.5, work)
    worker.start()
    response = client.put(at(batch, part), {"model": MODEL})
    worker.join()

    body = response.json()
    assert (response.status_code, response["Preference-Applied"]) == (200, "wait=10")
    assert (body["batch_name"], body["status"], body["run"]["is_active"]) == ("Heaps", "complete", True)
    assert [(row["group_label"], row["count"]) for row in body["groups"]] == [("1", 12), ("2", 8)]
    assert body["groups"][1]["images"] == ids(images[:8])
    assert body["unassigned"] == ids(images[20:])


def test_put_answers_202_where_vectors_are_missing(client, batch):
    client.post(at(batch, "images/"), {"image_ids": ids(make_rows(1))})

    response = client.put(at(batch, "analyze/"), {"model": MODEL})

    assert (response.status_code, response.json()["run"]["status"]) == (202, "queued")


def test_one_who_prefers_not_to_wait_does_not(client, batch):
    response = client.put(at(batch, "analyze/"), {"model": MODEL}, HTTP_PREFER="wait=0")

    assert (response.status_code, response.json()["run"]["number"]) == (202, 1)


def test_runs_tell_how_to_repeat_them(client, batch):
    run = analysed(batch, min_cluster_size=4)

    rows = client.get(at(batch, "runs/")).json()["results"]
    one = client.get(at(batch, "runs/1/")).json()

    assert [(row["number"], row["is_active"], row["groups"]) for row in rows] == [(1, True, [])]
    assert (one["parameters"]["min_cluster_size"], one["weights_sha256"]) == (4, run.weights_sha256)
    assert (len(one["groups"]), one["n_noise"], one["model"]) == (2, 4, MODEL)
    assert set(one["library_versions"]) >= {"hdbscan", "numpy"}


def test_a_sweep_tries_a_grid(client, batch):
    asked = {"model": MODEL, "mode": "sweep", "sizes": [3, 5], "samples": [2, None]}
    client.post(at(batch, "analyze/"), asked)
    run_until_idle()

    run = client.get(at(batch, "runs/1/")).json()

    assert (run["status"], len(run["grid"])) == ("completed", 4)
    assert client.get(at(batch, "runs/1/diff/")).status_code == 409
    assert client.post(at(batch, "runs/1/activate/")).status_code == 409
    assert batch.groups.count() == 0


def test_a_run_is_taken_over_by_group(client, batch, images):
    analysed(batch)
    client.patch(at(batch, "groups/1/"), {"name": "boots"})
    client.post(at(batch, "groups/merge/"), {"into": "1", "from": ["2"]})
    analysed(batch, activate="never")

    diff = client.get(at(batch, "runs/2/diff/")).json()
    new = [item for item in diff["items"] if item["kind"] == "new"]
    body = client.post(
        at(batch, "runs/2/activate/"), {"items": ["banana"]}, HTTP_IF_MATCH=f'"{diff["version"]}"'
    )

    assert (body.status_code, batch.groups.count()) == (400, 1)
    assert diff["held"] + diff["moved"] + len(new) > 0


def test_activating_is_one_step_that_undo_takes_back(client, batch):
    analysed(batch, activate="never")
    version = client.get(at(batch)).json()["version"]

    stale = client.post(at(batch, "runs/1/activate/"), {}, HTTP_IF_MATCH=f'"{version - 1}"')
    done = client.post(at(batch, "runs/1/activate/"), {}, HTTP_IF_MATCH=f'"{version}"')
    again = client.post(at(batch, "runs/1/activate/"), {})
    client.post(at(batch, "undo/"))

    assert (stale.status_code, done.status_code, again.status_code) == (412, 200, 409)
    assert (done.json()["change"]["kind"], done.json()["run"]["is_active"]) == ("apply_run", True)
    assert (batch.groups.count(), Batch.objects.get(pk=batch.pk).active_run_id) == (0, None)


def test_groups_tell_how_tight_they_are(client, batch, images):
    analysed(batch)

    rows = client.get(at(batch, "groups/"), {"ordering": "cohesion"}).json()["results"]

    assert len(rows) == 2
    assert all(0.9 < row["cohesion"] <= 1 and row["radius"] > 0 for row in rows)
    assert rows[0]["cohesion"] <= rows[1]["cohesion"]
    assert {row["cover"] for row in rows} <= set(ids(images[:20]))


def test_the_map(client, batch, images):
    analysed(batch)

    drawn = client.get(at(batch, "map/")).json()
    packed = client.get(at(batch, "map/"), {"format": "f32"})

    assert (drawn["run"], len(drawn["points"]), drawn["unplaced"]) == (1, 24, 0)
    assert {point["image"] for point in drawn["points"]} == set(ids(images))
    assert [group["label"] for group in drawn["groups"]] == ["1", "2"]
    assert packed["Content-Type"] == "application/octet-stream"
    x, y, *_ = struct.unpack("<5f", packed.content[:20])
    assert (x, y) == pytest.approx((drawn["points"][0]["x"], drawn["points"][0]["y"]), abs=1e-4)
    assert len(packed.content) == 24 * 20


def test_suggestions_are_counted_and_accepted(client, batch):
    analysed(batch)

    body = client.get(at(batch, "suggestions/"), {"limit": 2}).json()
    counted = client.post(at(batch, "suggestions/accept/"), {"max_distance": 2, "dry_run": True}).json()
    one = client.post(at(batch, "suggestions/accept/"), {"image_ids": [body["results"][0]["image"]]}).json()
    rest = client.post(at(batch, "suggestions/accept/"), {"max_distance": 2}).json()

    assert (body["count"], body["unassigned"], len(body["results"])) == (4, 4, 2)
    assert body["steps"][-1][1] == 4
    assert set(body["results"][0]["choices"][0]) == {"group_label", "title", "distance", "is_inside"}
    assert (counted["count"], counted["change"]) == (4, None)
    assert sum(row["count"] for row in counted["groups"]) == 4
    assert (one["count"], rest["count"]) == (1, 3)
    assert client.get(at(batch)).json()["unassigned_count"] == 0


def test_an_automatic_split_is_a_job(client, images):
    batch = batch_of(images)
    grouping.create_group(batch, label="all", image_ids=[row.pk for row in images[:20]], actor=None)

    begun = client.post(at(batch, "groups/split/"), {"label": "all", "auto": True}, HTTP_PREFER="wait=0")
    run_until_idle()

    assert (begun.status_code, begun["Location"]) == (202, f"/api/jobs/{begun.json()['job']}/")
    assert batch.groups.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_automatic_split_is_waited_for(client, images):
    batch = batch_of(images)
    grouping.create_group(batch, label="all", image_ids=[row.pk for row in images[:20]], actor=None)

    worker = threading.Timer(0.5, work)
    worker.start()
    response = client.post(at(batch, "groups/split/"), {"label": "all", "auto": True})
    worker.join()

    body = response.json()
    assert (response.status_code, body["change"]["kind"], len(body["groups"])) == (201, "split", 1)
    assert body["moved"] == body["groups"][0]["count"]


# Work and files


@pytest.fixture
def photos(client):
    """A batch of two real pictures, one of them in the group red."""
    rows = [make_image(pictures.png(seed=500 + number), name=f"photo{number}.png") for number in range(2)]
    batch = batch_of(rows, "Red shoes")
    grouping.create_group(batch, label="red", image_ids=[rows[0].pk], actor=None)
    return batch


def test_process_tells_the_cost_first(client, photos):
    asked = {"operations": ["webp"], "filter": {"group": "red"}}

    told = client.post(at(photos, "process/"), {**asked, "dry_run": True}).json()
    job = client.post(at(photos, "process/"), {**asked, "priority": "high", "filename_prefix": "x"})

    assert [told[name] for name in ("dry_run", "images", "items", "cached")] == [True, 1, 1, 0]
    assert (job.status_code, len(job.json()["operations"]), job.json()["priority"]) == (202, 1, "high")
    assert job["Location"] == f"/api/jobs/{job.json()['id']}/"


def test_a_repeated_process_is_one_job(client, photos):
    jobs = [
        client.post(at(photos, "process/"), {"operations": ["webp"]}, HTTP_IDEMPOTENCY_KEY="once").json()[
            "id"
        ]
        for _ in range(2)
    ]

    assert jobs[0] == jobs[1]
    assert photos.jobs.count() == 1


@pytest.mark.parametrize(
    ("query", "content_type", "name", "start"),
    [
        ({}, "text/csv; charset=utf-8", "Red_shoes.csv", b"image"),
        ({"format": "json"}, "application/json", "Red_shoes.json", b"{"),
        ({"format": "zip"}, "application/zip", "Red_shoes.zip", b"PK"),
    ],
)
def test_export_streams(client, photos, query, content_type, name, start):
    response = client.get(at(photos, "export/"), query)

    content = b"".join(response.streaming_content)
    assert (response.status_code, response["Content-Type"]) == (200, content_type)
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert int(response["Content-Length"]) == len(content)
    assert content.removeprefix(b"\xef\xbb\xbf").startswith(start)


def test_manifest_and_statistics(client, photos):
    manifest = json.loads(b"".join(client.get(at(photos, "manifest/")).streaming_content))
    numbers = client.get(at(photos, "statistics/")).json()

    assert len(manifest["images"]) == 2
    assert [numbers[name] for name in ("images", "assigned", "groups")] == [2, 1, 1]
    assert numbers["group_sizes"] == [{"label": "red", "title": "Group red", "status": "open", "count": 1}]


# Near-duplicates


def test_near_duplicates_are_resolved_and_undone(client):
    rows = make_rows(3, phash=5)
    rows += make_rows(1, phash=-1)
    batch = batch_of(rows)

    found = client.get(at(batch, "near-duplicates/")).json()
    counted = client.post(at(batch, "near-duplicates/resolve/"), {"all": True, "dry_run": True}).json()
    done = client.post(at(batch, "near-duplicates/resolve/"), {"all": True}).json()
    rejected = client.get(at(batch)).json()["rejected_count"]
    after = client.get(at(batch, "near-duplicates/")).json()
    client.post(at(batch, "undo/"))

    (near,) = found["results"]
    assert (found["threshold"], len(near["images"]), near["images"][0]["image"]) == (0.5, 3, near["original"])
    assert (counted["sets"], counted["rejected"], counted["change"]) == (1, 2, None)
    assert (done["change"]["kind"], rejected) == ("resolve_duplicates", 2)
    assert [row["is_decided"] for row in after["results"]] == [True]
    assert client.get(at(batch)).json()["rejected_count"] == 0


# Made of what


def test_a_batch_of_a_filter(client):
    make_rows(2, tags=["shoes"])
    make_rows(3)

    batch = client.post("/api/batches/", {"batch_name": "Shoes", "filter": {"tag": "shoes"}}).json()
    added = client.post(f"/api/batches/{batch['id']}/images/", {"all": True}).json()

    assert (batch["image_count"], added["added"], added["image_count"]) == (2, 3, 5)


def test_a_batch_of_files(client):
    files = [upload(pictures.png(seed=700 + number), f"{number}.png") for number in range(2)]
    form = {"batch_name": "Shoes", "file": [*files, upload(b"no picture", "x.png")]}

    response = client.post("/api/batches/", form, format="multipart")

    body = response.json()
    assert (response.status_code, body["batch_name"], body["image_count"]) == (201, "Shoes", 2)
    assert [row["status"] for row in body["upload"]["results"]] == ["created", "created", "rejected"]


@pytest.mark.parametrize(
    "form",
    [
        {"batch_name": "Shoes", "file": upload(b"no picture", "x.png")},
        {"batch_name": "", "file": upload(pictures.png(seed=710), "a.png")},
        {"file": upload(pictures.png(seed=711), "a.png")},
        {"batch_name": "Shoes", "banana": "1", "file": upload(pictures.png(seed=712), "a.png")},
    ],
)
def test_a_wrong_form_makes_no_batch(client, form):
    response = client.post("/api/batches/", form, format="multipart")

    assert response.status_code in (400, 415)
    assert Batch.objects.count() == 0


def test_what_describes_a_batch(client):
    asked = {"batch_name": "Shoes", "priority": "urgent", "kind": "import", "assignee": client.user.username}

    made = client.post("/api/batches/", {**asked, "reviewer": client.user.username}).json()
    address = f"/api/batches/{made['id']}/"
    changed = client.patch(address, {"priority": "low", "assignee": None}, HTTP_IF_MATCH='"0"').json()
    stale = client.patch(address, {"note": "x"}, HTTP_IF_MATCH='"9"')

    assert {name: made[name] for name in asked} == asked
    assert (changed["priority"], changed["assignee"], changed["reviewer"]) == (
        "low",
        None,
        client.user.username,
    )
    assert stale.status_code == 412


def test_the_list_is_filtered_and_ordered(client):
    for name, priority in (("Boots", "low"), ("Hats", "urgent"), ("Shoes", "low")):
        client.post("/api/batches/", {"batch_name": name, "priority": priority})

    def names(**query):
        return [row["batch_name"] for row in client.get("/api/batches/", query).json()["results"]]

    assert names(priority="low") == ["Shoes", "Boots"]
    assert names(ordering="-batch_name") == ["Shoes", "Hats", "Boots"]
    assert names(ordering="priority")[0] == "Hats"
    assert names(review_stage="approved") == []
    assert names(assignee="nobody") == []
