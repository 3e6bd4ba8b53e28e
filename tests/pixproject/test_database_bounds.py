"""How long Pix waits for PostgreSQL: for slow statements, for locks, and for a server that hangs."""

import os
import re
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from psycopg.conninfo import make_conninfo

from api.core.handling import as_api_error
from pixproject.web.base.database import UNBOUNDED, Bounds, base, keep_to
from pixproject.web.base.database.base import ServerHangs, WatchedConnection
from tests.factories import make_user
from tests.factories.running import running_pix
from tests.factories.waiting import wait_until
from tests.fixtures.pages import plain_static_files  # noqa: F401  a autouse fixture

PASSWORD = "quiet-harbour-7"
WITHIN_S = 10  # the promise: with a hung database every request is answered in this time
PLACE = ("dbname", "user", "host", "port")
SLOW = Bounds(silence_s=2, statement_s=1)
LOCKED = Bounds(silence_s=2, lock_s=1)


@contextmanager
def bounds(value):
    """Only for connections made in the block."""
    connection.close()
    keep_to(value)
    try:
        yield
    finally:
        keep_to(UNBOUNDED)
        connection.close()
        base._hung_until = 0.0


def shown(name):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_commands_and_migrations_are_not_bounded():
    connection.close()

    assert [shown("statement_timeout"), shown("lock_timeout")] == ["0", "0"]
    assert "connect_timeout" not in connection.get_connection_params()


@pytest.mark.django_db(transaction=True)
def test_the_web_server_and_the_workers_are_bounded_each_in_its_own_way():
    with bounds(settings.WEB_DATABASE_BOUNDS):
        web = [shown("statement_timeout"), shown("lock_timeout")]
        parameters = connection.get_connection_params()
    with bounds(settings.WORKER_DATABASE_BOUNDS):
        worker = [shown("statement_timeout"), shown("lock_timeout")]

    assert (web, worker) == (["30s", "15s"], ["10min", "1min"])
    assert {name: parameters[name] for name in ("connect_timeout", "tcp_user_timeout")} == {
        "connect_timeout": 3,
        "tcp_user_timeout": 9000,
    }


@pytest.mark.django_db(transaction=True)
def test_what_the_database_url_says_is_stronger(monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", "7")

    with bounds(settings.WEB_DATABASE_BOUNDS):
        assert connection.get_connection_params()["connect_timeout"] == "7"


@pytest.mark.django_db(transaction=True)
def test_a_slow_statement_is_cut_and_is_503():
    with bounds(SLOW), pytest.raises(OperationalError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")

    error = as_api_error(caught.value)
    assert (error.status, error.headers) == (503, {"Retry-After": "5"})
    assert "needed too long" in error.detail


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_somebody_else_holds_is_503():
    user = make_user("read")
    with bounds(LOCKED), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = []

        def wait():
            try:
                with transaction.atomic():
                    User.objects.select_for_update().get(pk=user.pk)
            except OperationalError as error:
                found.append(as_api_error(error))
            finally:
                connections.close_all()

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(30)

    assert [error.status for error in found] == [503]
    assert "is being changed by someone else" in found[0].detail


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_is_silent_but_alive_is_waited_for():
    with bounds(Bounds(silence_s=2, statement_s=30)), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")

        assert cursor.fetchone() == ("",)


@pytest.mark.django_db(transaction=True)
def test_a_page_and_the_api_say_503_where_a_table_is_locked():
    person = Client(raise_request_exception=False)
    person.force_login(make_user("read"))
    parameters = connection.get_connection_params()
    with (
        bounds(LOCKED),
        psycopg.connect(make_conninfo(**{name: parameters[name] for name in PLACE})) as other,
    ):
        other.execute("LOCK TABLE images_image IN ACCESS EXCLUSIVE MODE")
        page, answer = person.get("/images/"), person.get("/api/images/")

    assert [page.status_code, answer.status_code] == [503, 503]
    assert [page["Retry-After"], answer["Retry-After"]] == ["5", "5"]
    assert "Pix is not available right now" in page.content.decode()
    assert answer.json()["code"] == "unavailable"


@contextmanager
def stopped_postgres(data_dir):
    """Every process of a PostgreSQL stopped, as on a machine that has lost its disk."""
    cluster = Path(data_dir).resolve() / "postgres"
    pids = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cwd") if _leads_to(path, cluster)]
    assert len(pids) > 3
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _leads_to(path, folder):
    try:
        return path.readlink() == folder
    except OSError:
        return False


@pytest.fixture(scope="module")
def own_pix():
    with running_pix(PIX_ADMIN_PASSWORD=PASSWORD) as instance:
        yield instance


@pytest.fixture(scope="module")
def admin(own_pix):
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{own_pix.url}sign-in/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
    form = {"csrfmiddlewaretoken": token, "username": "admin", "password": PASSWORD}
    assert session.post(f"{own_pix.url}sign-in/", form, headers={"Referer": own_pix.url}).url == own_pix.url
    return session


@pytest.mark.check
@pytest.mark.timeout(300)
def test_a_hung_database_is_503_in_time_everywhere(own_pix, admin):
    paths = ("api/images/", "api/me/", "images/", "jobs/", "", "admin/", "admin/images/image/")
    for path in paths:
        assert admin.get(own_pix.url + path).status_code == 200

    at_once, later = {}, {}

    def ask(path, found):
        answer = admin.get(own_pix.url + path, timeout=WITHIN_S)
        found[path] = (answer.status_code, answer.headers.get("Retry-After"))

    with stopped_postgres(own_pix.environment["PIX_DATA_DIR"]):
        threads = [threading.Thread(target=ask, args=(path, at_once)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for path in paths:
            ask(path, later)

    assert at_once == later == dict.fromkeys(paths, (503, "5"))
    assert wait_until(lambda: admin.get(own_pix.url).status_code == 200)


@pytest.mark.check
@pytest.mark.timeout(300)
def test_a_statement_under_way_ends_when_the_server_hangs(own_pix):
    data_dir = own_pix.environment["PIX_DATA_DIR"]
    keep_to(Bounds(silence_s=2))
    try:
        with WatchedConnection.connect(
            host=f"{data_dir}/run", user="pix", dbname="pix", autocommit=True
        ) as watched:
            found = []

            def run():
                try:
                    watched.execute("SELECT pg_sleep(100)")
                except psycopg.Error as error:
                    found.append(type(error))

            thread = threading.Thread(target=run)
            thread.start()
            with stopped_postgres(data_dir):
                thread.join(30)
                assert found == [ServerHangs]
    finally:
        keep_to(UNBOUNDED)
        base._hung_until = 0.0
