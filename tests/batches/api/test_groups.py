"""Groups, their history and stages over REST."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from api.models import AuditEvent
from batches.groups import operations as grouping
from batches.membership import add_images
from batches.models import Batch
from tests.factories import make_client, make_rows, make_user
from tests.factories.shoes import at, ids, keys, placed, shoes

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


@pytest.fixture
def rows():
    return make_rows(6)


@pytest.fixture
def batch(rows):
    return shoes(rows)


def test_list_of_groups(client, batch):
    response = client.get(at(batch, "groups/"))

    body = response.json()
    told = [(row["label"], row["title"], row["count"], row["status"]) for row in body["results"]]
    assert told == [("a", "red shoes", 3, "open"), ("b", "boots", 2, "open")]
    assert (body["count"], body["unassigned"], body["version"]) == (2, 1, 3)
    assert response["ETag"] == '"3"'


@pytest.mark.parametrize(
    ("ordering", "labels"),
    [("-count", "ab"), ("count", "ba"), ("-label", "ba"), ("name", "ba"), ("cohesion", "ab")],
)
def test_groups_in_order(client, batch, ordering, labels):
    rows = client.get(at(batch, "groups/"), {"ordering": ordering}).json()["results"]

    assert "".join(row["label"] for row in rows) == labels


def test_lists_take_as_many_queries_for_few_as_for_many(client, batch):
    def queries(part):
        with CaptureQueriesContext(connection) as counted:
            assert client.get(at(batch, part)).status_code == 200
        return len(counted)

    parts = ("groups/", "images/", "changes/", "runs/", "suggestions/", "map/", "")
    queries("groups/")  # the first request marks the key as used
    before = {part: queries(part) for part in parts}
    new = make_rows(30)
    add_images(batch, keys(new), actor=None)
    for row in new[:20]:
        grouping.create_group(batch, image_ids=[row.pk], actor=None)
    after = {part: queries(part) for part in parts}

    assert after == before


def test_images_tell_their_place(client, batch, rows):
    grouping.decide(batch, [rows[0].pk], decision="rejected", reason="blurred", actor=None)
    grouping.lock(batch, [rows[1].pk], locked=True, actor=None)

    first, second, *_, last = client.get(at(batch, "images/")).json()["results"]

    place = ("group_label", "assigned_by", "locked", "decision", "reject_reason")
    assert [first[name] for name in place] == ["a", "manual", False, "rejected", "blurred"]
    assert [second[name] for name in place] == ["a", "manual", True, "pending", ""]
    assert [last[name] for name in place] == [None, "", False, "pending", ""]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"group": "a"}, 3),
        ({"group": "unassigned"}, 1),
        ({"decision": "rejected"}, 1),
        ({"group": "b", "decision": "rejected"}, 0),
        ({"locked": "true"}, 0),
    ],
)
def test_images_filtered(client, batch, rows, query, count):
    grouping.decide(batch, [rows[0].pk], decision="rejected", actor=None)

    assert client.get(at(batch, "images/"), query).json()["count"] == count


def test_make_a_group(client, batch, rows):
    response = client.post(at(batch, "groups/"), {"name": "hats", "image_ids": ids(rows[4:])})

    body = response.json()
    group = {name: body["group"][name] for name in ("label", "name", "title", "count", "status", "cover")}
    expected = {
        "label": "1",
        "name": "hats",
        "title": "hats",
        "count": 2,
        "status": "open",
        "cover": ids(rows)[4],
    }
    assert (response.status_code, group) == (201, expected)
    assert (response["ETag"], body["version"]) == ('"4"', 4)
    assert body["change"]["summary"] == "created the group hats with 2 images"
    assert placed(batch) == ["a", "a", "a", "b", "1", "1"]


def test_a_repeated_request_makes_one_group(client, batch):
    first, second = [
        client.post(at(batch, "groups/"), {"name": "hats"}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)
    ]

    assert first.json() == second.json()
    assert (second["Idempotent-Replayed"], second["ETag"]) == ("true", '"4"')
    assert batch.groups.count() == 3


def test_rename_confirm_and_cover(client, batch, rows):
    body = {
        "name": "sandals",
        "label": "s",
        "colour": "#E11D48",
        "cover": ids(rows)[1],
        "status": "confirmed",
    }

    response = client.patch(at(batch, "groups/a/"), body)

    group = response.json()["group"]
    assert {name: group[name] for name in body} == {**body, "colour": "#e11d48"}
    assert response.json()["change"]["summary"] == "renamed red shoes to sandals"
    assert client.get(at(batch, "groups/s/")).json()["title"] == "sandals"
    assert client.get(at(batch, "groups/a/")).status_code == 404


def test_a_change_that_changes_nothing_is_no_step(client, batch):
    response = client.patch(at(batch, "groups/a/"), {"name": "red shoes"})

    assert (response.status_code, response.json()["change"], response.json()["version"]) == (200, None, 3)


def test_a_cover_that_left_its_group_is_not_shown(client, batch, rows):
    grouping.edit_group(batch, "a", values={"cover": rows[2].pk}, actor=None)
    grouping.move(batch, [rows[2].pk], to="b", actor=None)

    assert client.get(at(batch, "groups/a/")).json()["cover"] == ids(rows)[0]


def test_dissolve(client, batch):
    response = client.delete(at(batch, "groups/a/"))

    assert response.json()["change"]["summary"] == "dissolved red shoes (3 images)"
    assert placed(batch) == [None, None, None, "b", "b", None]


def test_merge(client, batch):
    body = client.post(at(batch, "groups/merge/"), {"into": "a", "from": ["b"]}).json()

    assert (body["group"]["count"], body["change"]["kind"]) == (5, "merge")
    assert placed(batch) == ["a"] * 5 + [None]


def test_split(client, batch, rows):
    asked = {"label": "a", "image_ids": ids(rows[:1]), "name": "left"}

    response = client.post(at(batch, "groups/split/"), asked)

    assert (response.status_code, response.json()["group"]["title"]) == (201, "left")
    assert placed(batch) == ["1", "a", "a", "b", "b", None]


def test_move_there_and_out(client, batch, rows):
    there = client.post(at(batch, "groups/move/"), {"image_ids": ids(rows[:2]), "to": "b"}).json()
    out = client.post(at(batch, "groups/move/"), {"image_ids": ids(rows[2:3]), "to": None}).json()

    assert there["change"]["summary"] == "moved 2 images from red shoes to boots"
    assert out["change"]["summary"] == "moved 1 image out of its group"
    assert placed(batch) == ["b", "b", None, "b", "b", None]


def test_decide_and_lock(client, batch, rows):
    asked = {"image_ids": ids(rows[:2]), "decision": "rejected", "reason": "blurred"}

    decided = client.post(at(batch, "groups/decide/"), asked).json()
    locked = client.post(at(batch, "groups/lock/"), {"image_ids": ids(rows[:1]), "locked": True}).json()

    assert [decided["change"]["summary"], locked["change"]["summary"]] == [
        "rejected 2 images: blurred",
        "locked 1 image",
    ]
    assert client.get(at(batch)).json()["rejected_count"] == 2


def test_set_groups_by_label(client, batch, rows):
    asked = {"groups": {"a": ids(rows[3:4]), "new": ids(rows[4:5]), "noise": ids(rows[:1])}}

    response = client.put(at(batch, "groups/"), asked)

    assert response.json()["change"]["summary"] == "set the groups of 3 images; 3 moved"
    assert placed(batch) == [None, "a", "a", "a", "new", None]


def test_set_groups_by_assignments(client, batch, rows):
    asked = {"assignments": [{"image_id": ids(rows)[0], "group_label": "new"}]}

    refused = client.put(at(batch, "groups/"), asked)
    made = client.put(at(batch, "groups/"), {**asked, "create": True})

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "group_label")
    assert "“new”" in refused.json()["detail"]
    assert made.status_code == 200
    assert placed(batch)[0] == "new"


# The history


def test_history_undo_and_redo(client, batch, rows):
    before = placed(batch)
    client.post(at(batch, "groups/move/"), {"image_ids": ids(rows[:2]), "to": "b"})

    undone = client.post(at(batch, "undo/")).json()
    back = placed(batch)
    redone = client.post(at(batch, "redo/")).json()

    assert undone["change"]["summary"] == "undid: moved 2 images from red shoes to boots"
    assert redone["change"]["kind"] == "redo"
    assert (back, placed(batch)) == (before, ["b", "b", "a", "b", "b", None])


def test_history_tells_what_can_be_undone(client, batch, rows):
    client.post(at(batch, "groups/lock/"), {"image_ids": ids(rows[:1]), "locked": True})
    client.post(at(batch, "undo/"))

    body = client.get(at(batch, "changes/")).json()

    told = [(row["sequence"], row["kind"], row["is_undone"], row["can_undo"]) for row in body["results"]]
    assert told[:3] == [(5, "undo", False, False), (4, "lock", True, False), (3, "create_group", False, True)]
    assert (body["undo"], body["redo"], body["version"]) == (3, 4, 5)
    assert body["results"][1]["undone_by"] == 5
    assert client.get(at(batch, "changes/"), {"since": 4}).json()["results"] == body["results"][:1]


def test_history_goes_on_by_its_cursor(client, batch, rows):
    for number in range(60):
        grouping.lock(batch, [rows[0].pk], locked=number % 2 == 0, actor=None)

    first = client.get(at(batch, "changes/")).json()
    second = client.get(first["next"]).json()

    found = [row["sequence"] for row in first["results"] + second["results"]]
    assert found == list(range(63, 0, -1))


def test_undo_of_an_older_change_names_the_conflicts(client, batch, rows):
    grouping.move(batch, [rows[0].pk, rows[1].pk], to="b", actor=None)
    grouping.move(batch, [rows[0].pk], to=None, actor=make_user(username="anna"))

    refused = client.post(at(batch, "changes/4/undo/"))
    partly = client.post(at(batch, "changes/4/undo/"), {"skip_conflicts": True})

    body = refused.json()
    assert (refused.status_code, body["code"], len(body["errors"])) == (409, "conflict", 1)
    assert "anna" in body["detail"]
    assert partly.status_code == 200
    assert placed(batch) == [None, "a", "a", "b", "b", None]


# Two people at once


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"HTTP_IF_MATCH": '"3"'}, {}, 200),
        ({"HTTP_IF_MATCH": 'W/"3"'}, {}, 200),
        ({"HTTP_IF_MATCH": "*"}, {}, 200),
        ({}, {"version": 3}, 200),
        ({"HTTP_IF_MATCH": '"2"'}, {}, 412),
        ({}, {"version": 2}, 409),
        ({"HTTP_IF_MATCH": "banana"}, {}, 400),
        ({"HTTP_IF_MATCH": '"-1"'}, {}, 400),
        ({}, {"version": "banana"}, 400),
        ({}, {"version": -1}, 400),
    ],
)
def test_the_version_that_was_seen(client, batch, rows, headers, body, status):
    before = placed(batch)

    response = client.post(
        at(batch, "groups/move/"), {"image_ids": ids(rows[:1]), "to": "b", **body}, **headers
    )

    assert response.status_code == status
    assert (placed(batch) == before) == (status != 200)


def test_a_stale_version_tells_who_did_what(client, batch, rows):
    grouping.lock(batch, [rows[0].pk], locked=True, actor=make_user(username="anna"))

    response = client.delete(at(batch, "groups/a/"), HTTP_IF_MATCH='"3"')

    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")
    assert "by anna: locked 1 image" in response.json()["detail"]
    assert response["ETag"] == '"4"'


# The stages


def test_the_way_through_the_review(client, batch):
    def move(name, **body):
        answer = client.post(at(batch, f"{name}/"), body)
        return answer.status_code, answer.json().get("review_stage")

    assert client.get(at(batch)).json()["moves"] == ["submit"]
    assert move("submit") == (200, "validation")
    assert move("reject")[0] == 400
    assert move("reject", reason="look again") == (200, "work")
    assert move("approve")[0] == 409
    told = {"confirm": True, "reason": "good enough"}
    assert [move("submit"), move("approve", **told), move("approve", **told)][-1] == (200, "approved")
    assert client.delete(at(batch, "groups/a/")).status_code == 409
    assert client.get(at(batch)).json()["moves"] == ["reopen"]
    assert move("reopen") == (200, "work")


def test_a_reviewer_validates_only_their_own_batch(batch):
    reviewer, other = make_client("write"), make_client("write")
    Batch.objects.filter(pk=batch.pk).update(review_stage="validation", reviewer=reviewer.user)

    told = {"confirm": True, "reason": "good enough"}
    answers = [person.post(at(batch, "approve/"), told).status_code for person in (other, reviewer, reviewer)]

    assert answers == [403, 200, 403]


def test_an_unfinished_batch_is_approved_only_with_a_confirmation_and_a_reason(client, batch):
    client.post(at(batch, "submit/"))
    present = batch.batch_images.all()
    counts = {
        "ungrouped": present.filter(group=None).exclude(decision="rejected").count(),
        "groups_open": batch.groups.count(),
        "undecided": present.filter(decision="pending").count(),
    }
    assert min(counts.values()) > 0

    for body in ({}, {"confirm": False, "reason": "because"}):
        answer = client.post(at(batch, "approve/"), body)
        told = answer.json()
        assert (answer.status_code, told["code"], told["unfinished"]) == (409, "batch_unfinished", counts)
        assert f"{counts['ungrouped']} image" in told["detail"]
    wordless = client.post(at(batch, "approve/"), {"confirm": True, "reason": " "})
    assert (wordless.status_code, wordless.json()["errors"][0]["field"]) == (400, "reason")
    batch.refresh_from_db()
    assert batch.review_stage == "validation"

    done = client.post(at(batch, "approve/"), {"confirm": True, "reason": "rest next week"})
    event = AuditEvent.objects.filter(action="batch.approve").latest("pk")
    assert (done.status_code, done.json()["review_stage"]) == (200, "acceptance")
    assert event.detail == {"stage": "acceptance", "reason": "rest next week", "unfinished": counts}
    assert batch.changes.order_by("-sequence").first().summary == "validated the batch: rest next week"


def test_a_finished_batch_is_approved_without_a_question(client, batch):
    client.post(at(batch, "submit/"))
    batch.groups.update(status="confirmed")
    batch.batch_images.filter(group=None).update(decision="rejected")

    answers = [client.post(at(batch, "approve/")) for _ in range(2)]

    assert [answer.json().get("review_stage") for answer in answers] == ["acceptance", "approved"]
    assert client.post(at(batch, "reopen/")).status_code == 200


def test_archive_delete_and_restore(client, batch):
    archived = client.post(at(batch, "archive/")).json()
    found = [client.get("/api/batches/", {"archived": word}).json()["count"] for word in ("true", "false")]
    back = client.post(at(batch, "unarchive/")).json()
    client.delete(at(batch))
    hidden = [client.get(at(batch)).status_code, client.get("/api/batches/").json()["count"]]
    deleted = client.get("/api/batches/", {"deleted": "true"}).json()["results"]
    restored = client.post(at(batch, "restore/")).json()

    assert (archived["status"], found, back["status"]) == ("archived", [1, 0], "draft")
    assert (hidden, [row["id"] for row in deleted]) == ([404, 0], [str(batch.pk)])
    assert (restored["deleted_at"], restored["group_count"]) == (None, 2)
    assert client.post(at(batch, "restore/")).status_code == 409
