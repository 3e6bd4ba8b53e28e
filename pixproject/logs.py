"""JSON log lines with the request id; plain lines with LOG_FORMAT=text."""

import logging
import logging.config

from pixproject import request_id


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.current()
        return True


def configure(_logging: dict | None = None) -> None:
    """Django calls this with LOGGING; what is logged follows from LOG_LEVEL and LOG_FORMAT alone."""
    from django.conf import settings  # settings are being read while this module is imported

    logging.config.dictConfig(_configuration(settings.LOG_LEVEL, as_json=settings.LOG_FORMAT == "json"))


def _configuration(level: str, *, as_json: bool) -> dict:
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s"
    json_formatter = {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": fields,
        "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
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
            "django.server": {"handlers": ["console"], "level": level, "propagate": False},
            "django.request": {"level": "ERROR"},  # our own middleware writes one line a request
            "pebble": {"level": "WARNING"},
            "PIL": {"level": "WARNING"},
            "botocore": {"level": "WARNING"},
            "boto3": {"level": "WARNING"},
        },
    }
