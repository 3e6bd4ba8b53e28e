"""Who am I, and who did what."""

import uuid

import pytest
from django.contrib.auth.models import Group, User
from django.db import InternalError, connection, transaction
from django.db.utils import IntegrityError
from rest_framework.test import APIClient

from api.access import audit
from api.access.addresses import client_ip
from api.access.permissions import has_scope, scopes_of
from api.models import AuditEvent
from tests.factories import make_client, make_user

pytestmark = pytest.mark.django_db


def test_me_names_scopes_and_every_limit(settings):
    client = make_client("write")

    body = client.get("/api/me").json()

    assert body["scopes"] == ["read", "write"]
    assert body["user"] == {
        "id": client.user.pk,
        "username": client.user.username,
        "is_superuser": False,
        "groups": ["reviewer"],
    }
    assert body["limits"]["max_upload_bytes"] == settings.MAX_UPLOAD_BYTES
    assert body["limits"]["formats"] == settings.ALLOWED_EXTENSIONS
    assert None not in body["limits"].values()


def test_me_by_session():
    client = APIClient()
    client.force_login(make_user("process"))

    assert client.get("/api/me/").json()["api_key"] is None
    assert APIClient().get("/api/me/").status_code == 401


def test_the_migration_made_the_groups():
    assert set(Group.objects.values_list("name", flat=True)) >= {"viewer", "reviewer", "operator", "admin"}


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("read", {"read"}),
        ("write", {"read", "write"}),
        ("process", {"read", "write", "process"}),
        ("admin", {"read", "write", "process", "admin"}),
    ],
)
def test_each_group_includes_those_before_it(scope, held):
    assert scopes_of(make_user(scope)) == held


def test_scopes_without_a_group():
    assert scopes_of(User.objects.create_user("plain")) == {"read"}
    assert scopes_of(User.objects.create_user("gone", is_active=False)) == set()
    assert has_scope(User.objects.create_superuser("root"), "admin")


# --- audit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["UPDATE api_auditevent SET action = 'x'", "DELETE FROM api_auditevent"])
def test_the_database_refuses_changes(change):
    audit.record("test", None)

    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        connection.cursor().execute(change)
    assert AuditEvent.objects.get().action == "test"


def test_a_user_can_be_deleted_and_stays_in_the_audit():
    user = make_user()
    audit.record("test", user, actor=user)

    user.delete()

    assert AuditEvent.objects.get().actor_name == user.username


def test_the_audit_says_who_from_where():
    admin = make_client("admin")
    created = admin.post("/api/batches/", {"batch_name": "Shoes"}, HTTP_X_REQUEST_ID="request-1").json()

    rows = admin.get("/api/audit/", {"target_id": created["id"]}).json()["results"]

    (row,) = rows
    expected = {
        "actor": admin.user.pk,
        "actor_name": admin.user.username,
        "api_key_prefix": admin.user.api_keys.get().prefix,
        "request_id": "request-1",
        "ip": "127.0.0.1",
        "action": "batch.create",
        "target_type": "batch",
        "detail": {"batch_name": "Shoes"},
    }
    assert {name: row[name] for name in expected} == expected
    assert admin.get(f"/api/audit/{row['id']}/").json() == row


def test_filters_of_the_audit():
    admin = make_client("admin")
    audit.record("one", None, actor=admin.user), audit.record("two", None)

    assert admin.get("/api/audit/", {"action": "one"}).json()["count"] == 1
    assert admin.get("/api/audit/", {"actor": admin.user.username}).json()["count"] == 1
    assert admin.get("/api/audit/", {"after": "tomorrow"}).status_code == 400
    assert admin.get("/api/audit/", {"colour": "red"}).status_code == 400
    assert admin.get(f"/api/audit/{2**80}/").status_code == 404


def test_the_audit_is_for_admins():
    assert make_client("process").get("/api/audit/").status_code == 403
    assert APIClient().get("/api/audit/").status_code == 401
    assert make_client("admin").get(f"/api/audit/{uuid.uuid4()}/").status_code == 404


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "1.2.3.4", "192.0.2.1"),
        ("10.0.3.4", "1.2.3.4, 5.6.7.8", "5.6.7.8"),
        ("10.0.3.4", "1.2.3.4, 10.0.3.9", "1.2.3.4"),
        ("10.0.3.4", "2001:db8::1", "2001:db8::1"),
        ("10.0.3.4", "nonsense", "10.0.3.4"),
        ("10.0.3.4", "", "10.0.3.4"),
        ("::ffff:10.0.3.4", "1.2.3.4", "1.2.3.4"),
        ("", "1.2.3.4", "1.2.3.4"),
        ("", "", None),
    ],
)
def test_a_proxys_word_is_believed_only_where_there_is_one(rf, settings, peer, forwarded, address):
    settings.TRUSTED_PROXIES = ["10.0.3.0/24"]

    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    assert client_ip(request) == address
