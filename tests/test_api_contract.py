"""Every route of the API, asked on a running Pix with requests made from its own OpenAPI document."""

import subprocess
import sys

import pytest

from tests.factories.running import ROOT

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = [pytest.mark.check, pytest.mark.timeout(900)]

EXAMPLES = 12  # of requests for each route; the same on every run
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MAKE_KEY = (
    "from django.contrib.auth.models import User; from api.access.keys import create_key;"
    "print(create_key('contract', user=User.objects.get(username='admin'), scopes=['admin'])[1])"
)


@pytest.fixture(scope="module")
def document(running_pix):
    """The document that the instance serves, and a key of its administrator."""
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", MAKE_KEY],
        cwd=ROOT,
        env=running_pix.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    headers = {"Authorization": f"Api-Key {made.stdout.strip()}"}
    document = schemathesis.openapi.from_url(f"{running_pix.url}api/schema/", headers=headers)
    document.config.update(headers=headers)
    return document


def test_every_route_answers_as_documented(document):
    routes, wrong = [found.ok() for found in document.get_all_operations()], {}
    assert {"/api/images/", "/api/jobs/", "/api/batches/"} <= {route.path for route in routes}
    for route in routes:
        try:
            _ask(route)
        except (Exception, BaseExceptionGroup) as error:  # schemathesis raises groups of findings
            wrong[route.label] = _said(error)

    assert wrong == {}, "\n\n".join(f"{label}: {said}" for label, said in wrong.items())


def _ask(route) -> None:
    @given(case=route.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        case.call_and_validate(checks=CHECKS)

    ask()


def _said(error: BaseException) -> str:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    return "\n".join(str(part) for part in parts)
