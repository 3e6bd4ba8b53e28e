"""PostgreSQL and a Redis-protocol server out of pip wheels, run under the data folder.

Used for each of the two that no DATABASE_URL or REDIS_URL replaces. Knows no Django: settings.py imports it.
"""

from .attach import attached, embedded_names, start_keeper
from .paths import postgres_settings, redis_url, socket_dir
from .process import EmbeddedServerError

__all__ = [
    "EmbeddedServerError",
    "attached",
    "embedded_names",
    "postgres_settings",
    "redis_url",
    "socket_dir",
    "start_keeper",
]
