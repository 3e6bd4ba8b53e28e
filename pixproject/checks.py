"""Settings that contradict each other or cannot work, reported at every start and by `manage.py check`."""

import itertools
import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from images.ingest.measure_on_upload import MEASURES
from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.embedding.embedders import EMBEDDERS
from processing.algorithms.errors import not_a_choice
from processing.algorithms.quality.metrics import METRICS

MIN_LEASE_SECONDS = 5
RATE = re.compile(r"\d+/[smhd][a-z]*")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
DATABASE_SCHEMES = {"postgres", "postgresql", "psql", "pgsql"}
REDIS_SCHEMES = {"redis", "rediss", "unix"}


@register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [*_storage(), *_engine(), *_limits(), *_servers(), *_api_and_logs(), *_proxies(), *_safety()]


def _storage() -> Iterable[CheckMessage]:
    if settings.STORAGE_BACKEND not in ("local", "s3"):
        yield Error(f"STORAGE_BACKEND must be local or s3, not {settings.STORAGE_BACKEND!r}.", id="pix.E001")
    if settings.STORAGE_BACKEND == "s3" and not settings.AWS_S3_BUCKET:
        yield Error("STORAGE_BACKEND=s3 needs a bucket.", hint="Set AWS_S3_BUCKET.", id="pix.E002")
    if settings.STORAGE_BACKEND == "local" and settings.AWS_S3_BUCKET:
        hint = "Set STORAGE_BACKEND=s3, or remove AWS_S3_BUCKET."
        yield Warning(
            "AWS_S3_BUCKET is set, but files are stored in a local folder.", hint=hint, id="pix.W001"
        )
    folders = [settings.UPLOAD_DIR, settings.PROCESSED_DIR, settings.THUMBNAIL_DIR]
    if any(not folder or ".." in folder.split("/") for folder in folders):
        yield Error("UPLOAD_DIR and PROCESSED_DIR must be folders within the storage.", id="pix.E003")
    pairs = itertools.permutations(folders, 2)
    if any(f"{inner}/".startswith(f"{outer}/") for inner, outer in pairs):
        named = ", ".join(folders)
        # The integrity check would take the files of one for orphans of the other.
        yield Error(
            f"UPLOAD_DIR, PROCESSED_DIR and thumbnails must be separate folders, not {named}.", id="pix.E004"
        )


def _proxies() -> Iterable[CheckMessage]:
    for text in settings.TRUSTED_PROXIES:
        try:
            ip_network(text, strict=False)
        except ValueError:
            yield Error(
                f"TRUSTED_PROXIES: {text!r} is not an address or a network such as 10.0.3.0/24.",
                id="pix.E034",
            )


def _engine() -> Iterable[CheckMessage]:
    if settings.DEFAULT_EMBEDDER not in ("auto", *EMBEDDERS):
        names = ", ".join(["auto", *EMBEDDERS])
        yield Error(
            f"DEFAULT_EMBEDDER must be one of {names}, not {settings.DEFAULT_EMBEDDER!r}.", id="pix.E011"
        )
    if unknown := [name for name in settings.QUALITY_METRICS if name not in METRICS]:
        yield Error(
            f"QUALITY_METRICS: {not_a_choice(unknown[0], METRICS)}",
            id="pix.E012",
        )
    if unknown := [name for name in settings.MEASURE_ON_UPLOAD if name not in MEASURES]:
        detail = f"{not_a_choice(unknown[0], MEASURES)} To measure nothing, set it to none."
        yield Error(f"MEASURE_ON_UPLOAD: {detail}", id="pix.E013")
    if settings.LEASE_SECONDS < MIN_LEASE_SECONDS:
        yield Error(
            f"LEASE_SECONDS is {settings.LEASE_SECONDS}; it must be at least {MIN_LEASE_SECONDS}.",
            hint="A shorter lease could expire before its worker renews it.",
            id="pix.E010",
        )
    positive = (
        "JOB_MAX_ATTEMPTS",
        "OPERATION_TIMEOUT_SECONDS",
        "DECODE_TIMEOUT_SECONDS",
        "IDEMPOTENCY_TTL_SECONDS",
    )
    concurrency = (
        "WEB_CONCURRENCY",
        "WEB_THREADS",
        "QUEUE_CONCURRENCY_LIGHT",
        "QUEUE_CONCURRENCY_DEFAULT",
        "QUEUE_CONCURRENCY_ML",
    )
    for name in (*positive, *concurrency, "PRESIGNED_URL_EXPIRY_SECONDS"):
        yield from _at_least(name, 1)


