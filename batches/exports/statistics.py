"""A batch in numbers: for charts, and for whoever asks how far it is."""

from typing import Any

from django.db import connection
from django.db.models import Avg, Count, Min, QuerySet, Sum

from batches.exports.rows import members
from batches.models import Batch, BatchImage, Group

_ISSUES = """
SELECT issue ->> 'code' AS code, count(*) FROM batches_batchimage m
JOIN images_image i ON i.id = m.image_id, jsonb_array_elements(i.issues) issue
WHERE m.batch_id = %s AND i.status IN ('ready', 'damaged') GROUP BY code ORDER BY count(*) DESC, code"""


def statistics(batch: Batch) -> dict[str, Any]:
    """Counts of images by group, decision, format, quality and fault; images in the trash do not count."""
    rows = members(batch).order_by()
    rows_of_groups: list[Any] = list(batch.groups.with_counts())
    groups = [
        {"label": group.label, "title": group.title, "status": group.status, "count": group.count}
        for group in rows_of_groups
    ]
    sums = rows.aggregate(images=Count("pk"), byte_size=Sum("image__byte_size"))
    assigned = rows.filter(group__isnull=False).count()
    graded = rows.filter(image__quality_grade__isnull=False).aggregate(
        measured=Count("pk"), mean=Avg("image__quality_grade"), least=Min("image__quality_grade")
    )
    with connection.cursor() as cursor:
        cursor.execute(_ISSUES, [batch.pk])
        issues = dict(cursor.fetchall())
    return {
        "version": batch.version,
        "images": sums["images"],
        "byte_size": sums["byte_size"] or 0,
        "assigned": assigned,
        "unassigned": sums["images"] - assigned,
        "locked": rows.filter(locked=True).count(),
        "groups": len(groups),
        "confirmed_groups": sum(group["status"] == Group.Status.CONFIRMED for group in groups),
        "decisions": dict.fromkeys(BatchImage.Decision.values, 0) | _counts(rows, "decision"),
        "assigned_by": _counts(rows.filter(group__isnull=False), "assigned_by"),
        "formats": _counts(rows, "image__format"),
        "quality": {**graded, "histogram": rows.grade_counts()[0]},
        "issues": issues,
        "group_sizes": groups,
        "runs": batch.runs.count(),
        "changes": batch.changes.count(),
    }


def _counts(rows: QuerySet, field: str) -> dict[str, int]:
    """How many rows have each value, the most frequent first."""
    return dict(rows.values_list(field).annotate(count=Count("pk")).order_by("-count", field))
