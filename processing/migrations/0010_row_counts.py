from django.db import migrations, models

STATE = "queue, status, error_code, hour"
OPERATION = """queue, status, CASE WHEN status = 'failed' THEN error_code ELSE '' END,
    CASE WHEN status IN ('completed', 'failed') THEN date_trunc('hour', finished_at, 'UTC') END"""
JOB = "'', status, '', NULL::timestamptz"
ARTIFACT = "'', '', '', NULL::timestamptz"
COUNTED = (("operation", OPERATION, "0"), ("job", JOB, "0"), ("artifact", ARTIFACT, "byte_size"))


def summed(kind: str, rows: str) -> str:
    return f"""
    INSERT INTO processing_rowcount (kind, {STATE}, count, byte_size)
    SELECT '{kind}', {STATE}, sum(n), sum(n * size) FROM ({rows}) AS changed ({STATE}, n, size)
    GROUP BY {STATE} HAVING sum(n) <> 0 OR sum(n * size) <> 0;"""


def triggers(kind: str, state: str, size: str) -> str:
    """Triggers of one table. Statement by statement: a submission of 10,000 operations makes one row."""
    added, removed = (
        f"SELECT {state}, {n}::bigint, {size}::bigint FROM {name}"
        for n, name in ((1, "new_rows"), (-1, "old_rows"))
    )
    parts = {
        "insert": (added, "NEW TABLE AS new_rows"),
        "delete": (removed, "OLD TABLE AS old_rows"),
        "update": (f"{added} UNION ALL {removed}", "NEW TABLE AS new_rows OLD TABLE AS old_rows"),
    }
    return "".join(
        f"""
CREATE FUNCTION processing_{kind}_{event}_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {summed(kind, rows)}
    RETURN NULL;
END $$;
CREATE TRIGGER {kind}_{event}_counted AFTER {event.upper()} ON processing_{kind} REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION processing_{kind}_{event}_counted();"""
        for event, (rows, tables) in parts.items()
    )


def begin(kind: str, state: str, size: str) -> str:
    # In the transaction of the triggers, which lock the table: nothing is counted twice or missed.
    rows = summed(kind, f"SELECT {state}, 1::bigint, {size}::bigint FROM processing_{kind}")
    return f"{triggers(kind, state, size)}{rows}"


def end(kind: str) -> str:
    return "".join(
        f"DROP TRIGGER {kind}_{event}_counted ON processing_{kind}; DROP FUNCTION processing_{kind}_{event}_counted;"
        for event in ("insert", "delete", "update")
    )


class Migration(migrations.Migration):
    dependencies = [("processing", "0009_name_result_sources")]

    operations = [
        migrations.CreateModel(
            name="RowCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("queue", models.CharField(blank=True, max_length=16)),
                ("status", models.CharField(blank=True, max_length=24)),
                ("error_code", models.CharField(blank=True, max_length=64)),
                (
                    "hour",
                    models.DateTimeField(
                        blank=True, help_text="When operations finished, by hours of UTC.", null=True
                    ),
                ),
                ("count", models.BigIntegerField()),
                ("byte_size", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(
                condition=models.Q(("status", "queued")),
                fields=["queue", "available_at"],
                name="operation_oldest",
            ),
        ),
        migrations.RunSQL(
            [begin(*counted) for counted in COUNTED], [end(kind) for kind, _, _ in COUNTED]
        ),
    ]
