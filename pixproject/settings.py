"""All of Pix's settings: every environment variable is read here, once."""

import os
from pathlib import Path
from typing import Any

from pixproject import embedded, logs
from pixproject.environment import Environment
from pixproject.secret import secret_key
from pixproject.unfold import UNFOLD  # noqa: F401  a setting by its name
from pixproject.web.base.database import Bounds
from processing.algorithms.codecs.formats import format_names

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
if not os.environ.get("PIX_IGNORE_ENV_FILE"):
    Environment.read_env(BASE_DIR / ".env")

# --- where it runs -----------------------------------------------------------------------------------
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 2)
WEB_THREADS = env.int("WEB_THREADS", 8)  # of each web process
# From here, not from wherever the command was given: each of them must find the same servers.
DATA_DIR = BASE_DIR / Path(env.str("PIX_DATA_DIR", "var")).expanduser()
ADMIN_PASSWORD = env.str("PIX_ADMIN_PASSWORD", "")
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or secret_key(DATA_DIR)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_HTTPS_PROXY = env.bool("BEHIND_HTTPS_PROXY", False)
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

# --- PostgreSQL, Redis, cache -------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "") or embedded.redis_url(DATA_DIR)
CACHE_URL = env.str("CACHE_URL", "") or REDIS_URL
RABBITMQ_URL = env.str(
    "RABBITMQ_URL", ""
)  # accepted for old configurations; a check warns that Redis is used

