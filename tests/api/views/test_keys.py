"""API keys: made, used, limited, revoked; and who may do what with them."""

import io
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from api.access.keys import create_key
from api.models import ApiKey, AuditEvent
from tests.factories import make_client, make_user

pytestmark = pytest.mark.django_db
ADDRESS = "/api/api-keys/"


def client_with(text):
    return APIClient(HTTP_AUTHORIZATION=f"Api-Key {text}")


# --- using --------------------------------------------------------------------------------------------


def test_a_key_signs_in_and_only_its_hash_is_kept():
    key, text = create_key("test", user=make_user(), scopes=["read"])

    body = client_with(text).get("/api/me/").json()

    assert (body["api_key"]["prefix"], body["user"]["username"]) == (key.prefix, key.user.username)
    secret = text.partition(".")[2]
    assert secret not in str(ApiKey.objects.values_list().get())
    key.refresh_from_db()
    assert key.last_used_at is not None


@pytest.mark.parametrize(
    "header",
    ["Api-Key", "Api-Key x", "Api-Key a b", "Api-Key ......", "Api-Key \xff.\xff", "Api-Key abcdefgh."],
)
def test_a_wrong_key_is_401(header):
    response = APIClient(HTTP_AUTHORIZATION=header).get("/api/me/")

    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")


def test_a_right_prefix_with_a_wrong_secret_is_401():
    key, _ = create_key("test", user=make_user(), scopes=["read"])

    assert client_with(f"{key.prefix}.x").get("/api/me/").status_code == 401


@pytest.mark.parametrize("how", ["expired", "revoked", "disabled"])
def test_an_unusable_key_says_why(how):
    key, text = create_key("test", user=make_user(), scopes=["read"])
    moment = timezone.now() - timedelta(seconds=1)
    if how == "expired":
        ApiKey.objects.update(expires_at=moment)
    elif how == "revoked":
        ApiKey.objects.update(revoked_at=moment)
    else:
        key.user.is_active = False
        key.user.save()

    response = client_with(text).get("/api/me/")

    assert response.status_code == 401
    assert how in response.json()["detail"]


def test_a_key_never_exceeds_its_user():
    user = make_user("admin")
    _, text = create_key("test", user=user, scopes=["admin"])
    assert client_with(text).get("/api/me/").json()["scopes"] == ["read", "write", "process", "admin"]

    user.groups.clear()

    assert client_with(text).get("/api/me/").json()["scopes"] == ["read"]


def test_a_key_limits_its_user():
    _, text = create_key("test", user=make_user("admin"), scopes=["write"])

    assert client_with(text).get("/api/me/").json()["scopes"] == ["read", "write"]
    assert client_with(text).get(ADDRESS).status_code == 403


# --- the resource -------------------------------------------------------------------------------------


@pytest.fixture
def admin():
    return make_client("admin")


def test_the_text_is_shown_at_creation_only(admin):
    response = admin.post(ADDRESS, {"name": "ci", "scopes": ["read"]})

    body = response.json()
    assert response.status_code == 201
    assert client_with(body["key"]).get("/api/me/").status_code == 200
    again = admin.get(f"{ADDRESS}{body['id']}/").json()
    assert again == {name: value for name, value in body.items() if name != "key"} | {
        "last_used_at": again["last_used_at"]
    }
    assert AuditEvent.objects.get(action="api_key.create").target_id == body["id"]


def test_revoking_works_once(admin):
    body = admin.post(ADDRESS, {"name": "ci", "scopes": ["read"]}).json()
    address = f"{ADDRESS}{body['id']}/"

    revoked, again = admin.post(f"{address}revoke/"), admin.delete(address)

    assert (revoked.status_code, revoked.json()["is_usable"], again.status_code) == (200, False, 409)
    assert client_with(body["key"]).get("/api/me/").status_code == 401


def test_name_and_end_can_be_changed_but_no_more(admin):
    address = f"{ADDRESS}{admin.post(ADDRESS, {'name': 'ci', 'scopes': ['read']}).json()['id']}/"

    changed = admin.patch(address, {"name": "deploy", "expires_at": "2999-01-01T00:00:00Z"})
    past = admin.patch(address, {"expires_at": "2001-01-01T00:00:00Z"})
    scopes = admin.patch(address, {"scopes": ["admin"]})

    assert (changed.json()["name"], changed.json()["expires_at"]) == ("deploy", "2999-01-01T00:00:00Z")
    assert [past.status_code, scopes.status_code] == [400, 400]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["read"]}, "name"),
        ({"name": "x" * 101, "scopes": ["read"]}, "name"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["fly"]}, "scopes.0"),
        ({"name": "a", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a", "scopes": ["read"], "user": "nobody"}, "user"),
        ({"name": "a", "scopes": ["read"], "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_key_request_is_named(admin, body, field):
    response = admin.post(ADDRESS, body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert ApiKey.objects.count() == 1  # the admin's own


def test_a_key_for_a_user_who_may_less_is_refused(admin):
    response = admin.post(ADDRESS, {"name": "a", "scopes": ["admin"], "user": make_user("read").username})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "scopes")


def test_nobody_makes_or_prolongs_a_key_of_somebody_who_may_more():
    admin = make_client("admin")
    root = make_user("admin", username="root", is_superuser=True)
    key, _ = create_key("old", user=root, scopes=["admin"])

    made = admin.post(ADDRESS, {"name": "steal", "scopes": ["read"], "user": "root"})
    prolonged = admin.patch(f"{ADDRESS}{key.pk}/", {"expires_at": "2100-01-01T00:00:00Z"})

    assert [made.status_code, prolonged.status_code] == [403, 403]
    assert made.json()["errors"][0]["field"] == "user"
    assert ApiKey.objects.filter(user=root).count() == 1


def test_keys_are_for_admins(admin):
    operator = make_client("process")

    assert [operator.get(ADDRESS).status_code, operator.post(ADDRESS, {}).status_code] == [403, 403]
    assert APIClient().get(ADDRESS).status_code == 401
    assert admin.get(f"{ADDRESS}{uuid.uuid4()}/").status_code == 404
    assert admin.get(f"{ADDRESS}x/").status_code == 404


# --- the command --------------------------------------------------------------------------------------


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("create_api_key", *arguments, stdout=out, stderr=err)
    return out.getvalue()


def test_the_command_prints_the_key_and_nothing_else():
    make_user("admin", username="root", is_superuser=True)

    output = command("ci", "--scopes", "read,write,process,admin", "--expires-days", "7")

    assert output.count("\n") == 1
    body = client_with(output.strip()).get("/api/me/").json()
    assert body["scopes"] == ["read", "write", "process", "admin"]
    assert body["user"]["username"] == "root"
    assert body["api_key"]["expires_at"] > timezone.now().isoformat()


def test_the_command_works_before_there_is_any_user():
    output = command("ci", "--scopes", "process")

    body = client_with(output.strip()).get("/api/me/").json()
    assert (body["user"]["username"], body["scopes"]) == ("service", ["read", "write", "process"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("ci", "--scopes", "fly"),
        ("ci", "--scopes", ""),
        ("", "--scopes", "read"),
        ("ci", "--user", "nobody"),
        ("ci", "--expires-days", "0"),
    ],
)
def test_the_command_says_what_is_wrong(arguments):
    with pytest.raises(CommandError):
        command(*arguments)
    assert ApiKey.objects.count() == 0
