import re

import pytest
from django.test import Client

from tests.factories import make_user
from tests.factories.markup import squeezed

PAGES = ("/", "/jobs/", "/images/", "/images/?view=trash", "/status/", "/account/password/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_page_not_signed_in_leads_to_the_sign_in_page(path):
    response = Client().get(path)

    assert response.status_code == 302
    assert response.url.startswith("/sign-in/?next=/")


@pytest.mark.parametrize("path", PAGES)
def test_page_signed_in_is_whole_and_keeps_to_the_policy(viewer, path):
    response = viewer.get(path)
    text = response.content.decode()

    assert response.status_code == 200
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", text) == []
    assert re.findall(r"\sstyle=|<style|\son[a-z]+=", text) == []
    assert '<a class="skip" href="#main">' in text


@pytest.mark.django_db
def test_sign_in_and_out():
    make_user(username="ann", password="long-secret-9")
    client = Client()

    wrong = client.post("/sign-in/", {"username": "ann", "password": "x"})
    right = client.post(
        "/sign-in/?next=/images/", {"username": "ann", "password": "long-secret-9", "next": "/images/"}
    )

    assert (wrong.status_code, "user name or password is wrong" in wrong.content.decode()) == (200, True)
    assert (right.status_code, right.url) == (302, "/images/")
    assert client.get("/").status_code == 200
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/").status_code == 302


@pytest.mark.django_db
def test_sign_in_to_another_site_is_not_followed():
    make_user(username="ann", password="long-secret-9")
    form = {"username": "ann", "password": "long-secret-9", "next": "https://elsewhere.example/"}

    assert Client().post("/sign-in/", form).url == "/"


def test_password_change(viewer):
    viewer.user.set_password("long-secret-9")
    viewer.user.save()
    viewer.force_login(viewer.user)
    form = {
        "old_password": "long-secret-9",
        "new_password1": "Ax7-moon-lamp",
        "new_password2": "Ax7-moon-lamp",
    }

    wrong = viewer.post("/account/password/", {**form, "old_password": "no"})
    right = viewer.post("/account/password/", form)

    assert (wrong.status_code, "aria-invalid" in wrong.content.decode()) == (200, True)
    assert right.status_code == 302
    viewer.user.refresh_from_db()
    assert viewer.user.check_password("Ax7-moon-lamp")


def test_home_asked_for_json_is_the_word_of_health(viewer):
    response = viewer.get("/", headers={"accept": "application/json"})

    assert response.json() == {"status": "ok"}


def test_admin_link_is_for_staff(viewer):
    assert 'href="/admin/"' not in viewer.get("/").content.decode()

    viewer.user.is_staff = True
    viewer.user.save()

    assert 'href="/admin/"' in viewer.get("/").content.decode()


def test_unknown_address_is_answered_in_the_design(viewer):
    response = viewer.get("/nowhere/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


@pytest.mark.django_db
def test_form_without_token_is_answered_in_the_design():
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "a", "password": "b"})

    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


def test_failure_is_answered_in_the_design(viewer, monkeypatch):
    monkeypatch.setattr("pixproject.views.health.examine", lambda: 1 / 0)
    viewer.raise_request_exception = False

    response = viewer.get("/status/")

    assert response.status_code == 500
    assert "Something failed on our side" in response.content.decode()


def test_status_page_draws_every_check_and_queue(viewer):
    text = viewer.get("/status/").content.decode()

    for name in (
        "Database",
        "Redis",
        "Storage",
        "Queues",
        "Workers",
        "Disk",
        "Models",
        "Light",
        "Default",
        "ML",
    ):
        assert f"<h3>{name}</h3>" in text
    assert squeezed(viewer.get("/status/live/").content.decode()).strip().startswith('<div id="status-live"')
