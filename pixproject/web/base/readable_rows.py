"""One value that Python cannot hold must not take a whole list down."""

import logging
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader

logger = logging.getLogger("pix.database")


def register(sender: Any, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Have a new connection read dates leniently: PostgreSQL knows years that Python does not (4713 BC to 294276)."""
    if connection.vendor != "postgresql":
        return
    adapters = connection.connection.adapters
    usual = adapters.get_loader(adapters.types["timestamptz"].oid, 0)
    adapters.register_loader("timestamptz", _lenient(usual or TimestamptzLoader))


def _lenient(usual: type[Any]) -> type[Any]:
    class LenientLoader(usual):  # Django makes one of its own for each time zone
        def load(self, data: Buffer) -> datetime | None:
            try:
                found: datetime = super().load(data)
                return found
            except DataError as error:
                logger.warning("A date in the database was read as empty: %s", error)
                return None

    return LenientLoader
