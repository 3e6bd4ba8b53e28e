"""`manage.py requeue`: failed work again, by the operator's command."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Choose what to retry: --failed, --job ID or --error-code CODE."),
        ({"job": "nonsense"}, "There is no job 'nonsense'."),
        ({"error_code": "nonsense"}, "There is no error code 'nonsense'. GET /api/errors/ lists all codes."),
    ],
)
def test_requeue_refuses_what_does_not_exist(options, sentence):
    with pytest.raises(CommandError) as caught:
        call_command("requeue", **options)

    assert str(caught.value) == sentence
