import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from pixproject import embedded
from pixproject.embedded.postgres import Postgres
from pixproject.embedded.valkey import Valkey
from tests.factories.waiting import process_is_alive, wait_until

pytestmark = pytest.mark.check

ROOT = Path(__file__).resolve().parents[2]
BOTH = ["postgres", "redis"]
HOLD = """
import sys, time
from pathlib import Path
from pixproject.embedded import attached
with attached(Path(sys.argv[1]), names=["postgres", "redis"]):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """One cluster for the whole file: making one takes longer than everything else here."""
    return tmp_path_factory.mktemp("embedded")


@contextlib.contextmanager
def holder(data_dir, **environment):
    """Another process that uses both servers until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.communicate(timeout=60)


def ask_postgres(data_dir, query):
    place = embedded.postgres_settings(data_dir)
    with psycopg.connect(
        host=place["HOST"], port=place["PORT"], user=place["USER"], dbname=place["NAME"], autocommit=True
    ) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def ask_redis(data_dir):
    return redis.Redis.from_url(embedded.redis_url(data_dir))


def pid_of_postgres(data_dir):
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def pid_of_keeper(data_dir, name):
    return int((data_dir / "run" / f"{name}.keeper").read_text())


def nothing_runs(data_dir):
    servers = [Postgres(data_dir), Valkey(data_dir)]
    return not any(server.is_kept() or server.is_ready() for server in servers)


def test_attached_starts_both_and_last_one_out_stops_them(data_dir):
    with embedded.attached(data_dir, names=BOTH):
        assert ask_postgres(data_dir, "SELECT current_user, current_database()") == [("pix", "pix")]
        assert ask_redis(data_dir).ping()
    assert nothing_runs(data_dir)


def test_postgres_has_vectors_and_speaks_unicode(data_dir):
    with embedded.attached(data_dir, names=["postgres"]):
        ask_postgres(data_dir, "CREATE EXTENSION IF NOT EXISTS vector")
        assert ask_postgres(data_dir, "SELECT '[1,2]'::vector <-> '[1,4]'::vector") == [(2.0,)]
        assert ask_postgres(data_dir, "SELECT 'Ä' ILIKE 'ä'") == [(True,)]


def test_attached_starts_only_what_is_asked_for(data_dir):
    with embedded.attached(data_dir, names=["redis"]):
        assert ask_redis(data_dir).ping()
        assert not Postgres(data_dir).is_kept()


def test_second_user_keeps_servers_running(data_dir):
    with holder(data_dir), embedded.attached(data_dir, names=BOTH):
        first = pid_of_postgres(data_dir)
    assert nothing_runs(data_dir)
    with holder(data_dir):
        with embedded.attached(data_dir, names=BOTH):
            pass
        assert ask_postgres(data_dir, "SELECT 1") == [(1,)]
        assert process_is_alive(pid_of_postgres(data_dir))
        assert not process_is_alive(first)


def test_killed_user_leaves_nothing_running(data_dir):
    with holder(data_dir) as process:
        postgres = pid_of_postgres(data_dir)
        process.kill()
        assert wait_until(lambda: nothing_runs(data_dir))
    assert wait_until(lambda: not process_is_alive(postgres))


