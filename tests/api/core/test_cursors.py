"""Lists that are read by cursor while others add and delete rows."""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.access.keys import create_key
from api.models import ApiKey, AuditEvent
from batches.api.viewset import BatchFilter
from batches.models import Batch, BatchImage, ClusterRun, GroupingChange
from images.api.filters import ImageFilter
from images.models import DuplicatePair, Image
from processing.filters import ArtifactFilter, JobFilter
from processing.models import Artifact, Job, JobEvent, Operation, OperationArtifact
from processing.states import JobStatus, Priority
from tests.factories import make_client, make_rows, make_user

pytestmark = pytest.mark.django_db

DAY = datetime(2025, 1, 1, tzinfo=UTC)
ROWS, PAGE = 150, 20
numbers = itertools.count(1)


@pytest.fixture
def client():
    return make_client("admin")


def moment(number: int) -> datetime:
    """Few different ones, so that many rows have equal values, and not on a whole millisecond."""
    return DAY + timedelta(microseconds=number % 7)


def make_images(count: int) -> list[Any]:
    images = make_rows(count)
    for number, image in enumerate(images):
        image.created_at = moment(number)
        image.captured_at = moment(number) if number % 3 else None
        image.quality_grade = number % 5 / 3 if number % 4 else None
        image.width, image.title = 640 + number % 4, ["é", "E", "", "z"][number % 4]
    Image.objects.bulk_update(images, ["created_at", "captured_at", "quality_grade", "width", "title"])
    return [image.pk for image in images]


def make_jobs(count: int, *, image: Image | None = None) -> list[Any]:
    jobs = []
    for number in range(count):
        is_done = number % 2 == 0
        status = JobStatus.COMPLETED if is_done else JobStatus.QUEUED
        finished_at, started_at = moment(number) if is_done else None, moment(number) if number % 3 else None
        jobs.append(
            Job(
                kind="process",
                status=status,
                finished_at=finished_at,
                started_at=started_at,
                operations_total=1 + number % 3,
                priority=Priority.values[number % len(Priority)],
            )
        )
    Job.objects.bulk_create(jobs)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(created_at=DAY)
    if image:
        Operation.objects.bulk_create(
            Operation(job=job, position=0, name="blur", image=image) for job in jobs
        )
    return [job.pk for job in jobs]


def make_batches(count: int) -> list[Any]:
    batches = Batch.objects.bulk_create(Batch(batch_name=f"Batch {number % 6}") for number in range(count))
    Batch.objects.filter(pk__in=[batch.pk for batch in batches]).update(created_at=DAY)
    for batch in batches[::4]:
        BatchImage.objects.create(batch=batch, image=make_rows(1)[0])
    return [batch.pk for batch in batches]


def make_artifacts(count: int, *, job: Job, image: Image) -> list[Any]:
    links = []
    for number in range(count):
        operation = Operation.objects.create(
            job=job,
            position=next(numbers),
            name="blur",
            image=image,
            finished_at=moment(number) if number % 3 else None,
        )
        artifact = Artifact.objects.create(
            cache_key=uuid.uuid4().hex,
            file="x",
            sha256="0" * 64,
            format="png",
            byte_size=number % 3,
            width=1,
            height=1,
        )
        name = f"{number % 9}.png"
        links.append(OperationArtifact.objects.create(operation=operation, artifact=artifact, name=name))
    return [link.pk for link in links]


def make_pairs(count: int) -> list[Any]:
    images = sorted(make_rows(2 * count), key=lambda image: image.pk)
    pairs = DuplicatePair.objects.bulk_create(
        DuplicatePair(a=a, b=b, kind="near", distance=number % 4 / 7)
        for number, (a, b) in enumerate(zip(images[::2], images[1::2], strict=True))
    )
    return [pair.pk for pair in pairs]


@dataclass(frozen=True)
class List:
    path: str
    make: Callable[[int], list[Any]]  # rows of the list, by what `key` names
    delete: Callable[[Any], Any] | None
    key: Callable[[dict[str, Any]], Any] = lambda row: row["id"]