def _limits() -> Iterable[CheckMessage]:
    for name in (
        "MAX_UPLOAD_BYTES",
        "MAX_IMAGE_PIXELS",
        "MAX_IMAGE_SIDE",
        "MAX_FRAMES",
        "MAX_FILES_PER_REQUEST",
    ):
        yield from _at_least(name, 1)
    for name in ("RETENTION_RAW_DAYS", "RETENTION_PROCESSED_DAYS", "TRASH_DAYS", "MIN_FREE_DISK_BYTES"):
        yield from _at_least(name, 0)
    unknown = sorted(set(settings.ALLOWED_EXTENSIONS) - set(FORMATS))
    if unknown or not settings.ALLOWED_EXTENSIONS:
        formats = ", ".join(FORMATS)
        yield Error(
            f"ALLOWED_EXTENSIONS has {', '.join(unknown) or 'no format'}. Choose one or more of: {formats}.",
            id="pix.E021",
        )
    if any(not 1 <= size <= settings.MAX_IMAGE_SIDE for size in settings.DEFAULT_THUMBNAIL_SIZES):
        yield Error(
            f"DEFAULT_THUMBNAIL_SIZES must be between 1 and {settings.MAX_IMAGE_SIDE} px.", id="pix.E022"
        )


def _at_least(name: str, minimum: int) -> Iterable[CheckMessage]:
    value = getattr(settings, name)
    if value < minimum:
        yield Error(f"{name} is {value}; it must be at least {minimum}.", id="pix.E020")


def _servers() -> Iterable[CheckMessage]:
    for name in (
        "DATABASE_CONNECT_TIMEOUT_SECONDS",
        "WEB_STATEMENT_TIMEOUT_SECONDS",
        "WEB_LOCK_TIMEOUT_SECONDS",
        "WORKER_STATEMENT_TIMEOUT_SECONDS",
        "WORKER_LOCK_TIMEOUT_SECONDS",
    ):
        yield from _at_least(name, 0)
    if settings.RABBITMQ_URL:
        yield Warning(
            "RABBITMQ_URL is not used: Redis wakes the workers.", hint="Set REDIS_URL.", id="pix.W010"
        )
    if settings.DATABASE_URL and urlsplit(settings.DATABASE_URL).scheme not in DATABASE_SCHEMES:
        scheme = urlsplit(settings.DATABASE_URL).scheme
        yield Error(f"DATABASE_URL must name a PostgreSQL server, not {scheme!r}.", id="pix.E030")
    if urlsplit(settings.REDIS_URL).scheme not in REDIS_SCHEMES:
        scheme = urlsplit(settings.REDIS_URL).scheme
        yield Error(
            f"REDIS_URL must start with redis://, rediss:// or unix://, not {scheme!r}.", id="pix.E031"
        )


def _api_and_logs() -> Iterable[CheckMessage]:
    for name in ("API_RATE_ANON", "API_RATE_KEY"):
        if not RATE.fullmatch(getattr(settings, name)):
            yield Error(
                f"{name} is {getattr(settings, name)!r}; it must be a rate such as 60/min (sec, min, hour, day).",
                id="pix.E032",
            )
    if settings.LOG_FORMAT not in ("json", "text"):
        yield Error(f"LOG_FORMAT must be json or text, not {settings.LOG_FORMAT!r}.", id="pix.E033")


def _safety() -> Iterable[CheckMessage]:
    is_public = settings.HOST not in LOOPBACK
    if settings.DEBUG and is_public:
        yield Error(
            f"DEBUG shows code and settings to everyone who can reach {settings.HOST}.", id="pix.E040"
        )
    if is_public and set(settings.ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}:
        hint = "Set ALLOWED_HOSTS to the host names under which Pix is reached."
        yield Warning(
            f"HOST is {settings.HOST}, but ALLOWED_HOSTS has only local names.", hint=hint, id="pix.W040"
        )
