"""What is logged, and what is not."""

import logging

import pytest
from django.test import Client


@pytest.mark.django_db
def test_a_foreign_host_is_one_line_without_a_traceback(caplog):
    with caplog.at_level(logging.INFO):
        response = Client().get("/api/me/", headers={"Host": "scanner.example"})

    lines = [record for record in caplog.records if record.name.startswith(("django", "pix"))]
    assert response.status_code == 400
    assert [(line.name, line.levelname, line.exc_info) for line in lines] == [("pix.request", "INFO", None)]
