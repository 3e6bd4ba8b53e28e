"""PostgreSQL and a Redis-protocol server out of pip wheels, run under the data folder.

Used for each of the two that no DATABASE_URL or REDIS_URL replaces. Knows no Django: settings.py imports it.
"""

from .paths import postgres_settings, redis_url, socket_dir

__all__ = ["postgres_settings", "redis_url", "socket_dir"]
