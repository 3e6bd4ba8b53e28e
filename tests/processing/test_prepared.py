"""The engine's statements are planned once per connection, not each time."""

import pytest
from django.db import connection

from processing.engine import leases


@pytest.mark.django_db
def test_claims_are_prepared_and_ordinary_queries_are_not():
    for _ in range(3):
        leases.claim("default")

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [statement for (statement,) in cursor.fetchall()]
    assert any("FOR UPDATE SKIP LOCKED" in statement for statement in prepared)
    assert [statement for statement in prepared if "processing_operation" not in statement] == []