def deleting(model: Any, field: str = "pk") -> Callable[[Any], Any]:
    return lambda key: model.objects.filter(**{field: key}).delete()


def inserting(field: str, row: Callable[[], Any]) -> Callable[[int], list[Any]]:
    def make(count: int) -> list[Any]:
        rows = [row() for _ in range(count)]
        return [getattr(one, field) for one in type(rows[0]).objects.bulk_create(rows)]

    return make


def part_of_a_batch(name: str) -> List:
    batch = Batch.objects.create(batch_name="One")
    path = f"/api/batches/{batch.pk}/{name}/"

    def member() -> BatchImage:
        return BatchImage(batch=batch, image=make_rows(1)[0], position=next(numbers) % 9)

    def run() -> ClusterRun:
        return ClusterRun(batch=batch, number=next(numbers), status="failed")

    def change() -> GroupingChange:
        return GroupingChange(batch=batch, sequence=next(numbers), version=1, kind="move")

    if name == "images":
        return List(path, inserting("image_id", member), deleting(BatchImage, "image"))
    if name == "runs":
        return List(path, inserting("number", run), deleting(ClusterRun, "number"), lambda row: row["number"])
    delete = deleting(GroupingChange, "sequence")
    return List(path, inserting("sequence", change), delete, lambda row: row["sequence"])


def part_of_an_image(name: str) -> List:
    image = make_rows(1)[0]
    path = f"/api/images/{image.pk}/{name}/"

    def event() -> AuditEvent:
        return AuditEvent(action=str(next(numbers)), target_type="image", target_id=str(image.pk))

    if name == "history":
        return List(path, inserting("action", event), None, lambda row: row["action"])
    if name == "jobs":
        return List(path, partial(make_jobs, image=image), deleting(Job))
    job = Job.objects.create(kind="process")
    return List(path, partial(make_artifacts, job=job, image=image), deleting(OperationArtifact))


def part_of_a_job(name: str) -> List:
    job = Job.objects.create(kind="process")
    path = f"/api/jobs/{job.pk}/{name}/"

    def event() -> JobEvent:
        return JobEvent(job=job, code=str(next(numbers)))

    def operation() -> Operation:
        return Operation(job=job, position=next(numbers), name="blur")

    if name == "events":
        return List(path, inserting("code", event), deleting(JobEvent, "code"), lambda row: row["code"])
    if name == "operations":
        return List(path, inserting("id", operation), deleting(Operation))
    make = partial(make_artifacts, job=job, image=make_rows(1)[0])
    return List(path, make, deleting(OperationArtifact))


def make_list(path: str) -> List:
    whole, _, name = path.removeprefix("/api/").strip("/").partition("/{id}/")
    if name:
        return {"batches": part_of_a_batch, "images": part_of_an_image, "jobs": part_of_a_job}[whole](name)
    if whole == "artifacts":
        make = partial(make_artifacts, job=Job.objects.create(kind="process"), image=make_rows(1)[0])
        return List(path, make, deleting(OperationArtifact))
    if whole == "api-keys":
        owner = make_user("admin")

        def make_keys(count: int) -> list[Any]:
            return [create_key("x", user=owner, scopes=["read"])[0].pk for _ in range(count)]

        return List(path, make_keys, deleting(ApiKey))
    return {
        "images": List(path, make_images, deleting(Image)),
        "jobs": List(path, make_jobs, deleting(Job)),
        "batches": List(path, make_batches, deleting(Batch)),
        "duplicates": List(path, make_pairs, deleting(DuplicatePair)),
        "audit": List(f"{path}?action=test", inserting("pk", lambda: AuditEvent(action="test")), None),
    }[whole]