def test_killed_servers_come_back_with_their_data(data_dir):
    with embedded.attached(data_dir, names=BOTH):
        ask_postgres(data_dir, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        ask_redis(data_dir).set("kept", "1000")
        first = pid_of_postgres(data_dir)
        os.kill(first, signal.SIGKILL)
        os.kill(ask_redis(data_dir).info("server")["process_id"], signal.SIGKILL)
        assert wait_until(lambda: not process_is_alive(first))
        assert wait_until(Postgres(data_dir).is_ready)
        assert wait_until(Valkey(data_dir).is_ready)
        assert ask_postgres(data_dir, "SELECT count(*) FROM kept") == [(1000,)]
        assert ask_redis(data_dir).get("kept") == b"1000"
        ask_postgres(data_dir, "DROP TABLE kept")


def test_killed_keeper_takes_its_server_along_and_next_user_starts_both(data_dir):
    with embedded.attached(data_dir, names=BOTH):
        first = pid_of_postgres(data_dir)
        for name in BOTH:
            os.kill(pid_of_keeper(data_dir, name), signal.SIGKILL)
        assert wait_until(lambda: not process_is_alive(first))
        with embedded.attached(data_dir, names=BOTH):
            assert ask_postgres(data_dir, "SELECT 1") == [(1,)]
            assert ask_redis(data_dir).ping()


def test_stale_number_of_another_living_process_is_no_obstacle(data_dir):
    with embedded.attached(data_dir, names=["postgres"]):
        text = (data_dir / "postgres" / "postmaster.pid").read_text()
    _, rest = text.split("\n", 1)
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{rest}")
    with embedded.attached(data_dir, names=["postgres"]):
        assert ask_postgres(data_dir, "SELECT 1") == [(1,)]


def test_unknown_locale_of_caller_is_no_obstacle(data_dir):
    with holder(data_dir, LC_ALL="xx_YY.UTF-8", LANG="nonsense", PGDATA="/nowhere", PGPORT="1"):
        assert ask_postgres(data_dir, "SELECT 1") == [(1,)]


def test_no_tcp_port_is_opened(data_dir):
    with embedded.attached(data_dir, names=BOTH):
        assert ask_postgres(data_dir, "SHOW listen_addresses") == [("",)]
        assert ask_redis(data_dir).config_get("port") == {"port": "0"}


def test_long_path_with_space_and_comma_and_two_folders_side_by_side(tmp_path):
    long = tmp_path / "a b, c" / ("long" * 30)
    short = tmp_path / "other"
    try:
        with embedded.attached(long, names=BOTH), embedded.attached(short, names=BOTH):
            ask_redis(long).set("who", "long")
            ask_redis(short).set("who", "short")
            assert (ask_redis(long).get("who"), ask_redis(short).get("who")) == (b"long", b"short")
            assert pid_of_postgres(long) != pid_of_postgres(short)
            assert embedded.socket_dir(long).stat().st_mode & 0o777 == 0o700
        assert nothing_runs(long)
    finally:
        shutil.rmtree(embedded.socket_dir(long), ignore_errors=True)


def test_folder_in_tmp_made_by_somebody_else_is_refused(tmp_path):
    long = tmp_path / ("long" * 30)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    embedded.socket_dir(long).symlink_to(elsewhere)
    try:
        with (
            pytest.raises(embedded.EmbeddedServerError, match="belongs to another user"),
            embedded.attached(long, names=["redis"]),
        ):
            pass
    finally:
        embedded.socket_dir(long).unlink()


def test_missing_programs_name_the_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for name, setting in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")):
        with (
            pytest.raises(embedded.EmbeddedServerError, match=setting),
            embedded.attached(tmp_path, names=[name]),
        ):
            pass


def test_server_that_cannot_start_says_why_and_where_to_look(tmp_path):
    (tmp_path / "redis").write_text("a file where a folder belongs")
    with (
        pytest.raises(embedded.EmbeddedServerError, match=r"redis\.log.*REDIS_URL"),
        embedded.attached(tmp_path, names=["redis"]),
    ):
        pass


def test_data_of_another_postgres_version_is_refused(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with (
        pytest.raises(embedded.EmbeddedServerError, match=r"made by PostgreSQL 16; this is PostgreSQL 18"),
        embedded.attached(tmp_path, names=["postgres"]),
    ):
        pass


def test_each_server_is_embedded_or_not_by_itself(tmp_path):
    place, url = embedded.postgres_settings(tmp_path)["HOST"], embedded.redis_url(tmp_path)
    assert embedded.embedded_names(tmp_path, database_host=place, redis_location=url) == BOTH
    assert embedded.embedded_names(tmp_path, database_host="db", redis_location=url) == ["redis"]
    assert embedded.embedded_names(tmp_path, database_host=place, redis_location="redis://r/0") == [
        "postgres"
    ]
