"""JSON log lines with the request id; plain lines with LOG_FORMAT=text."""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from pixproject.web.base import request_id

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.current()
        return True


def configuration(level: str, *, as_json: bool) -> dict[str, Any]:
    """For `logging.config.dictConfig`.

    Raises:
        ImproperlyConfigured: the level is unknown.
    """
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(LEVELS)}, not {level!r}.")
    fields = "%(levelname)s %(name)s %(message)s %(request_id)s"
    json_formatter = {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": fields,
        "timestamp": "time",  # RFC 3339, UTC
        "rename_fields": {"levelname": "level", "name": "logger"},
    }
    text_formatter = {"format": "%(asctime)s %(levelname)-7s %(name)s [%(request_id)s] %(message)s"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestIdFilter}},
        "formatters": {"line": json_formatter if as_json else text_formatter},
        # Standard error: the output of commands belongs to their results.
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["request_id"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": []},  # Django's own would write the same lines again
            "django.server": {"handlers": ["console"], "level": level, "propagate": False},
            "django.request": {"level": "ERROR"},  # our own middleware writes one line a request
            # Scanners send foreign host names all day: the line of the request says 400, which is enough.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": ["console"], "level": level, "propagate": False},
            "waitress.queue": {"level": "ERROR"},  # a line for every request that waits for a thread
            "pebble": {"level": "WARNING"},
            "PIL": {"level": "WARNING"},
            "botocore": {"level": "WARNING"},
            "boto3": {"level": "WARNING"},
        },
    }