LISTS = [
    "/api/images/",
    "/api/jobs/",
    "/api/batches/",
    "/api/batches/{id}/images/",
    "/api/batches/{id}/runs/",
    "/api/batches/{id}/changes/",
    "/api/audit/",
    "/api/api-keys/",
    "/api/duplicates/",
    "/api/artifacts/",
    "/api/jobs/{id}/artifacts/",
    "/api/images/{id}/artifacts/",
    "/api/images/{id}/jobs/",
    "/api/images/{id}/history/",
    "/api/jobs/{id}/events/",
    "/api/jobs/{id}/operations/",
]
ORDERINGS = [
    (path, f"{sign}{field}")
    for path, filters in (
        ("/api/images/", ImageFilter),
        ("/api/jobs/", JobFilter),
        ("/api/batches/", BatchFilter),
        ("/api/artifacts/", ArtifactFilter),
    )
    for field in filters.base_filters["ordering"].param_map
    for sign in ("", "-")
]


def page_of(client, address: str, **parameters: Any) -> dict[str, Any]:
    response = client.get(address, parameters) if parameters else client.get(address)
    assert response.status_code == 200, response.json()
    return response.json()


def address_of(rows: List, **parameters: Any) -> str:
    path, _, query = rows.path.partition("?")
    words = [query, *(f"{name}={value}" for name, value in parameters.items())]
    return f"{path}?{'&'.join(word for word in words if word)}"


def read_while_it_changes(
    client, rows: List, *, count: int = ROWS, size: int = PAGE, **parameters: Any
) -> None:
    staying = [str(key) for key in rows.make(count)]
    pages, seen = 0, []
    address = address_of(rows, cursor="", page_size=size, **parameters)
    while address:
        page = page_of(client, address)
        assert "count" not in page
        seen += [str(rows.key(row)) for row in page["results"]]
        pages, address = pages + 1, page["next"]
        rows.make(4)
        if rows.delete:
            unseen = [key for key in staying if key not in seen]
            # Also the row that the cursor stands on.
            gone = [seen[-1], *seen[-3:-2], *unseen[:1], *unseen[-1:]]
            for key in gone:
                rows.delete(key)
            staying = [key for key in staying if key not in gone]
        assert pages <= 3 * count // size, "it does not end"

    assert pages > 2
    assert len(seen) == len(set(seen)), "a row came twice"
    assert set(staying) <= set(seen), "a row was left out"


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_read_whole_while_it_changes(client, path):
    read_while_it_changes(client, make_list(path))


@pytest.mark.parametrize(("path", "ordering"), ORDERINGS)
def test_every_ordering_is_read_whole_while_the_list_changes(client, path, ordering):
    read_while_it_changes(client, make_list(path), count=40, size=6, ordering=ordering)


@pytest.mark.parametrize(
    ("path", "ordering"),
    [*ORDERINGS, ("/api/images/", "title,-captured_at,width"), ("/api/jobs/", "-priority,finished_at")],
)
def test_the_order_is_that_of_pages_in_both_directions(client, path, ordering):
    rows = make_list(path)
    rows.make(23)
    whole = page_of(client, rows.path, ordering=ordering)["results"]
    expected = [row["id"] for row in whole]

    address, there, last = address_of(rows, cursor="", page_size=5, ordering=ordering), [], ""
    while address:
        page = page_of(client, address)
        there, last, address = there + [row["id"] for row in page["results"]], address, page["next"]
    address, back = last, []
    while address:
        page = page_of(client, address)
        back, address = [row["id"] for row in page["results"]] + back, page["previous"]

    assert there == back == expected


def test_the_way_back_from_where_everything_is_gone(client):
    images = make_rows(5)
    newest_first = [str(image.pk) for image in Image.objects.order_by("-created_at", "-id")]
    first = page_of(client, "/api/images/?cursor=&page_size=3")
    Image.objects.filter(pk__in=newest_first[3:]).delete()

    empty = page_of(client, first["next"])
    back = page_of(client, empty["previous"])

    assert (empty["results"], empty["next"]) == ([], None)
    assert [row["id"] for row in back["results"]] == newest_first[:3]
    assert back["previous"] is None
    Image.objects.filter(pk__in=[image.pk for image in images]).delete()
    nothing = page_of(client, back["next"])
    before = page_of(client, nothing["previous"])
    assert (before["results"], before["previous"]) == ([], None)
    assert page_of(client, before["next"])["results"] == []
    assert page_of(client, "/api/images/?cursor=") == {"next": None, "previous": None, "results": []}


