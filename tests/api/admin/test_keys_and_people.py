"""API keys, people, roles and the audit in the admin."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from api.access import audit
from api.access.keys import create_key, find_key
from api.models import ApiKey, AuditEvent
from tests.factories import make_user
from tests.factories.admin import act, audited, client_of, said

pytestmark = pytest.mark.django_db
NEW_KEY = "admin:api_apikey_add"
KEYS = "admin:api_apikey_changelist"
SECRET = re.compile(r"<code class=\"pix-secret[^>]*>([^<]+)</code>")


def test_key_is_shown_once(administrator):
    fields = {"name": "shop", "user": administrator.user.pk, "scopes": ["read", "process"]}

    answer = administrator.post(reverse(NEW_KEY), fields)
    page = administrator.get(answer.headers["Location"])
    again = administrator.get(answer.headers["Location"], follow=True)

    (text,) = SECRET.findall(page.content.decode())
    assert text not in again.content.decode()
    assert "shown only once" in said(again)[0]
    assert "new_api_key" not in administrator.session
    key = find_key(text)
    assert (key.name, key.user, key.scopes) == ("shop", administrator.user, ["read", "process"])
    assert "no-store" in page.headers["Cache-Control"]
    detail = administrator.get(reverse("admin:api_apikey_change", args=[key.pk])).content.decode()
    rows = administrator.get(reverse(KEYS)).content.decode()
    assert text.split(".")[1] not in detail + rows
    assert key.secret_sha256 not in detail + rows
    assert audited() == [("api_key.create", str(key.pk))]


def test_key_form_that_is_sent_again_makes_no_second_key(administrator):
    form = administrator.get(reverse(NEW_KEY)).content.decode()
    (key_id,) = re.findall(r'name="key_id" value="([^"]+)"', form)
    fields = {"key_id": key_id, "name": "shop", "user": administrator.user.pk, "scopes": ["read"]}

    first, second = (administrator.post(reverse(NEW_KEY), fields) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    (text,) = SECRET.findall(administrator.get(second.headers["Location"]).content.decode())
    assert [key.name for key in ApiKey.objects.all()] == ["shop"]
    assert find_key(text) == ApiKey.objects.get(pk=key_id)
    assert audited() == [("api_key.create", key_id)]


def test_bad_key_says_why(administrator):
    viewer = make_user("read", password=None)
    yesterday = timezone.now() - timedelta(days=1)
    expiry = {"expires_at_0": f"{yesterday:%Y-%m-%d}", "expires_at_1": "12:00:00"}
    good = {"name": "shop", "user": administrator.user.pk, "scopes": ["read"]}
    for change, sentence in (
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters (it has 101)"),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["fly"]}, "fly is not one of the available choices"),
        ({"user": viewer.pk, "scopes": ["admin"]}, "does not have admin, process, write"),
        (expiry, "is in the past"),
        ({"expires_at_0": "soon", "expires_at_1": ""}, "Enter a valid date"),
    ):
        response = administrator.post(reverse(NEW_KEY), {**good, **change})
        assert sentence in response.content.decode()
    assert not ApiKey.objects.exists()


def test_key_is_revoked_once(administrator):
    key, _ = create_key("shop", user=administrator.user, scopes=["read"])

    first, second = act(administrator, KEYS, "revoke", key), act(administrator, KEYS, "revoke", key)

    key.refresh_from_db()
    assert not key.is_usable
    assert said(first) == ["1 API key revoked."]
    assert said(second)[-1] == "1 API key skipped: already revoked."
    assert audited() == [("api_key.revoke", str(key.pk))]
    page = administrator.get(reverse("admin:api_apikey_change", args=[key.pk])).content.decode()
    assert "Revoke this key" not in page


def test_key_is_not_edited(administrator):
    key, _ = create_key("shop", user=administrator.user, scopes=["read"])

    response = administrator.post(reverse("admin:api_apikey_change", args=[key.pk]), {"scopes": ["admin"]})

    key.refresh_from_db()
    assert (response.status_code, key.scopes) == (403, ["read"])


def test_person_is_added_and_given_a_role(administrator):
    fields = {
        "username": "ada",
        "usable_password": "true",
        "password1": "Lovelace-1843",
        "password2": "Lovelace-1843",
    }
    administrator.post(reverse("admin:auth_user_add"), fields)
    ada = User.objects.get(username="ada")
    operators = Group.objects.get_or_create(name="operator")[0]

    change = {"username": "ada", "is_active": "on", "groups": [operators.pk], "first_name": "Ada"}
    administrator.post(reverse("admin:auth_user_change", args=[ada.pk]), change)

    ada.refresh_from_db()
    assert (ada.first_name, list(ada.groups.all())) == ("Ada", [operators])
    assert audited() == [("user.create", str(ada.pk)), ("user.change", str(ada.pk))]


def test_administrator_cannot_make_superusers_or_change_one(administrator):
    root = User.objects.create_superuser("root")
    ada = make_user("read", password=None)
    change = {"username": ada.username, "is_active": "on", "is_superuser": "on"}

    administrator.post(reverse("admin:auth_user_change", args=[ada.pk]), change)
    root_form = administrator.post(reverse("admin:auth_user_change", args=[root.pk]), {"username": "mine"})
    root_password = administrator.get(reverse("admin:auth_user_password_change", args=[root.pk]))

    ada.refresh_from_db()
    assert not ada.is_superuser
    assert (root_form.status_code, root_password.status_code) == (403, 403)


def test_nobody_shuts_the_door_behind_himself(administrator):
    user = administrator.user

    administrator.post(reverse("admin:auth_user_change", args=[user.pk]), {"username": user.username})

    user.refresh_from_db()
    assert user.is_active
    assert [group.name for group in user.groups.all()] == ["admin"]


def test_people_and_roles_lists(administrator, django_assert_max_num_queries):
    for _ in range(6):
        make_user("process", password=None)

    with django_assert_max_num_queries(12):
        people = administrator.get(reverse("admin:auth_user_changelist"))
    roles = administrator.get(reverse("admin:auth_group_changelist"))

    assert len(people.context["cl"].result_list) == 7
    counts = {group.name: group.member_count for group in roles.context["cl"].result_list}
    assert (counts["operator"], counts["admin"]) == (6, 1)


def test_audit_is_listed_searched_and_read_only(administrator, django_assert_max_num_queries):
    for number in range(5):
        audit.record("image.trash", administrator.user, actor=administrator.user, detail={"number": number})
    url = reverse("admin:api_auditevent_changelist")

    with django_assert_max_num_queries(15):
        rows = administrator.get(url).context["cl"].result_list
    found = administrator.get(url, {"q": administrator.user.username}).context["cl"].result_list
    none = administrator.get(url, {"action": "image.purge"}).context["cl"].result_list

    assert (len(rows), len(found), len(none)) == (5, 5, 0)
    event = AuditEvent.objects.first()
    change = reverse("admin:api_auditevent_change", args=[event.pk])
    assert administrator.get(change).status_code == 200
    assert administrator.post(change, {"action": "nothing"}).status_code == 403
    assert administrator.get(reverse("admin:api_auditevent_add")).status_code == 403


def test_history_of_an_object_is_what_the_audit_knows(administrator):
    key, _ = create_key("shop", user=administrator.user, scopes=["read"])
    act(administrator, KEYS, "revoke", key)
    audit.record("image.trash", administrator.user, actor=administrator.user)

    response = administrator.get(reverse("admin:api_apikey_history", args=[key.pk]), follow=True)

    assert [event.action for event in response.context["cl"].result_list] == ["api_key.revoke"]


def test_sidebar_shows_access_to_administrators_only(administrator):
    page = client_of("process").get(reverse("admin:index")).content.decode()

    assert reverse(KEYS) not in page
    assert reverse(KEYS) in administrator.get(reverse("admin:index")).content.decode()


def test_the_form_makes_no_key_for_somebody_who_may_more(administrator):
    administrator.user.is_superuser = False
    administrator.user.save()
    administrator.user.groups.add(Group.objects.get_or_create(name="admin")[0])
    root = User.objects.create_superuser("root")

    answer = administrator.post(reverse(NEW_KEY), {"name": "steal", "user": root.pk, "scopes": ["read"]})

    assert "has more rights than you" in answer.content.decode()
    assert not ApiKey.objects.filter(user=root).exists()


def test_details_and_times_read_as_people_write_them(administrator):
    audit.record(
        "batch.process", administrator.user, actor=administrator.user, detail={"filter": {"group": "1"}}
    )
    listed = administrator.get(reverse("admin:api_auditevent_changelist")).content.decode()
    people = administrator.get(reverse("admin:auth_user_changelist")).content.decode()

    assert "filter: {&quot;group&quot;: &quot;1&quot;}" in listed
    assert "Last sign-in" in people
    assert "a.m." not in people
    assert "p.m." not in people
