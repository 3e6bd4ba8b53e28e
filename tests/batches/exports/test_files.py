"""CSV, manifest, ZIP and numbers of a batch."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from api.core.errors import ApiError
from batches.exports import files as exports
from batches.exports.archive import safe_name
from batches.groups import operations as grouping
from batches.models import Batch, BatchImage, ClusterRun
from images.models import Image
from images.services import trash_many
from pixproject.web.base.text import plain_cell
from processing.algorithms.metadata.position import without_position
from tests.factories import make_client, make_image, make_rows, make_user, pictures
from tests.factories.batches import make_batch

pytestmark = pytest.mark.django_db


def csv_rows(batch):
    text = b"".join(exports.csv_lines(batch)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def opened(stream):
    return zipfile.ZipFile(io.BytesIO(b"".join(stream)))


def test_the_zip_of_a_reader_has_no_positions():
    image = make_image(pictures.camera_jpeg(seed=50), name="holiday.jpg")
    batch = make_batch([image])
    path = f"/api/batches/{batch.pk}/export/?format=zip"

    def original(client):
        response = client.get(path)
        with opened(response.streaming_content) as archive:
            return response.get("X-Pix-Altered"), archive.read("unassigned/holiday.jpg")

    stored = pictures.camera_jpeg(seed=50)
    assert original(make_client("write")) == (None, stored)
    assert original(make_client("read")) == ("gps", without_position(stored))


def test_csv_tells_every_image():
    first, second = make_rows(2)
    Image.objects.filter(pk=first.pk).update(
        quality_grade=71.5,
        issues=[{"code": "blurred", "value": 0.1}, {"code": "dark"}],
        tags=["a", "b"],
        reference="r-1",
        captured_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    )
    batch = make_batch([second, first])
    grouping.create_group(batch, name="red", image_ids=[first.pk], actor=None)
    BatchImage.objects.filter(image=first).update(probability=0.5, outlier_score=0.25)
    grouping.decide(batch, [first.pk], decision="rejected", reason="too dark, really", actor=None)

    in_group, alone = csv_rows(batch)

    assert in_group == {
        "image_id": str(first.pk),
        "original_name": first.original_filename,
        "group_label": "1",
        "group_name": "red",
        "probability": "0.5",
        "outlier_score": "0.25",
        "assigned_by": "manual",
        "decision": "rejected",
        "reject_reason": "too dark, really",
        "locked": "false",
        "quality_grade": "71.5",
        "issues": "blurred;dark",
        "width": "640",
        "height": "480",
        "bytes": str(first.byte_size),
        "sha256": first.sha256,
        "captured_at": "2024-05-06T07:08:09+00:00",
        "reference": "r-1",
        "tags": "a;b",
    }
    assert (alone["image_id"], alone["group_label"], alone["decision"]) == (str(second.pk), "", "pending")


def test_csv_is_rfc_4180_in_utf_8_and_no_formula():
    rows = make_rows(1)
    Image.objects.update(original_filename='=cmd|"x".jpg', reference="+1", tags=["-2"])
    batch = make_batch(rows)
    grouping.create_group(batch, name="@Schön,\t", image_ids=[rows[0].pk], actor=None)

    text = b"".join(exports.csv_lines(batch)).decode("utf-8")
    assert text.startswith("\ufeff")  # or Excel takes it for cp1252

    assert text.count("\r\n") == text.count("\n") == 2
    assert '"\'=cmd|""x"".jpg"' in text
    row = csv_rows(batch)[0]
    assert (row["group_name"], row["reference"], row["tags"]) == ("'@Schön,", "'+1", "'-2")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("\n=1+1", "' =1+1"),
        ("\uff1dcmd", "'\uff1dcmd"),
        ("a;=cmd|calc!A0", "a;'=cmd|calc!A0"),
        ("a; @SUM(1)", "a;' @SUM(1)"),
        ("\x00\x85+1", "' +1"),
        ("1-2; 3", "1-2; 3"),
    ],
)
def test_no_cell_of_a_csv_is_a_formula_for_any_spreadsheet(text, cell):
    assert plain_cell(text) == cell


def test_each_tag_of_a_csv_is_text():
    rows = make_rows(1, tags=["a", "=cmd", "-1"])

    assert csv_rows(make_batch(rows))[0]["tags"] == "a;'=cmd;'-1"


def test_images_in_the_trash_and_of_other_batches_are_not_exported():
    rows = make_rows(3)
    batch = make_batch(rows[:2])
    make_batch(rows[1:], "Other")
    trash_many([rows[0].pk], actor=None)

    assert [row["image_id"] for row in csv_rows(batch)] == [str(rows[1].pk)]
    assert [row["id"] for row in json.loads(b"".join(exports.manifest(batch)))["images"]] == [str(rows[1].pk)]
    assert exports.statistics(batch)["images"] == 1


def test_the_manifest_holds_what_is_needed_to_repeat_the_run():
    rows = make_rows(2)
    batch = make_batch(rows)
    group = grouping.create_group(batch, name="red ✓", image_ids=[rows[0].pk], actor=None).group
    run = ClusterRun.objects.create(
        batch=batch,
        number=1,
        status="completed",
        model="pix_small",
        weights_sha256="a" * 64,
        parameters={"min_cluster_size": 5},
        seed=7,
        library_versions={"hdbscan": "1"},
        image_set_sha256="b" * 64,
        n_images=2,
    )
    run.assignments.create(image=rows[0], label=3, probability=1)
    Batch.objects.filter(pk=batch.pk).update(active_run=run)

    told = json.loads(b"".join(exports.manifest(batch)))

    assert (told["format"], told["format_version"], told["batch"]["version"]) == ("pix-batch", 1, 2)
    expected = {"model": "pix_small", "weights_sha256": "a" * 64, "parameters": {"min_cluster_size": 5}}
    expected |= {"seed": 7, "library_versions": {"hdbscan": "1"}, "image_set_sha256": "b" * 64}
    assert {name: told["run"][name] for name in expected} == expected
    assert [(row["label"], row["name"], row["count"]) for row in told["groups"]] == [
        (group.label, "red ✓", 1)
    ]
    assert [(row["sha256"], row["run_label"], row["group_label"]) for row in told["images"]] == [
        (rows[0].sha256, 3, group.label),
        (rows[1].sha256, None, None),
    ]


def test_an_empty_batch_is_exported():
    batch = make_batch([])

    assert csv_rows(batch) == []
    told = json.loads(b"".join(exports.manifest(batch)))
    assert (told["run"], told["groups"], told["images"]) == (None, [], [])
    assert opened(exports.zip_stream(batch)).namelist() == ["manifest.csv"]
    assert exports.statistics(batch)["quality"] == {
        "measured": 0,
        "mean": None,
        "least": None,
        "histogram": [0] * 10,
    }


def test_the_zip_has_a_folder_per_group_with_the_original_bytes():
    first, second, third, fourth = (make_image(name="same.jpg") for _ in range(4))
    batch = make_batch([first, second, third, fourth])
    grouping.create_group(batch, name="red/shoes:", image_ids=[first.pk, second.pk], actor=None)
    grouping.decide(batch, [third.pk], decision="rejected", actor=None)

    stream = exports.zip_stream(batch)
    size = len(stream)
    data = b"".join(stream)
    archive = zipfile.ZipFile(io.BytesIO(data))

    assert size == len(data)
    assert archive.testzip() is None
    paths = ["manifest.csv", "red_shoes_/same.jpg", "red_shoes_/same (2).jpg", "unassigned/same.jpg"]
    assert archive.namelist() == paths
    hashes = [hashlib.sha256(archive.read(path)).hexdigest() for path in paths[1:]]
    assert hashes == [first.sha256, second.sha256, fourth.sha256]
    listed = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode(), newline="")))
    assert {row["image_id"]: row["file"] for row in listed} == {
        str(first.pk): paths[1],
        str(second.pk): paths[2],
        str(third.pk): "",
        str(fourth.pk): paths[3],
    }
    assert "rejected/same.jpg" in opened(exports.zip_stream(batch, has_rejected=True)).namelist()


def test_groups_of_equal_names_get_folders_of_their_own():
    images = [make_image(name="a.jpg") for _ in range(4)]
    batch = make_batch(images)
    for image, name in zip(images, ("Boots", "boots", "unassigned", "Boots (2)"), strict=True):
        grouping.create_group(batch, name=name, image_ids=[image.pk], actor=None)

    names = opened(exports.zip_stream(batch)).namelist()[1:]

    folders = sorted(name.split("/")[0].casefold() for name in names)
    assert folders == ["boots", "boots (2)", "boots (2) (2)", "unassigned (2)"]


def test_a_missing_file_is_said_before_the_answer_begins():
    image = make_image(name="lost.jpg")
    batch = make_batch([image])
    default_storage.delete(image.file)

    with pytest.raises(ApiError, match=r"unassigned/lost\.jpg") as refused:
        exports.zip_stream(batch)

    assert (refused.value.status, refused.value.code) == (404, "file_missing")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\0b\n.jpg", "ab.jpg"),
        ("con.jpg", "_con.jpg"),
        ("  . ", "_"),
        ("Größe ✓.jpg", "Größe ✓.jpg"),
        ("ü" * 200 + ".jpg", "ü" * 58 + ".jpg"),
    ],
)
def test_names_suit_every_file_system(name, safe):
    assert safe_name(name) == safe


def test_statistics_count_what_is_there():
    rows = make_rows(4)
    for row, grade in zip(rows, (5, 95, 100, None), strict=True):
        Image.objects.filter(pk=row.pk).update(
            quality_grade=grade, issues=[{"code": "dark"}] if grade == 5 else []
        )
    batch = make_batch(rows)
    grouping.create_group(batch, name="red", image_ids=[rows[0].pk, rows[1].pk], actor=None)
    grouping.decide(batch, [rows[2].pk], decision="accepted", actor=None)

    told = exports.statistics(batch)

    assert told["decisions"] == {"pending": 3, "accepted": 1, "rejected": 0}
    assert (told["images"], told["assigned"], told["unassigned"]) == (4, 2, 2)
    assert told["group_sizes"] == [{"label": "1", "title": "red", "status": "open", "count": 2}]
    assert (told["assigned_by"], told["formats"], told["issues"]) == ({"manual": 2}, {"jpg": 4}, {"dark": 1})
    assert (told["quality"]["measured"], told["quality"]["histogram"]) == (3, [1, *[0] * 8, 2])


def test_an_export_knows_its_name_and_size():
    batch = make_batch([make_image()], "Red shoes / 2024")

    for format in exports.FORMATS:
        made = exports.export(batch, format)
        assert made.name == f"Red_shoes___2024.{format}"
        assert len(b"".join(made.chunks)) == made.byte_size
    with pytest.raises(ApiError, match="Choose one of: csv, json, zip"):
        exports.export(batch, "exe")


def test_the_command_writes_a_file_and_says_what_is_wrong(tmp_path):
    make_user("write", username="anna")
    batch = make_batch([make_image(pictures.jpeg(seed=1))], "Dunes")
    out = io.StringIO()

    for key in ("Dunes", str(batch.pk)):
        target = tmp_path / f"{key}.zip"
        call_command("export_batch", key, "--format", "zip", "--output", str(target), stdout=out)
        assert zipfile.ZipFile(target).testzip() is None
    assert "1 image of" in out.getvalue()

    with pytest.raises(CommandError, match="no batch 'Nothing'"):
        call_command("export_batch", "Nothing")
    with pytest.raises(CommandError, match="exists"):
        call_command("export_batch", "Dunes", "--output", str(target))
    for place in (tmp_path / "none" / "a.csv", tmp_path):
        with pytest.raises(CommandError, match=str(place)):
            call_command("export_batch", "Dunes", "--output", str(place), "--force")
    assert tmp_path.is_dir()
    default_storage.delete(batch.images.get().file)
    with pytest.raises(CommandError, match="missing"):
        call_command("export_batch", "Dunes", "--format", "zip", "--output", str(tmp_path / "other.zip"))
    assert not (tmp_path / "other.zip").exists()


def test_two_batches_of_one_name_are_told_apart():
    first, second = make_batch([], "Dunes"), make_batch([], "Dunes")

    with pytest.raises(CommandError, match="2 batches") as refused:
        call_command("export_batch", "Dunes")

    assert str(first.pk) in str(refused.value)
    assert str(second.pk) in str(refused.value)
