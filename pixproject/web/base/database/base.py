"""The backend. Django looks for this module under this name.

The server's own time-outs end what is slow. They cannot end what hangs: a server that is stopped, or whose disk or
network does not answer, keeps no time and closes no connection, and while its machine still acknowledges packets no
setting of TCP helps either. So this side listens: after some seconds of silence it connects a second time, and when
that is not answered either, the server counts as hung and the statement fails like one whose connection was lost.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.conninfo import make_conninfo
from psycopg.waiting import Ready, Wait

from pixproject.web.base.database import Bounds, kept

T = TypeVar("T")
Waiting = Generator[Wait, Ready | int, T]

# How long nobody in this process asks again after the server has hung: a request that has failed because of it tries
# to connect several times more (its session, its audit entry), and the next ones would wait for the same in turn.
HUNG_FOR_S = 2.0
_hung_until = 0.0


class ServerHangs(psycopg.OperationalError):
    """The server has not said anything for so long that it counts as lost."""


def _note_that_it_hangs() -> None:
    global _hung_until
    _hung_until = time.monotonic() + HUNG_FOR_S


class _Probe(psycopg.Connection[Any]):
    """A second connection, which asks one question and does not wait long for the answer."""

    patience_s = 0.0

    def wait(self, gen: Waiting[T], interval: float = 0.1, timeout: float | None = None) -> T:
        return super().wait(gen, interval, self.patience_s)


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose statements fail when the server hangs."""

    def wait(self, gen: Waiting[T], interval: float = 0.1, timeout: float | None = None) -> T:
        bounds = kept()
        return super().wait(self._watched(gen, bounds) if bounds.silence_s else gen, interval, timeout)

    def _watched(self, gen: Waiting[T], bounds: Bounds) -> Waiting[T]:
        """Pass the steps of a statement on; look at the clock while nothing comes."""
        look_at = time.monotonic() + bounds.silence_s
        # A backend that does not keep the time-out of its statement is stuck, however alive the server is.
        ends_at = time.monotonic() + (bounds.statement_s or float("inf")) + bounds.silence_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    look_at = now + bounds.silence_s
                elif now > look_at:
                    if now > ends_at or not self._is_server_alive(bounds):
                        self.close()
                        raise ServerHangs("The database server does not answer.")
                    look_at = time.monotonic() + bounds.silence_s
                wanted = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result

    def _is_server_alive(self, bounds: Bounds) -> bool:
        if time.monotonic() < _hung_until:
            return False
        try:
            secrets = {"password": self.info.password} if self.info.password else {}
            place = make_conninfo(self.info.dsn, connect_timeout=bounds.silence_s, **secrets)
            with _Probe.connect(place) as probe:
                probe.patience_s = bounds.silence_s
                probe.execute("SELECT 1")
        except (psycopg.errors.ConnectionTimeout, psycopg.errors._WaitTimeout):
            _note_that_it_hangs()
            return False
        except psycopg.Error:  # it has refused us: it lives
            return True
        return True


class _Driver:
    """psycopg, but its connections are watched."""

    connect = staticmethod(WatchedConnection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = _Driver()

    def get_connection_params(self) -> dict[str, Any]:
        bounds = kept()
        if not bounds.silence_s:
            return super().get_connection_params()
        seconds = bounds.silence_s
        # What DATABASE_URL says itself is stronger.
        return {
            "connect_timeout": seconds,
            "tcp_user_timeout": 3000 * seconds,
            "keepalives_idle": 3 * seconds,
            "keepalives_interval": seconds,
            "keepalives_count": 3,
            **super().get_connection_params(),
        }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if time.monotonic() < _hung_until:
            raise ServerHangs("The database server did not answer a moment ago.")
        try:
            return super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            if kept().silence_s:
                _note_that_it_hangs()
            raise

    def init_connection_state(self) -> None:
        """Tell the server its time-outs by SET: poolers such as PgBouncer refuse them as options of a connection."""
        super().init_connection_state()
        limits = {"statement_timeout": kept().statement_s, "lock_timeout": kept().lock_s}
        with self.connection.cursor() as cursor:
            for name, seconds in limits.items():
                if seconds:
                    cursor.execute(f"SET {name} = '{seconds}s'")