def test_addresses_are_whole_and_keep_filters(client):
    make_rows(3, kind="product"), make_rows(3)

    page = page_of(client, "/api/images/?cursor=&page_size=2&kind=product")

    address = urlsplit(page["next"])
    assert (address.scheme, address.netloc, address.path) == ("http", "testserver", "/api/images/")
    query = parse_qs(address.query)
    assert (query["kind"], query["page_size"], page["previous"]) == (["product"], ["2"], None)
    assert len(page_of(client, page["next"])["results"]) == 1


def cursor_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["cursor"][0]


def test_wrong_and_foreign_cursors_are_refused(client):
    make_rows(3), make_jobs(3)
    of_images = cursor_in(page_of(client, "/api/images/?cursor=&page_size=1")["next"])
    of_jobs = cursor_in(page_of(client, "/api/jobs/?cursor=&page_size=1")["next"])

    for query in (
        {"cursor": of_jobs},
        {"cursor": of_images[:-1]},
        {"cursor": f"x{of_images}"},
        {"cursor": "cD0yMDI2"},
        {"cursor": "é:1:2"},
        {"cursor": of_images, "ordering": "width"},
    ):
        response = client.get("/api/images/", query)
        assert response.status_code == 400, query
        [error] = response.json()["errors"]
        assert (error["field"], error["code"]) == ("cursor", "invalid")
        assert "not a cursor of this list in this order" in error["detail"]
    assert client.get("/api/images", {"cursor": of_images}).status_code == 200


def test_a_cursor_goes_with_no_page(client):
    make_rows(2)
    address = page_of(client, "/api/images/?cursor=&page_size=1")["next"]

    for query in (f"{address}&page=2", "/api/images/?cursor=&page=1"):
        response = client.get(query)
        assert response.status_code == 400
        assert response.json()["errors"][0]["detail"] == "Send either cursor or page."
    batch = Batch.objects.create(batch_name="One")
    for part in ("images", "runs"):
        assert client.get(f"/api/batches/{batch.pk}/{part}/?cursor=&page=1").status_code == 400


def test_pages_by_number_are_as_they_were(client):
    make_rows(3)

    page = page_of(client, "/api/images/?page=2&page_size=2")

    assert (page["count"], page["next"], len(page["results"])) == (3, None, 1)
    assert page["previous"].endswith("/api/images/?page_size=2")


@pytest.mark.parametrize("path", ["/api/images/", "/api/jobs/", "/api/audit/"])
def test_a_page_costs_no_count_and_begins_in_the_index(client, path, django_assert_max_num_queries):
    rows = make_list(path)
    rows.make(30)
    address = page_of(client, address_of(rows, cursor="", page_size=10))["next"]

    with django_assert_max_num_queries(12) as queries:
        page_of(client, address)

    statements = [query["sql"] for query in queries.captured_queries]
    assert not [sql for sql in statements if sql.startswith("SELECT COUNT")]
    column = "at" if "audit" in path else "created_at"
    assert [sql for sql in statements if f'"{column}" <= ' in sql and "LIMIT 11" in sql]


def test_a_cursor_of_long_names_fits_into_an_address(client):
    make_rows(2, title="😀" * 200)
    Image.objects.update(original_filename="漢" * 255)

    page = page_of(client, "/api/images/?cursor=&page_size=1&ordering=title,original_filename,-captured_at")

    assert len(page["next"]) < 3000
    assert len(page_of(client, page["next"])["results"]) == 1


def test_the_document_has_a_cursor_wherever_it_has_pages(document):
    paged = set()
    for path, operations in document["paths"].items():
        names = {parameter["name"] for parameter in operations.get("get", {}).get("parameters", ())}
        if names & {"page", "cursor"}:
            assert "cursor" in names, path
            paged.add(path)
    tidy = {path.replace("{number}", "{id}") for path in paged}

    assert tidy == set(LISTS)  # each of them is read above
    schema = document["components"]["schemas"]["PaginatedImageList"]
    assert schema["required"] == ["next", "previous", "results"]