_DATABASE: dict[str, Any] = (
    env.db_url_config(DATABASE_URL) if DATABASE_URL else embedded.postgres_settings(DATA_DIR)
)
DATABASES = {
    "default": {
        **_DATABASE,
        "ENGINE": "pixproject.web.base.database",
        # Django's default, None, also ignores `prepare=True`. This prepares what asks for it (the engine's
        # statements: it halves what they cost PostgreSQL) and nothing else.
        "OPTIONS": {**_DATABASE.get("OPTIONS", {}), "prepare_threshold": 2**31 - 1},
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
# How long the web server and the workers wait for PostgreSQL. Commands and migrations wait as long as it takes.
DATABASE_CONNECT_TIMEOUT_SECONDS = env.int("DATABASE_CONNECT_TIMEOUT_SECONDS", 3)
WEB_STATEMENT_TIMEOUT_SECONDS = env.int("WEB_STATEMENT_TIMEOUT_SECONDS", 30)
WEB_LOCK_TIMEOUT_SECONDS = env.int("WEB_LOCK_TIMEOUT_SECONDS", 15)
WORKER_STATEMENT_TIMEOUT_SECONDS = env.int("WORKER_STATEMENT_TIMEOUT_SECONDS", 600)
WORKER_LOCK_TIMEOUT_SECONDS = env.int("WORKER_LOCK_TIMEOUT_SECONDS", 60)
WEB_DATABASE_BOUNDS = Bounds(
    DATABASE_CONNECT_TIMEOUT_SECONDS, WEB_STATEMENT_TIMEOUT_SECONDS, WEB_LOCK_TIMEOUT_SECONDS
)
WORKER_DATABASE_BOUNDS = Bounds(
    5 * DATABASE_CONNECT_TIMEOUT_SECONDS, WORKER_STATEMENT_TIMEOUT_SECONDS, WORKER_LOCK_TIMEOUT_SECONDS
)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "pix",
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            # A cache that hangs is asked several times in one request, and redis-py repeats a failed command for
            # seconds by default: a page must not wait for it.
            "SOCKET_CONNECT_TIMEOUT": 0.3,
            "SOCKET_TIMEOUT": 0.3,
            "CONNECTION_POOL_KWARGS": {"retry": None},
        },
    }
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = False
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# --- storage ------------------------------------------------------------------------------------------
STORAGE_BACKEND = env.str("STORAGE_BACKEND", "local")
UPLOAD_DIR = env.str("UPLOAD_DIR", "raw").strip("/")
PROCESSED_DIR = env.str("PROCESSED_DIR", "processed").strip("/")
THUMBNAIL_DIR = "thumbnails"
MEDIA_ROOT = DATA_DIR / "media"
MIN_FREE_DISK_BYTES = env.int("MIN_FREE_DISK_BYTES", 256 * 2**20)
AWS_ACCESS_KEY_ID = env.str("AWS_ACCESS_KEY_ID", "") or None
AWS_SECRET_ACCESS_KEY = env.str("AWS_SECRET_ACCESS_KEY", "") or None
AWS_REGION = env.str("AWS_REGION", "us-east-1")
AWS_S3_BUCKET = env.str("AWS_S3_BUCKET", "")
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", "") or None
PRESIGNED_URL_EXPIRY_SECONDS = env.int("PRESIGNED_URL_EXPIRY_SECONDS", 3600)
_LOCAL_STORAGE = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": MEDIA_ROOT, "base_url": None, "file_permissions_mode": 0o640},
}
_S3_STORAGE = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {
        "bucket_name": AWS_S3_BUCKET,
        "access_key": AWS_ACCESS_KEY_ID,
        "secret_key": AWS_SECRET_ACCESS_KEY,
        "region_name": AWS_REGION,
        "endpoint_url": AWS_ENDPOINT_URL,
        "signature_version": "s3v4",
        "querystring_expire": PRESIGNED_URL_EXPIRY_SECONDS,
        "file_overwrite": False,
        "default_acl": None,
    },
}
STORAGES = {
    "default": _S3_STORAGE if STORAGE_BACKEND == "s3" else _LOCAL_STORAGE,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- models -------------------------------------------------------------------------------------------
ML_MODELS_DIR = BASE_DIR / Path(env.str("ML_MODELS_DIR", "") or DATA_DIR / "models").expanduser()
# Computed by default; metrics that cannot be computed here are reported as unavailable.
QUALITY_METRICS = env.list(
    "QUALITY_METRICS", default=["brisque", "niqe", "ilniqe", "piqe", "musiq", "paq2piq"]
)
DEFAULT_EMBEDDER = env.str("DEFAULT_EMBEDDER", "auto")  # auto: dinov2 where it is installed, else pix_small
# What is measured automatically on upload (quality, embedding); an empty setting would mean the default.
MEASURE_ON_UPLOAD = env.list("MEASURE_ON_UPLOAD", default=["quality", "embedding"])
if MEASURE_ON_UPLOAD == ["none"]:
    MEASURE_ON_UPLOAD = []

# --- input limits -------------------------------------------------------------------------------------
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", env.int("MAX_FILE_SIZE", 10 * 2**20))
MAX_IMAGE_PIXELS = env.int("MAX_IMAGE_PIXELS", 50_000_000)
MAX_IMAGE_SIDE = env.int("MAX_IMAGE_SIDE", 16_384)
MAX_FRAMES = env.int("MAX_FRAMES", 500)
MAX_FILES_PER_REQUEST = env.int("MAX_FILES_PER_REQUEST", 100)
ALLOWED_EXTENSIONS = format_names(
    env.list("ALLOWED_EXTENSIONS", default=["jpg", "png", "webp", "avif", "tiff", "bmp", "gif", "heic"])
)
DEFAULT_THUMBNAIL_SIZES = env.list("DEFAULT_THUMBNAIL_SIZES", cast=int, default=[256, 512])
DECODE_TIMEOUT_SECONDS = env.int("DECODE_TIMEOUT_SECONDS", 20)
DECODE_MEMORY_BYTES = env.int("DECODE_MEMORY_BYTES", 2 * 2**30)

# --- engine -------------------------------------------------------------------------------------------
QUEUE_CONCURRENCY_LIGHT = env.int("QUEUE_CONCURRENCY_LIGHT", 2)
QUEUE_CONCURRENCY_DEFAULT = env.int("QUEUE_CONCURRENCY_DEFAULT", os.cpu_count() or 2)
QUEUE_CONCURRENCY_ML = env.int("QUEUE_CONCURRENCY_ML", 1)
LEASE_SECONDS = env.int("LEASE_SECONDS", 15)
JOB_MAX_ATTEMPTS = env.int("JOB_MAX_ATTEMPTS", 3)
OPERATION_TIMEOUT_SECONDS = env.int("OPERATION_TIMEOUT_SECONDS", 120)
OPERATION_MEMORY_BYTES = env.int("OPERATION_MEMORY_BYTES", 2 * 2**30)
ML_TIMEOUT_SECONDS = env.int("ML_TIMEOUT_SECONDS", 1800)
ML_MEMORY_BYTES = env.int("ML_MEMORY_BYTES", 4 * 2**30)
IDEMPOTENCY_TTL_SECONDS = env.int("IDEMPOTENCY_TTL", 86_400)

# --- retention: 0 keeps for ever ----------------------------------------------------------------------
RETENTION_RAW_DAYS = env.int("RETENTION_RAW_DAYS", env.int("S3_RETENTION_DAYS", 0))
RETENTION_PROCESSED_DAYS = env.int("RETENTION_PROCESSED_DAYS", env.int("S3_RETENTION_DAYS", 0))
TRASH_DAYS = env.int("TRASH_DAYS", 30)

# --- API ----------------------------------------------------------------------------------------------
API_RATE_ANON = env.str("API_RATE_ANON", "60/min")
API_RATE_KEY = env.str("API_RATE_KEY", "6000/min")
METRICS_ENABLED = env.bool("METRICS_ENABLED", True)
LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", "json")

# --- Django -------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "pixproject.admin_app.PixAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "storages",
    "api",
    "processing",
    "images",
    "batches",
    "pixproject.web",
    "pixproject",
]
MIDDLEWARE = [
    "pixproject.web.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "pixproject.web.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "pixproject.web.middleware.ProbeHostMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "api.access.audit.AuditMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "pixproject.urls"
WSGI_APPLICATION = "pixproject.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["api.access.sign_in.PasswordBackend"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BEHIND_HTTPS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 30 * 86_400)
# Redirecting to HTTPS is the proxy's task: behind it probes and programs speak HTTP. Whether a name's subdomains
# keep to HTTPS, too, only its owner knows.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SESSION_COOKIE_NAME = f"pix_session_{PORT}"  # cookies ignore ports: two instances on one host keep apart
CSRF_COOKIE_NAME = f"pix_csrf_{PORT}"
# Every upload goes to a temporary file: it is hashed there while it arrives and then moved into storage.
FILE_UPLOAD_HANDLERS = ["pixproject.web.uploads.HashingUploadHandler"]
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)  # Django refuses to run a command without it
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20  # everything in a request but its files
DATA_UPLOAD_MAX_NUMBER_FILES = MAX_FILES_PER_REQUEST

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.access.authentication.ApiKeyAuthentication",
        "api.access.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["api.access.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "api.core.parsers.JSONParser",
        "api.core.parsers.MultiPartParser",  # for the views that take files: `api.core.requests.takes_files`
    ],
    "DEFAULT_PAGINATION_CLASS": "api.core.pagination.ListPagination",
    "DEFAULT_FILTER_BACKENDS": ["api.core.filters.StrictFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["api.access.throttling.AnonThrottle", "api.access.throttling.KeyThrottle"],
    "DEFAULT_THROTTLE_RATES": {"anon": API_RATE_ANON, "key": API_RATE_KEY},
    "DEFAULT_SCHEMA_CLASS": "api.core.schema.Schema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.core.negotiation.JsonFallbackNegotiation",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a filter (of images) and a choice (of thumbnails)
    "EXCEPTION_HANDLER": "api.core.handling.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pix",
    "DESCRIPTION": "Image processing: uploads, operations, jobs and results.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.core.schema.add_error_body",
    ],
    "SERVE_PERMISSIONS": ["api.access.permissions.HasScope"],
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "processing.states.JobStatus",
        "OperationStatus": "processing.states.OperationStatus",
        "ImageStatus": "images.models.Image.Status",
        "ImageKind": "images.models.Image.Kind",
        "DuplicateKind": "images.models.DuplicatePair.Kind",
        "BatchStatus": "batches.models.Batch.Status",
        "BatchKind": "batches.models.Batch.Kind",
        "GroupStatus": "batches.models.Group.Status",
        "ChangeKind": "batches.models.GroupingChange.Kind",
        "Decision": "batches.models.BatchImage.Decision",
        "EmbedderChoice": "images.api.similar.MODELS",
        "GroupSelection": "batches.clustering.parameters.SELECTIONS",
    },
}
LOGGING = logs.configuration(LOG_LEVEL, as_json=LOG_FORMAT == "json")
